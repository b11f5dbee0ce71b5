//! Lines of JSON in merged blocks, of which only what is wanted is put together, against the same
//! lines in memory, which are read whole.

use chronolith_query::logql::{EngineLines, LineSource, LogQuery, MetricAnswer, Options};

use crate::shop::{Dice, Line, OPEN, OPENS, SECOND, line, memory};
use crate::store::{Stage, Store};

const QUERIES: &[&str] = &[
    r#"sum by (path) (rate({app="shop"} | json | status >= 500 [5m]))"#,
    r#"sum by (path, status) (count_over_time({app="shop"} | json | __error__="" [5m]))"#,
    r#"sum by (http_path) (count_over_time({app="shop"} | json | http_status >= 400 [5m]))"#,
    r#"sum by (ok, n) (count_over_time({app="shop"} | json [1h]))"#,
    r#"sum by (__error__) (count_over_time({app="shop"} | json [1h]))"#,
    r#"sum by (a_b_c, note) (count_over_time({app="shop"} | json | drop __error__ [1h]))"#,
    r#"sum by (kind, app_extracted) (count_over_time({app="shop"} | json | json [1h]))"#,
    r#"sum by (path) (sum_over_time({app="shop"} | json | unwrap took | __error__="" [10m]))"#,
    r#"quantile_over_time(0.9, {app="shop"} | json | unwrap took | __error__="" [10m]) by (kind)"#,
    r#"sum by (kind) (count_over_time({app="shop"} | json | label_format kind=path [10m]))"#,
    r#"sum by (user) (count_over_time({app="shop"} | json | user=~"u.*" | keep user [10m]))"#,
    r#"sum by (list, obj) (bytes_over_time({app="shop"} | json | note!="" [10m]))"#,
];

/// Values that end strings, words and objects where nobody expects it.
const NASTY: &[&str] = &[
    r#"\"x"#,
    r#"a\\"#,
    "a b",
    "true",
    "null",
    "-1e5",
    "{}",
    "é\u{fffd}",
    "",
    "]",
    r#"\u0041"#,
    "tru",
];

/// A line of one of several forms; `nasty` in a thousand values are unusual.
fn text(dice: &mut Dice, nasty: u64) -> String {
    let mut value = |usual: String| match dice.below(1000) < nasty {
        true => (*dice.pick(NASTY)).to_owned(),
        false => usual,
    };
    let (status, took) = (value("503".to_owned()), value("17.25".to_owned()));
    let number = dice.below(1_000_000);
    let status = match number % 5 {
        0 => status,
        1 => "404".to_owned(),
        _ => "200".to_owned(),
    };
    let path = format!("/{}", dice.pick(&["cart", "search", "item"]));
    let path = match dice.below(1000) < nasty {
        true => (*dice.pick(NASTY)).to_owned(),
        false => path,
    };
    let took = format!("{took}{}", number % 7);
    match number % 11 {
        0..3 => format!(
            r#"{{"t":"{number}","path":"{path}","status":{status},"took":{took},"i":"{number:x}"}}"#
        ),
        3 => format!(
            r#"{{"http":{{"path":"{path}","status":{status},"m":{{}}}},"user":"u{}","app":"x"}}"#,
            number % 9
        ),
        4 => format!(
            r#"{{"list":[{number},"]{path}",{{"path":"{path}"}}],"path":"{path}","took": {took} }}"#
        ),
        5 => format!(
            r#"{{"path":"one","path":"{path}","n":{number},"ok":{},"obj":{{}}}}"#,
            number.is_multiple_of(2)
        ),
        6 => format!(
            r#"{{"a":{{"b":{{"c":"{path}","d":-{number}}}}},"note":"say \"{number}\""}} {number}"#
        ),
        7 => format!(r#"{{"path":"{path}","status":{status}"#),
        8 => format!(r#"plain words about {path} and {number}"#),
        9 => format!(r#"{{"k\u0065y{number}":1,"status":{status},"path":null,"kind":"{path}"}}"#),
        _ => format!(
            r#"{{"n":0.{number},"kind":"k{}","status":"{status}","path":"{path}",}}"#,
            number % 3
        ),
    }
}

fn lines(seed: u64, nasty: u64) -> Vec<Line> {
    let mut dice = Dice::new(seed);
    let second = |place: u64| i64::try_from(place * 4).unwrap();
    (0..800)
        .map(|place| line(&[("app", "shop")], second(place), &text(&mut dice, nasty)))
        .collect()
}

fn ask(text: &str, source: &dyn LineSource) -> Result<MetricAnswer, String> {
    let query = LogQuery::parse(text).unwrap();
    let range = (OPENS, OPENS + OPEN, 300 * SECOND);
    let answer = query.range(source, range, &Options::default());
    answer.map_err(|error| error.to_string())
}

#[test]
fn what_is_left_out_of_lines_changes_no_answer() {
    for (seed, nasty) in [(1, 0), (2, 0), (3, 2), (4, 30), (5, 300)] {
        let lines = lines(seed, nasty);
        let store = Store::new(&lines, Stage::Block);
        let (engine, memory) = (store.lines(), memory(&lines));
        for text in QUERIES {
            let told = |source: &dyn LineSource| {
                let value = ask(text, source).map(|answer| answer.value);
                format!("{value:?}")
            };
            assert_eq!(told(&engine), told(&memory), "{text} seed {seed}");
        }
    }
}

#[test]
fn no_more_of_json_is_read_than_what_is_wanted() {
    let text = |place: u64| {
        let rest = "x".repeat(60);
        format!(
            r#"{{"time":"12:{place:03}","msg":"{rest}","path":"/p{}","status":{},"id":{place}}}"#,
            place % 3,
            200 + place % 2 * 300
        )
    };
    let lines: Vec<Line> = (0..400)
        .map(|place| {
            line(
                &[("app", "shop")],
                i64::try_from(place).unwrap(),
                &text(place),
            )
        })
        .collect();
    let store = Store::new(&lines, Stage::Block);
    let engine: EngineLines = store.lines();
    let raw: usize = lines.iter().map(|line| line.text.len()).sum();
    let read = |text: &str| ask(text, &engine).unwrap().stats.bytes;
    let some = read(r#"sum by (path) (rate({app="shop"} | json | status >= 500 [1h]))"#);
    // Two members of five.
    assert!(some > 0 && some * 3 < raw as u64, "{some} of {raw}");
    let format = r#"{app="shop"} | json | line_format "{{__line__}}""#;
    let all = read(&format!(r#"sum by (path) (rate({format} |= "p" [1h]))"#));
    assert!(all >= raw as u64, "{all} of {raw}");
    // A text that nobody reads is not made.
    let made = read(&format!("sum by (path) (rate({format} [1h]))"));
    assert!(made > 0 && made * 3 < raw as u64, "{made} of {raw}");
}
