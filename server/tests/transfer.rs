//! An import that is killed goes on where it was: nothing is lost and nothing comes twice.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SERIES: usize = 350;
const SAMPLES: usize = 1_000;
const KILLS: usize = 2;

fn import(path: &Path, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chronolith"));
    command
        .args(["import", "victoriametrics"])
        .arg(path)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// What the checkpoint says of how far the import is.
fn position(data: &Path) -> Option<u64> {
    let names = std::fs::read_dir(data).ok()?;
    let checkpoint = names
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|kind| kind == "checkpoint"))?;
    let text = std::fs::read_to_string(checkpoint).ok()?;
    let (_, behind) = text.split_once("\"position\":")?;
    let end = behind.find(|letter: char| !letter.is_ascii_digit())?;
    behind[..end].parse().ok()
}

/// Waits until the import is further than it was, and kills it there.
fn kill_beyond(child: &mut Child, data: &Path, before: u64) -> u64 {
    loop {
        if let Some(reached) = position(data).filter(|reached| *reached > before) {
            child.kill().unwrap();
            child.wait().unwrap();
            return reached;
        }
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
        std::thread::yield_now();
    }
}

fn folder() -> PathBuf {
    let name = format!("chronolith-transfer-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn an_import_that_is_killed_again_and_again_is_whole_in_the_end() {
    let folder = folder();
    let (path, data) = (folder.join("lines"), folder.join("data"));
    let mut lines = String::new();
    for series in 0..SERIES {
        let values: Vec<String> = (0..SAMPLES)
            .map(|place| (place * series).to_string())
            .collect();
        let times: Vec<String> = (0..SAMPLES)
            .map(|place| (1_700_000_000_000 + place * 1_000).to_string())
            .collect();
        let (values, times) = (values.join(","), times.join(","));
        writeln!(
            lines,
            "{{\"metric\":{{\"__name__\":\"m\",\"n\":\"{series}\"}},\"values\":[{values}],\
             \"timestamps\":[{times}]}}"
        )
        .unwrap();
    }
    std::fs::write(&path, lines).unwrap();
    let mut reached = 0;
    for _ in 0..KILLS {
        let mut child = import(&path, &data).spawn().unwrap();
        reached = kill_beyond(&mut child, &data, reached);
    }
    let output = import(&path, &data).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let all = SERIES * SAMPLES;
    for line in [format!("read       {all}"), format!("new        {all}")] {
        assert!(said.contains(&line), "{line} is missing in: {said}");
    }
    assert!(said.contains("refused    0"), "{said}");
    assert_eq!(position(&data), None, "the checkpoint is still there");
    std::fs::remove_dir_all(&folder).unwrap();
}
