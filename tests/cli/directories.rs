//! Directories that are named wrongly, tenants in a directory, and files that are not whole: what
//! is asked for is done, or it is said that it cannot be.

use super::bed::{Ran, run, run_with};
use crate::http::bed::Folder;

/// Runs the program on a directory.
fn on(folder: &Folder, arguments: &[&str]) -> Ran {
    let data = folder.0.display().to_string();
    run(&[arguments, &["--data", &data]].concat())
}

/// A directory in which a tenant has a metric.
fn of_team_a() -> Folder {
    let folder = Folder::new();
    let data = folder.0.display().to_string();
    let pushed = run_with(
        &["push", "metrics", "--data", &data, "--tenant", "team-a"],
        "tm 7\n",
    );
    assert_eq!(pushed.code, Some(0), "{pushed:?}");
    folder
}

#[test]
fn a_tenant_of_a_directory_is_the_one_that_is_named() {
    let folder = of_team_a();
    assert!(folder.0.join("tenants/team-a").is_dir());
    let asked = ["query", "tm", "-o", "csv"];
    let of = |tenant: &str| on(&folder, &[&asked[..], &["--tenant", tenant]].concat());
    assert_eq!(of("team-a").good().lines().count(), 2);
    assert_eq!(of("default").good().lines().count(), 0);
    let told = of("team-b").bad(2);
    assert!(told.contains("team-b") && told.contains("team-a"), "{told}");
    // Without a name it is the one whose name nobody has to say.
    assert_eq!(on(&folder, &asked).good().lines().count(), 0);
    let out = folder.0.join("out.jsonl").display().to_string();
    let export = ["export", "victoriametrics", &out];
    let wrong = on(&folder, &[&export[..], &["--tenant", "team-b"]].concat()).bad(2);
    assert!(wrong.contains("team-b"), "{wrong}");
    let right = [&export[..], &["--tenant", "team-a", "--start", "-1h"]].concat();
    assert!(on(&folder, &right).good().starts_with("1 entries"));
}

#[test]
fn what_is_no_data_directory_is_told_and_left_alone() {
    let empty = Folder::new();
    let missing = Folder::new();
    std::fs::create_dir_all(&empty.0).unwrap();
    let out = empty.0.join("out").display().to_string();
    for arguments in [
        &["verify"][..],
        &["repair"],
        &["stats"],
        &["backup", &out],
        &["query", "up"],
        &["export", "parquet", &out],
        &["export", "log-lines", &out],
    ] {
        let told = on(&missing, arguments).bad(2);
        assert!(
            told.contains("there is no data directory"),
            "{arguments:?}: {told}"
        );
        let told = on(&empty, arguments).bad(2);
        assert!(
            told.contains("is no data directory"),
            "{arguments:?}: {told}"
        );
    }
    assert!(!missing.0.exists());
    assert_eq!(std::fs::read_dir(&empty.0).unwrap().count(), 0);
    let told = on(&missing, &["import", "text", "/no/such/file"]).bad(2);
    assert!(told.contains("/no/such/file"), "{told}");
    assert!(!missing.0.exists());
}

#[test]
fn of_a_dump_that_was_cut_nothing_is_made_up() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let dump = folder.0.join("dump.om");
    let whole = "a_total 12345 1700000000\na_total 67890 1700000015\n# EOF\n";
    let import = |text: &str, data: &str| {
        std::fs::write(&dump, text).unwrap();
        let data = folder.0.join(data).display().to_string();
        let dump = dump.display().to_string();
        let ran = run(&["import", "openmetrics", &dump, "--data", &data]);
        let asked = [
            "query-range",
            "a_total",
            "--from",
            "1700000000",
            "--to",
            "1700000015",
        ];
        let shown = run(&[&asked[..], &["--step", "15s", "-o", "csv", "--data", &data]].concat());
        (ran, shown.good())
    };
    let (ran, shown) = import(whole, "whole");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(shown.contains("67890"), "{shown}");
    // Cut within a number, within its time, and behind a whole line.
    for end in [34, 40, 50] {
        let (ran, shown) = import(&whole[..end], &format!("cut-{end}"));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(format!("{ran:?}").contains("# EOF"), "{ran:?}");
        assert!(
            shown.contains("12345") && !shown.contains("6789"),
            "{shown}"
        );
    }
}

#[test]
fn a_configuration_is_checked_with_what_it_names_and_with_itself() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("config.yml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(&["check", "config", &file.display().to_string()])
    };
    assert_eq!(check("retention: 3d\n").code, Some(0));
    let faults = [
        ("web_config_file: /no/such/web.yml\n", "/no/such/web.yml"),
        (
            "listen: {prometheus: '127.0.0.1:9', loki: '127.0.0.1:9'}\n",
            "listen.prometheus and listen.loki",
        ),
        ("tenants: {a: {retention: 1d}}\n", "multi_tenant"),
        (
            "retention: 1d\nretention: 2d\n",
            "the key retention is there already",
        ),
        ("- retention\n", "a list is no configuration"),
    ];
    for (text, expected) in faults {
        let said = check(text).bad(1);
        assert!(said.contains(expected), "{text}: {said}");
    }
}
