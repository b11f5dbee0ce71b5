//! `logs`: pages, forms, numbers.

use serde_json::{Value, json};

use super::bed::{Place, everywhere};
use crate::http::bed::Bed;

const SECOND: i64 = 1_000_000_000;
/// 2026-01-15T11:30:00Z in nanoseconds.
const NOON: i64 = super::bed::NOON * SECOND;

/// Stores lines of a stream.
fn store(bed: &Bed, labels: &Value, lines: &[(i64, String)]) {
    let values: Vec<Value> = lines
        .iter()
        .map(|(time, line)| json!([time.to_string(), line]))
        .collect();
    let body = json!({ "streams": [{ "stream": labels, "values": values }] }).to_string();
    let kind = [("Content-Type", "application/json")];
    let reply = bed.ask_loki("POST", "/loki/api/v1/push", &kind, body.as_bytes());
    assert_eq!(reply.code, 204, "{}", reply.text());
}

/// A server that answers 100 lines at once and has 1,000 of two streams: 23 or so have each time.
fn many() -> Bed {
    let bed = Bed::with(|settings| settings.logs.entries_max = 100);
    for stream in 0..2 {
        let lines = (0..500).filter(|line| line % 2 == stream || *line >= 250);
        let lines: Vec<(i64, String)> = lines
            .map(|line| {
                (
                    NOON + line / 12 * SECOND,
                    format!("line {line} of {stream}"),
                )
            })
            .collect();
        store(
            &bed,
            &json!({ "app": "x", "pod": stream.to_string() }),
            &lines,
        );
    }
    bed
}

/// Asks for raw lines of the hour around noon.
fn raw(place: &Place, query: &str, more: &[&str]) -> Vec<String> {
    let around = [
        "--from",
        "2026-01-15T11:00:00Z",
        "--to",
        "2026-01-15T12:00:00Z",
    ];
    let asked = [&["logs", query, "--output", "raw"], &around[..], more].concat();
    let text = place.logs(&asked).good();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn pages_lose_and_double_no_line_whatever_times_are_equal() {
    let bed = many();
    let expected = 250 + 2 * 250;
    everywhere(bed, |place| {
        for batch in ["7", "23", "70", "100", "5000"] {
            for direction in [&["--forward"][..], &[]] {
                let more = [&["--limit", "0", "--batch", batch], direction].concat();
                let mut lines = raw(place, "{app=\"x\"}", &more);
                assert_eq!(lines.len(), expected, "batches of {batch} {direction:?}");
                lines.sort();
                lines.dedup();
                assert_eq!(lines.len(), expected, "batches of {batch} {direction:?}");
            }
        }
    });
}

#[test]
fn lines_that_a_query_makes_equal_are_shown_once_for_each_time() {
    everywhere(many(), |place| {
        for direction in [&["--forward"][..], &[]] {
            let more = [&["--limit", "0", "--batch", "10"], direction].concat();
            let query = "{app=\"x\"} | line_format `same` | drop pod, detected_level";
            let lines = raw(place, query, &more);
            assert_eq!(lines, vec!["same"; 42]);
        }
    });
}

#[test]
fn lines_come_in_order_and_no_more_than_were_asked_for() {
    everywhere(many(), |place| {
        let more = ["--limit", "333", "--batch", "50", "--forward"];
        let first = raw(place, "{pod=\"1\"} |= \"line\"", &more);
        assert_eq!(first.len(), 333);
        assert_eq!((&*first[0], &*first[1]), ("line 1 of 1", "line 3 of 1"));
        let newest = raw(place, "{pod=\"1\"}", &[]);
        assert_eq!(newest.len(), 30, "the default");
        assert!(newest[0].starts_with("line 49"), "{}", newest[0]);
        let none = raw(place, "{pod=\"none\"}", &[]);
        assert!(none.is_empty());
    });
}

#[test]
fn more_lines_of_one_time_than_a_server_answers_are_an_error_that_says_so() {
    let mut bed = Bed::with(|settings| settings.logs.entries_max = 100);
    let lines: Vec<_> = (0..150)
        .map(|line| (NOON, format!("line {line}")))
        .collect();
    store(&bed, &json!({ "app": "x" }), &lines);
    let asked = [
        "logs",
        "{app=\"x\"}",
        "--from",
        "2026-01-15T11:00:00Z",
        "--to",
        "2026-01-15T12:00:00Z",
        "--limit",
        "0",
    ];
    let error = Place::server(&bed).logs(&asked).bad(1);
    let told = error.contains("2026-01-15T11:30:00Z") && error.contains("--log-entries-max");
    assert!(told, "{error}");
    // A directory has no such limit to keep to.
    bed.stop();
    let all = Place::directory(&bed).logs(&asked).good();
    assert_eq!(all.lines().count(), 150);
}

#[test]
fn lines_are_shown_in_each_form() {
    let bed = Bed::new();
    let lines = [(NOON + 5, "level=info \u{1b}[31mred".to_owned())];
    store(&bed, &json!({ "app": "x", "service_name": "x" }), &lines);
    everywhere(bed, |place| {
        let around = [
            "--from",
            "2026-01-15T11:00:00Z",
            "--to",
            "2026-01-15T12:00:00Z",
        ];
        let ask = |more: &[&str]| {
            let asked = [&["logs", "{app=\"x\"}"], &around[..], more].concat();
            place.logs(&asked).good()
        };
        let labels = "{app=\"x\", detected_level=\"info\", service_name=\"x\"}";
        let text = "level=info \u{1b}[31mred";
        assert_eq!(
            ask(&[]),
            format!("2026-01-15T11:30:00.000Z {labels} {text}\n")
        );
        assert_eq!(
            ask(&["--no-labels"]),
            format!("2026-01-15T11:30:00.000Z {text}\n")
        );
        let json: Value = serde_json::from_str(&ask(&["-o", "jsonl"])).unwrap();
        assert_eq!(
            json,
            json!({ "labels": { "app": "x", "detected_level": "info", "service_name": "x" },
                    "line": text, "timestamp": "2026-01-15T11:30:00.000000005Z" })
        );
        let colored = ask(&["--color", "always"]);
        assert!(colored.starts_with("\u{1b}[2m2026"), "{colored}");
    });
}

#[test]
fn numbers_of_logs_are_shown_as_those_of_metrics() {
    everywhere(many(), |place| {
        let asked = [
            "logs",
            "sum by (app) (count_over_time({app=\"x\"}[1h]))",
            "--to",
            "2026-01-15T12:00:00Z",
            "--instant",
        ];
        assert_eq!(
            place.logs(&asked).good(),
            "SERIES           TIME  VALUE\n{app=\"x\"}  1768478400    750\n"
        );
        let range = [
            "--from",
            "2026-01-15T11:30:00Z",
            "--to",
            "2026-01-15T12:30:00Z",
        ];
        let step = ["--step", "30m", "-o", "csv", "--utc"];
        let asked = [&asked[..2], &range, &step].concat();
        assert_eq!(
            place.logs(&asked).good(),
            "\"{app=\"\"x\"\"}\",2026-01-15T11:30:00.000Z,12\n\
             \"{app=\"\"x\"\"}\",2026-01-15T12:00:00.000Z,750\n\
             \"{app=\"\"x\"\"}\",2026-01-15T12:30:00.000Z,738\n"
                .replacen("\"{", "series,time,value\n\"{", 1)
        );
    });
}

#[test]
fn names_values_and_streams_of_logs_are_listed() {
    everywhere(many(), |place| {
        let around = [
            "--logs",
            "--from",
            "2026-01-15T11:00:00Z",
            "--to",
            "2026-01-15T12:00:00Z",
        ];
        let list = |arguments: &[&str]| place.logs(&[arguments, &around].concat()).good();
        assert_eq!(list(&["labels"]), "NAME\napp\npod\nservice_name\n");
        assert_eq!(list(&["labels", "pod"]), "VALUE\n0\n1\n");
        assert_eq!(
            list(&["series", "{pod=\"1\"}"]),
            "SERIES\n{app=\"x\", pod=\"1\", service_name=\"x\"}\n"
        );
    });
}
