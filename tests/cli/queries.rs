//! `query`, `query-range`, `labels` and `series`.

use serde_json::{Value, json};

use super::bed::{NOON, everywhere, filled};

#[test]
fn a_query_is_shown_as_a_table_as_csv_and_as_json() {
    everywhere(filled(), |place| {
        let time = (NOON - 15).to_string();
        let ask = |more: &[&str]| {
            let asked = [&["query", "hits_total", "--time", &time], more].concat();
            place.metrics(&asked).good()
        };
        assert_eq!(
            ask(&[]),
            "SERIES                          TIME  VALUE\n\
             hits_total{instance=\"a\"}  1768476585   3585\n\
             hits_total{instance=\"b\"}  1768476585   7170\n"
        );
        assert_eq!(
            ask(&["--output", "csv", "--utc"]),
            "series,time,value\n\
             \"hits_total{instance=\"\"a\"\"}\",2026-01-15T11:29:45.000Z,3585\n\
             \"hits_total{instance=\"\"b\"\"}\",2026-01-15T11:29:45.000Z,7170\n"
        );
        let found: Value = serde_json::from_str(&ask(&["--output", "json"])).unwrap();
        assert_eq!(
            found[1],
            json!({ "metric": { "__name__": "hits_total", "instance": "b" },
                    "value": [NOON - 15, "7170"] })
        );
    });
}

#[test]
fn scalars_and_ranges_in_a_query_are_shown_too() {
    everywhere(filled(), |place| {
        let time = (NOON - 15).to_string();
        let ask = |expr: &str| place.metrics(&["query", expr, "--time", &time]).good();
        assert_eq!(
            ask("1 + 1"),
            "SERIES        TIME  VALUE\n        1768476585      2\n"
        );
        let range = ask("heat[1m]");
        assert_eq!(range.lines().count(), 5, "{range}");
        assert!(
            range.contains("heat{room=\"kitchen, left\"}  1768476540    6.5\n"),
            "{range}"
        );
    });
}

#[test]
fn a_query_over_a_range_has_a_row_for_each_step() {
    everywhere(filled(), |place| {
        let (from, to) = ((NOON - 600).to_string(), (NOON - 300).to_string());
        let ask = |more: &[&str]| {
            let asked = [
                "query-range",
                "sum(hits_total)",
                "--from",
                &from,
                "--to",
                &to,
            ];
            place.metrics(&[&asked, more].concat()).good()
        };
        let rows = ask(&["--step", "1m", "--output", "csv"]);
        assert_eq!(rows.lines().count(), 7, "{rows}");
        assert_eq!(rows.lines().nth(1).unwrap(), format!("{{}},{from},9000"));
        // Without a step the range has 250 or so, of a second at least.
        assert_eq!(ask(&["--output", "csv"]).lines().count(), 302);
    });
}

#[test]
fn a_long_expression_is_asked_for_too() {
    everywhere(filled(), |place| {
        let names: Vec<String> = (0..500)
            .map(|number| format!("instance-{number}"))
            .collect();
        let expr = format!("count(hits_total{{instance!~\"{}\"}})", names.join("|"));
        let time = (NOON - 15).to_string();
        let asked = ["query", &expr, "--time", &time, "--output", "csv"];
        assert!(place.metrics(&asked).good().ends_with(",2\n"));
    });
}

#[test]
fn names_values_and_series_are_listed() {
    everywhere(filled(), |place| {
        let list = |arguments: &[&str]| place.metrics(arguments).good();
        assert_eq!(
            list(&["labels", "-o", "csv"]),
            "name\n__name__\ninstance\nroom\n"
        );
        assert_eq!(list(&["labels", "instance"]), "VALUE\na\nb\n");
        assert_eq!(
            list(&["labels", "instance", "-o", "json"]),
            "[\n\"a\",\n\"b\"\n]\n"
        );
        let of_heat = ["labels", "--match", "heat", "-o", "csv"];
        assert_eq!(list(&of_heat), "name\n__name__\nroom\n");
        assert_eq!(
            list(&["series", "heat", "hits_total{instance=\"a\"}"]),
            "SERIES\nheat{room=\"kitchen, left\"}\nhits_total{instance=\"a\"}\n"
        );
        assert_eq!(
            list(&["series", "hits_total", "--limit", "1", "-o", "csv"])
                .lines()
                .count(),
            2
        );
        let before = [
            "series",
            "heat",
            "--to",
            "2020-01-01T00:00:00Z",
            "--since",
            "1d",
        ];
        assert_eq!(list(&before), "");
    });
}
