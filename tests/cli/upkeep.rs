//! `stats`, `cardinality`, `backup`, `verify`, `repair`, `check` and `bench`.

use std::path::Path;

use serde_json::Value;

use super::bed::{NOON, Place, everywhere, filled, run, run_with, with};
use crate::http::bed::Folder;

#[test]
fn stats_tell_how_much_is_stored() {
    everywhere(filled(), |place| {
        let table = place.metrics(&["stats"]).good();
        let row = |begin: &str| table.lines().find(|line| line.starts_with(begin)).unwrap();
        let entries = row("entries in memory").split_whitespace();
        assert_eq!(entries.collect::<Vec<_>>()[3..], ["720", "0"], "{table}");
        let json: Value =
            serde_json::from_str(&place.metrics(&["stats", "-o", "json"]).good()).unwrap();
        assert_eq!(json["metrics"]["headEntries"], 720);
        assert_eq!(json["metrics"]["damaged"], 0);
    });
}

#[test]
fn cardinality_tells_what_makes_the_stores_large_in_memory_and_on_disk() {
    let bed = filled();
    // Half on disk, half in memory.
    assert_eq!(bed.post("/api/v1/admin/tsdb/flush", "").code, 204);
    let place = Place::server(&bed);
    let samples = format!("more{{a=\"b\"}} 1 {}\n", NOON * 1000);
    let pushed = run_with(&with(&["push", "metrics"], &place.metrics), &samples);
    assert_eq!(pushed.code, Some(0));
    let asked = with(&["push", "logs", "-l", "app=x"], &place.logs);
    assert_eq!(run_with(&asked, "1\n2\n3\n").code, Some(0));
    everywhere(bed, |place| {
        let table = place.metrics(&["cardinality", "-o", "csv"]).good();
        for row in [
            "metrics,all,,,4,",
            "metrics,metric,hits_total,,2,",
            "metrics,metric,more,,1,",
            "metrics,label,instance,2,2,",
            "logs,all,,,1,",
            "logs,label,app,1,1,",
        ] {
            assert!(
                table.lines().any(|line| line == row),
                "{row} is not in\n{table}"
            );
        }
        let stream = table
            .lines()
            .find(|line| line.starts_with("logs,stream,"))
            .unwrap();
        assert!(stream.contains("app") && stream.ends_with(",3"), "{stream}");
    });
}

#[test]
fn a_backup_of_a_server_or_of_a_directory_is_sound_and_has_everything() {
    let mut bed = filled();
    let time = (NOON - 15).to_string();
    let check = |folder: &str| {
        assert!(
            run(&["verify", "--data", folder])
                .good()
                .ends_with("nothing is damaged\n")
        );
        let asked = [
            "query",
            "hits_total",
            "--time",
            &time,
            "--data",
            folder,
            "-o",
            "csv",
        ];
        assert_eq!(run(&asked).good().lines().count(), 3);
    };
    let made = Place::server(&bed).metrics(&["backup"]).good();
    check(made.trim());
    let snapshots = Folder(Path::new(made.trim()).parent().unwrap().to_owned());
    bed.stop();
    let folder = Folder::new();
    let target = folder.0.display().to_string();
    let told = Place::directory(&bed).metrics(&["backup", &target]).good();
    assert!(told.starts_with(&target), "{told}");
    check(&target);
    let again = Place::directory(&bed).metrics(&["backup", &target]).bad(1);
    assert!(again.contains("empty"), "{again}");
    drop(snapshots);
}

/// A block file below a folder.
fn block(folder: &Path) -> Option<std::path::PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    entries.iter().find_map(|entry| {
        let path = entry.path();
        let is_block = path.is_file() && folder.ends_with("blocks");
        if is_block { Some(path) } else { block(&path) }
    })
}

#[test]
fn damage_is_found_and_taken_out() {
    let mut bed = filled();
    assert_eq!(bed.post("/api/v1/admin/tsdb/flush", "").code, 204);
    let data = bed.folder.0.display().to_string();
    // Beside its server a directory can be verified.
    assert!(
        run(&["verify", "--data", &data])
            .good()
            .contains("nothing is damaged")
    );
    bed.stop();
    let sound = run(&["repair", "--data", &data]).good();
    assert_eq!(sound, "nothing is damaged, and nothing was changed\n");
    let path = block(&bed.folder.0).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&path, bytes).unwrap();
    let found = run(&["verify", "--data", &data]);
    assert!(found.out.contains("damaged: "), "{found:?}");
    assert!(found.bad(1).contains("chronolith repair"));
    let repaired = run(&["repair", "--data", &data]).good();
    assert!(repaired.contains("set aside: "), "{repaired}");
    assert!(
        run(&["verify", "--data", &data])
            .good()
            .contains("nothing is damaged")
    );
}

#[test]
fn metrics_are_checked_for_syntax_and_customs() {
    let fine = "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n";
    assert_eq!(run_with(&["check", "metrics"], fine).good(), "");
    let odd = run_with(
        &["check", "metrics"],
        "# TYPE a counter\na{fooBar=\"1\"} 1\n",
    );
    assert!(
        odd.out
            .contains("a: the name of a counter ends with _total\n"),
        "{odd:?}"
    );
    assert!(odd.bad(1).contains("3 things"));
    let wrong = run_with(&["check", "metrics"], "a 1\na{ 2\n").bad(1);
    assert!(wrong.contains("line 2"), "{wrong}");
}

#[test]
fn a_bench_measures_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let dir = folder.0.display().to_string();
    let asked = [
        "bench",
        "--dir",
        &dir,
        "--samples",
        "20000",
        "--lines",
        "5000",
    ];
    let table = run(&asked).good();
    for what in [
        "store samples",
        "query samples",
        "store lines",
        "query lines",
        "disk for logs",
    ] {
        assert!(table.contains(what), "{table}");
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
    let json: Value =
        serde_json::from_str(&run(&[&asked[..], &["-o", "json"]].concat()).good()).unwrap();
    assert_eq!(json[0]["count"], 20_000);
}
