//! Queries for lines: order, limit, distance, and labels told apart.

use chronolith_engine::labels::LabelSet;
use chronolith_query::logql::{
    Direction, LineRequest, LineSource, LineStream, LinesAnswer, LinesRequest, LogQuery, Options,
    Result,
};

use crate::shop::{Line, OPENS, SECOND, line, memory, set};

const EAST: &[(&str, &str)] = &[("shop", "east")];
const WEST: &[(&str, &str)] = &[("shop", "west")];

fn ask(text: &str, source: &dyn LineSource, request: &LinesRequest) -> LinesAnswer {
    let query = LogQuery::parse(text).unwrap();
    query.lines(source, request, &Options::default()).unwrap()
}

fn hour(limit: usize, direction: Direction) -> LinesRequest {
    LinesRequest {
        start: OPENS,
        end: OPENS + 3_600 * SECOND,
        limit,
        direction,
        interval: 0,
    }
}

/// `stream: second text, ...` for each stream.
fn shown(answer: &LinesAnswer) -> Vec<String> {
    let streams = answer.streams.iter().map(|stream| {
        let entries = stream.entries.iter().map(|entry| {
            let second = (entry.time - OPENS) / SECOND;
            format!("{second} {}", entry.line)
        });
        let entries: Vec<String> = entries.collect();
        let shop = stream.labels.as_labels().value("shop").unwrap_or("");
        format!("{shop}: {}", entries.join(", "))
    });
    streams.collect()
}

#[test]
fn the_limit_counts_over_all_streams_from_the_end_that_comes_first() {
    let lines = [
        line(EAST, 1, "a"),
        line(WEST, 2, "b"),
        line(EAST, 3, "c"),
        line(WEST, 3, "d"),
        line(WEST, 3_599, "e"),
        line(EAST, 3_600, "too late"),
    ];
    let source = memory(&lines);
    let all = r#"{shop=~".+"}"#;
    let forward = ask(all, &source, &hour(2, Direction::Forward));
    assert_eq!(shown(&forward), ["east: 1 a", "west: 2 b"]);
    let backward = ask(all, &source, &hour(3, Direction::Backward));
    assert_eq!(shown(&backward), ["east: 3 c", "west: 3599 e, 3 d"]);
    let everything = ask(all, &source, &hour(100, Direction::Backward));
    assert_eq!(everything.entries(), 5);
    assert_eq!(everything.stats.lines_kept, 5);
}

#[test]
fn lines_of_one_time_keep_their_order_and_backward_reverse_it() {
    let texts = ["z", "m", "a", "q"];
    let lines = texts.map(|text| line(EAST, 5, text));
    let source = memory(&lines);
    let forward = ask(r#"{shop="east"}"#, &source, &hour(10, Direction::Forward));
    assert_eq!(shown(&forward), ["east: 5 z, 5 m, 5 a, 5 q"]);
    let backward = ask(r#"{shop="east"}"#, &source, &hour(10, Direction::Backward));
    assert_eq!(shown(&backward), ["east: 5 q, 5 a, 5 m, 5 z"]);
}

#[test]
fn lines_that_have_become_the_same_are_one_and_do_not_use_up_the_limit() {
    let lines = [
        line(EAST, 5, "one"),
        line(EAST, 5, "two"),
        line(WEST, 5, "three"),
        line(EAST, 6, "four"),
    ];
    let source = memory(&lines);
    let text = r#"{shop=~".+"} | line_format "x""#;
    let answer = ask(text, &source, &hour(3, Direction::Forward));
    assert_eq!(shown(&answer), ["east: 5 x, 6 x", "west: 5 x"]);
    let text = r#"{shop=~".+"} | line_format "x" | drop shop"#;
    let answer = ask(text, &source, &hour(10, Direction::Backward));
    assert_eq!(shown(&answer), [": 6 x, 5 x"]);
}

#[test]
fn an_interval_keeps_lines_apart_whatever_their_stream() {
    let seconds = [0, 10, 20, 29, 30, 61, 62];
    let lines: Vec<Line> = seconds
        .iter()
        .map(|second| line(if second % 2 == 0 { EAST } else { WEST }, *second, "x"))
        .collect();
    let source = memory(&lines);
    let apart = |direction| LinesRequest {
        interval: 30 * SECOND,
        ..hour(10, direction)
    };
    let forward = ask(r#"{shop=~".+"}"#, &source, &apart(Direction::Forward));
    assert_eq!(shown(&forward), ["east: 0 x, 30 x", "west: 61 x"]);
    let backward = ask(r#"{shop=~".+"}"#, &source, &apart(Direction::Backward));
    assert_eq!(shown(&backward), ["east: 62 x, 30 x, 0 x"]);
}

#[test]
fn an_interval_begins_anew_at_each_full_hour() {
    let seconds = [0, 3_590, 3_595, 3_600, 3_610, 3_630, 7_199, 7_200];
    let lines = seconds.map(|second| line(EAST, second, "x"));
    let source = memory(&lines);
    let apart = |limit, direction| LinesRequest {
        end: OPENS + 3 * 3_600 * SECOND,
        interval: 30 * SECOND,
        ..hour(limit, direction)
    };
    let all = r#"{shop="east"}"#;
    let forward = ask(all, &source, &apart(10, Direction::Forward));
    let times = "east: 0 x, 3590 x, 3600 x, 3630 x, 7199 x, 7200 x";
    assert_eq!(shown(&forward), [times]);
    let backward = ask(all, &source, &apart(10, Direction::Backward));
    let times = "east: 7200 x, 7199 x, 3630 x, 3600 x, 3595 x, 0 x";
    assert_eq!(shown(&backward), [times]);
    let few = ask(all, &source, &apart(2, Direction::Backward));
    assert_eq!(shown(&few), ["east: 7200 x, 7199 x"]);
}

#[test]
fn labels_are_told_apart_and_together() {
    let mut sale = line(EAST, 1, "price=3 empty= clerk=ann");
    sale.metadata = set(&[("clerk", "bob")]);
    let source = memory(&[sale]);
    let text = r#"{shop="east"} | logfmt price, nosuch, clerk | label_format shop="x""#;
    let answer = ask(text, &source, &hour(10, Direction::Forward));
    let [stream] = &answer.streams[..] else {
        panic!("there is one stream");
    };
    assert_eq!(stream.labels, LabelSet::default());
    let entry = &stream.entries[0];
    let pairs: Vec<_> = entry.metadata.iter().collect();
    assert_eq!(pairs, [("clerk", "bob")]);
    let pairs: Vec<_> = entry.parsed.iter().collect();
    let parsed = [
        ("clerk_extracted", "ann"),
        ("nosuch", ""),
        ("price", "3"),
        ("shop", "x"),
    ];
    assert_eq!(pairs, parsed);
    let merged = answer.merged();
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].labels.len(), 5);
    assert_eq!(merged[0].labels.value("nosuch"), Some(""));
}

/// A source that tells how long the range was that was read.
struct Telling<'a> {
    source: &'a dyn LineSource,
    oldest: std::sync::atomic::AtomicI64,
}

impl LineSource for Telling<'_> {
    fn streams<'s>(&'s self, request: &LineRequest<'_>) -> Result<Vec<Box<dyn LineStream + 's>>> {
        let order = std::sync::atomic::Ordering::Relaxed;
        self.oldest.fetch_min(request.start, order);
        self.source.streams(request)
    }
}

#[test]
fn a_limit_that_is_soon_reached_reads_little() {
    let lines: Vec<Line> = (0..3_600).map(|second| line(EAST, second, "x")).collect();
    let source = memory(&lines);
    let telling = Telling {
        source: &source,
        oldest: i64::MAX.into(),
    };
    let month = LinesRequest {
        start: OPENS - 30 * 24 * 3_600 * SECOND,
        ..hour(10, Direction::Backward)
    };
    let text = r#"{shop="east"}"#;
    let options = Options {
        limits: chronolith_query::logql::Limits {
            length_max: std::time::Duration::ZERO,
            ..Default::default()
        },
        ..Options::default()
    };
    let query = LogQuery::parse(text).unwrap();
    let answer = query.lines(&telling, &month, &options).unwrap();
    assert_eq!(answer.entries(), 10);
    assert!(telling.oldest.into_inner() > OPENS);
    assert!(answer.stats.lines < 100, "{:?}", answer.stats);
}

#[test]
fn an_interval_over_more_lines_than_are_held_at_once_skips_none() {
    let lines: Vec<Line> = (0..200_000)
        .map(|place| Line {
            time: OPENS + place * SECOND / 1_000,
            ..line(EAST, 0, "x")
        })
        .collect();
    let source = memory(&lines);
    for direction in [Direction::Forward, Direction::Backward] {
        let apart = LinesRequest {
            interval: 2 * SECOND,
            ..hour(1_000, direction)
        };
        let answer = ask(r#"{shop="east"}"#, &source, &apart);
        assert_eq!(answer.entries(), 100, "{direction:?}");
        let times = answer.streams[0].entries.windows(2);
        for pair in times.map(|pair| pair[0].time.abs_diff(pair[1].time)) {
            assert_eq!(pair, 2 * SECOND.unsigned_abs(), "{direction:?}");
        }
    }
}
