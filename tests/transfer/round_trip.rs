//! From one data directory to another, by way of each format that is written.

use std::fs;

use super::bed::{START, fill_logs, fill_metrics, inside, logs, metrics, ran, text};
use crate::http::bed::Folder;

#[test]
fn blocks_of_prometheus_come_back_bit_for_bit() {
    let folder = Folder::new();
    let (one, two, out) = (
        inside(&folder, "one"),
        inside(&folder, "two"),
        inside(&folder, "out"),
    );
    fill_metrics(&one);
    assert!(ran(&[
        "export",
        "prometheus",
        text(&out),
        "--data",
        text(&one)
    ]));
    // Ten minutes of one block, a whole one, and what is left.
    assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
    assert!(ran(&[
        "import",
        "prometheus",
        text(&out),
        "--data",
        text(&two)
    ]));
    let expected = metrics(&one);
    assert_eq!(expected.len(), 3 * 700 + 40);
    assert_eq!(metrics(&two), expected);
    // Once more changes nothing, and no checkpoint stays.
    assert!(ran(&[
        "import",
        "prometheus",
        text(&out),
        "--data",
        text(&two)
    ]));
    assert_eq!(metrics(&two), expected);
    let names = fs::read_dir(&two).unwrap();
    let is_checkpoint = |name: &str| name.ends_with(".checkpoint");
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| is_checkpoint(&name)));
    // A folder with something in it is not written to.
    assert!(!ran(&[
        "export",
        "prometheus",
        text(&out),
        "--data",
        text(&one)
    ]));
}

#[test]
fn a_part_is_exported_by_selector_and_time() {
    let folder = Folder::new();
    let (one, two, out) = (
        inside(&folder, "one"),
        inside(&folder, "two"),
        inside(&folder, "out"),
    );
    fill_metrics(&one);
    let (start, end) = (
        (START / 1000 + 60).to_string(),
        (START / 1000 + 120).to_string(),
    );
    let command = ["export", "prometheus", text(&out), "--data", text(&one)];
    let part = [
        "--match",
        "cpu{host=\"b\"}",
        "--start",
        &start,
        "--end",
        &end,
    ];
    assert!(ran(&[&command[..], &part].concat()));
    assert!(ran(&[
        "import",
        "prometheus",
        text(&out),
        "--data",
        text(&two)
    ]));
    let expected: Vec<String> = metrics(&one)
        .into_iter()
        .filter(|line| line.contains("host=\"b\""))
        .filter(|line| {
            let time: i64 = line.split(' ').rev().nth(1).unwrap().parse().unwrap();
            (START + 60_000..=START + 120_000).contains(&time)
        })
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(metrics(&two), expected);
}

#[test]
fn a_damaged_block_stops_the_import_with_its_place() {
    let folder = Folder::new();
    let (one, two, out) = (
        inside(&folder, "one"),
        inside(&folder, "two"),
        inside(&folder, "out"),
    );
    fill_metrics(&one);
    assert!(ran(&[
        "export",
        "prometheus",
        text(&out),
        "--data",
        text(&one)
    ]));
    let block = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    for name in ["index", "chunks/000001", "meta.json", "tombstones"] {
        let path = block.join(name);
        let sound = fs::read(&path).unwrap();
        for at in (0..sound.len()).step_by(sound.len() / 3 + 1) {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x11;
            fs::write(&path, &damaged).unwrap();
            // A flip that the format has no check for may read as the same.
            let _ = ran(&["import", "prometheus", text(&out), "--data", text(&two)]);
            fs::write(&path, &damaged[..at]).unwrap();
            assert!(!ran(&[
                "import",
                "prometheus",
                text(&out),
                "--data",
                text(&two)
            ]));
        }
        fs::write(&path, &sound).unwrap();
    }
    assert!(ran(&[
        "import",
        "prometheus",
        text(&out),
        "--data",
        text(&two)
    ]));
    assert_eq!(metrics(&two), metrics(&one));
}

#[test]
fn lines_of_victoria_metrics_carry_floats_and_tell_of_histograms() {
    let folder = Folder::new();
    let (one, two) = (inside(&folder, "one"), inside(&folder, "two"));
    fill_metrics(&one);
    for name in ["lines", "lines.gz", "lines.zst"] {
        let out = inside(&folder, name);
        assert!(ran(&[
            "export",
            "victoriametrics",
            text(&out),
            "--data",
            text(&one)
        ]));
        assert!(ran(&[
            "import",
            "victoriametrics",
            text(&out),
            "--data",
            text(&two)
        ]));
    }
    let is_float = |line: &String| line.starts_with("{__name__=\"cpu\"");
    let expected: Vec<String> = metrics(&one).into_iter().filter(is_float).collect();
    assert_eq!(expected.len(), 3 * 700);
    assert_eq!(metrics(&two), expected);
}

#[test]
fn lines_of_logs_come_back_with_labels_and_metadata() {
    let folder = Folder::new();
    let (one, two, out) = (
        inside(&folder, "one"),
        inside(&folder, "two"),
        inside(&folder, "out.zst"),
    );
    fill_logs(&one);
    assert!(ran(&[
        "export",
        "log-lines",
        text(&out),
        "--data",
        text(&one)
    ]));
    assert!(ran(&[
        "import",
        "log-lines",
        text(&out),
        "--data",
        text(&two)
    ]));
    assert_eq!(logs(&one).len(), 120);
    assert_eq!(logs(&two), logs(&one));
}
