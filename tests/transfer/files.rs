//! Files that other programs wrote.

use std::fs;

use super::bed::{inside, logs, metrics, ran, text};
use crate::http::bed::Folder;

#[test]
fn what_cannot_be_read_of_a_text_is_told_and_the_rest_is_stored() {
    let folder = Folder::new();
    let (data, path) = (inside(&folder, "data"), inside(&folder, "samples.txt"));
    let samples = "# TYPE up gauge\nup{job=\"a\"} 1 1000\nup{job= 2\nup{job=\"b\"} 3 2000\n";
    fs::write(&path, samples).unwrap();
    assert!(!ran(&[
        "import",
        "text",
        text(&path),
        "--data",
        text(&data)
    ]));
    assert_eq!(metrics(&data).len(), 2);
    let sound = "# TYPE up gauge\nup{job=\"c\"} 1 1.5\n# EOF\n";
    fs::write(&path, sound).unwrap();
    assert!(ran(&[
        "import",
        "openmetrics",
        text(&path),
        "--data",
        text(&data)
    ]));
    assert!(
        metrics(&data)
            .iter()
            .any(|line| line.contains("job=\"c\"} 1500 "))
    );
}

#[test]
fn lines_of_a_plain_file_keep_their_order_and_their_number() {
    let folder = Folder::new();
    let (data, path) = (inside(&folder, "data"), inside(&folder, "app.log"));
    let lines = "2026-01-15T11:30:00Z INFO same\n2026-01-15T11:30:00Z INFO same\n  behind it\n\
                 2026-01-15T11:30:01Z WARN other\n";
    fs::write(&path, lines).unwrap();
    let command = ["import", "log-file", text(&path), "--data", text(&data)];
    let pattern = [
        "--pattern",
        "<time> <level> <_>",
        "--label",
        "app=x",
        "--label-from",
        "level",
    ];
    let all = [&command[..], &pattern, &["--join"]].concat();
    assert!(ran(&all) && ran(&all));
    let found = logs(&data);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("app=\"x\", level=\"INFO\"") && found[0].contains("000000000 "));
    assert!(found[1].contains("000000001 ") && found[1].contains("same\n  behind it"));
    // Without --join what does not fit is refused, and said.
    let other = inside(&folder, "other");
    let command = ["import", "log-file", text(&path), "--data", text(&other)];
    assert!(!ran(&[&command[..], &pattern].concat()));
    assert_eq!(logs(&other).len(), 3);
}

#[test]
fn what_is_not_there_or_means_nothing_is_an_error() {
    let folder = Folder::new();
    let data = inside(&folder, "data");
    let empty = inside(&folder, "empty");
    fs::create_dir_all(&empty).unwrap();
    for arguments in [
        ["import", "prometheus", text(&empty)],
        ["import", "text", "not-there.txt"],
        ["import", "nothing", "x"],
        ["export", "nothing", "x"],
    ] {
        let all = [&arguments[..], &["--data", text(&data)]].concat();
        assert!(!ran(&all), "{arguments:?}");
    }
    let url = [
        "import",
        "loki",
        "https://x",
        "--start",
        "0",
        "--data",
        text(&data),
    ];
    assert!(!ran(&url));
}
