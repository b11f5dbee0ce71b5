//! A server killed while clients write and read through HTTP loses nothing that it acknowledged;
//! `benches/src/traffic/` has the clients, and the long form of this.

use std::path::PathBuf;

use chronolith_benches::process::RunDirectory;
use chronolith_benches::traffic::{Length, Limits, Traffic};

/// Small enough for a test: the same number of pushes each time.
fn traffic(directory: &RunDirectory) -> Traffic {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_chronolith-tested"));
    Traffic {
        length: Length::Pushes(40),
        readers: 4,
        series: 30,
        lines: 20,
        ..Traffic::new(program, directory.path().join("data"))
    }
}

#[test]
fn a_server_killed_while_clients_write_and_read_loses_nothing_that_it_acknowledged() {
    let directory = RunDirectory::new("killed");
    let mut report = Traffic {
        kills: 2,
        ..traffic(&directory)
    }
    .run()
    .unwrap();
    assert!(report.is_good(), "{:#?}", report.lines());
    assert_eq!(report.kills, 2);
    // Everything was acknowledged in the end, so everything is there, and once.
    assert_eq!(report.compared.samples, 4 * 40 * 30);
    assert_eq!(report.compared.lines, 4 * 40 * 20);
    assert!(report.confirmed > 0, "no reader looked for what is newest");
}

#[test]
fn at_its_limit_a_server_answers_429_and_keeps_what_it_acknowledged() {
    let directory = RunDirectory::new("limited");
    let mut report = Traffic {
        limits: Limits::Low,
        ..traffic(&directory)
    }
    .run()
    .unwrap();
    assert!(report.is_good(), "{:#?}", report.lines());
    assert!(report.limited() > 0, "no push met the limit");
    let all = 4 * 40 * 30;
    let stored = report.compared.samples;
    assert!(0 < stored && stored < all, "{stored} of {all}");
}
