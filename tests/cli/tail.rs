//! `logs --tail`: lines as they are stored, also by a server that comes back.

use super::bed::{Place, Running, free_address, run_with, with};
use crate::http::bed::Bed;

/// Stores lines that are read now.
fn push(place: &Place, lines: &str) {
    let arguments = with(&["push", "logs", "--label", "app=x"], &place.logs);
    assert_eq!(run_with(&arguments, lines).code, Some(0));
}

#[test]
fn a_tail_shows_what_was_there_and_what_comes() {
    let bed = Bed::new();
    let place = Place::server(&bed);
    push(&place, "first\nsecond\n");
    let asked = [
        "logs",
        "{app=\"x\"} |~ \"first|second|third\"",
        "--tail",
        "-o",
        "raw",
    ];
    let tail = Running::start(&with(&asked, &place.logs));
    assert_eq!(
        (tail.line(), tail.line()),
        ("first".into(), "second".into())
    );
    push(&place, "not this\nthird\n");
    assert_eq!(tail.line(), "third");
}

#[test]
fn a_tail_goes_on_where_it_was_when_its_server_comes_back() {
    let address = free_address();
    let mut bed = Bed::with(|settings| settings.listen_loki = address);
    let place = Place::server(&bed);
    push(&place, "first\n");
    let tail = Running::start(&with(
        &["logs", "{app=\"x\"}", "--tail", "-o", "raw"],
        &place.logs,
    ));
    assert_eq!(tail.line(), "first");
    bed.stop();
    assert!(tail.said().contains("connecting again"));
    bed.start(|settings| settings.listen_loki = address);
    push(&place, "second\n");
    assert_eq!(tail.line(), "second");
    push(&place, "third\n");
    assert_eq!(tail.line(), "third");
}

#[test]
fn a_directory_has_nothing_to_follow() {
    let mut bed = Bed::new();
    bed.stop();
    let asked = ["logs", "{app=\"x\"}", "--tail"];
    let error = Place::directory(&bed).logs(&asked).bad(2);
    assert!(error.contains("needs a server"), "{error}");
}
