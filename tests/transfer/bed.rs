//! Data directories with something in them, the program on them, and all that they hold.

use std::path::{Path, PathBuf};

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{
    BucketCounts, Counts, Histogram, ResetHint, STALE_NAN_BITS, Sample, SampleColumn, SampleValue,
    Samples, Span,
};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Engine, Options, Selector};

use crate::http::bed::Folder;

/// 2026-01-15T11:50:00Z: ten minutes before a border of blocks.
pub(crate) const START: i64 = 1_768_477_800_000;

/// Runs the program, and says whether it ended well.
pub(crate) fn ran(arguments: &[&str]) -> bool {
    let arguments = ["chronolith"].iter().chain(arguments);
    let code = chronolith_server::run(arguments.map(|argument| (*argument).into()));
    format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder and a path in it.
pub(crate) fn inside(folder: &Folder, name: &str) -> PathBuf {
    std::fs::create_dir_all(&folder.0).unwrap();
    folder.0.join(name)
}

fn histogram(place: u64) -> Histogram {
    let span = |offset, length| Span { offset, length };
    Histogram {
        schema: 1,
        reset_hint: match place {
            0 => ResetHint::Unknown,
            _ => ResetHint::NotReset,
        },
        zero_threshold: 0.001,
        sum: place as f64 / 3.0,
        positive_spans: vec![span(-1, 2), span(3, 1)],
        counts: Counts::Integer(BucketCounts {
            count: 8 + 3 * place,
            zero_count: 2,
            positive: vec![3 + place, 1 + 2 * place, 2],
            negative: Vec::new(),
        }),
        ..Histogram::default()
    }
}

/// Fills a directory with floats of every sort over three blocks, and histograms.
pub(crate) fn fill_metrics(directory: &Path) {
    let engine = Engine::open(directory, Options::default()).unwrap();
    let names = ["a", "b", "ü \"x\""];
    let sets: Vec<LabelSet> = names
        .iter()
        .map(|host| LabelSet::from_pairs([("__name__", "cpu"), ("host", *host)]).unwrap())
        .collect();
    let latency = LabelSet::from_pairs([("__name__", "latency"), ("job", "api")]).unwrap();
    let histograms: Vec<Histogram> = (0..40).map(histogram).collect();
    let special = [
        f64::NAN,
        f64::INFINITY,
        -0.0,
        f64::from_bits(STALE_NAN_BITS),
    ];
    let mut batch = Batch::<Samples>::new();
    for (number, labels) in sets.iter().enumerate() {
        batch.series(labels.as_labels().as_bytes());
        for place in 0..700i64 {
            let value = match place % 50 {
                rest @ 0..4 => special[rest as usize],
                _ => place as f64 * 0.1 * number as f64,
            };
            let time = Millis(START + place * 15_000 + place % 3);
            batch.entry(Sample::float(time, value));
        }
    }
    batch.series(latency.as_labels().as_bytes());
    for (place, histogram) in histograms.iter().enumerate() {
        batch.entry(Sample {
            time: Millis(START + place as i64 * 1_000),
            start: None,
            value: SampleValue::Histogram(histogram),
        });
    }
    let report = engine.metrics().unwrap().append(&batch).unwrap();
    assert_eq!(report.refused, []);
    engine.close().unwrap();
}

/// Fills a directory with lines, some of them at one time.
pub(crate) fn fill_logs(directory: &Path) {
    let engine = Engine::open(directory, Options::default()).unwrap();
    let stream = |app| LabelSet::from_pairs([("app", app), ("service_name", "shop")]).unwrap();
    let streams = [stream("one"), stream("two")];
    let level = LabelSet::from_pairs([("detected_level", "info"), ("trace", "1")]).unwrap();
    let texts: Vec<String> = (0..60).map(|place| format!("line \"{place}\" ü")).collect();
    let mut batch = Batch::<Lines>::new();
    for stream in &streams {
        batch.series(stream.as_labels().as_bytes());
        for (place, text) in texts.iter().enumerate() {
            batch.entry(Line {
                // Five lines share a time.
                time: Nanos(START * 1_000_000 + place as i64 / 5),
                text,
                metadata: level.as_labels(),
            });
        }
    }
    assert_eq!(engine.logs().unwrap().append(&batch).unwrap().accepted, 120);
    engine.close().unwrap();
}

/// Every sample of a directory as text, bit for bit, in order.
pub(crate) fn metrics(directory: &Path) -> Vec<String> {
    let engine = Engine::open_read_only(directory, Options::default()).unwrap();
    let snapshot = engine.metrics().unwrap().snapshot();
    let mut found = Vec::new();
    for series in snapshot.select(&Selector::new(Vec::new())).unwrap() {
        for run in series.read().unwrap() {
            for (index, time) in run.times().iter().enumerate() {
                let value = match run.values() {
                    SampleColumn::Floats(values) => format!("{:x}", values[index].to_bits()),
                    SampleColumn::Histograms(values) => format!("{:?}", values[index]),
                };
                found.push(format!("{} {time} {value}", series.labels()));
            }
        }
    }
    found.sort();
    found
}

/// Every line of a directory as text, in order.
pub(crate) fn logs(directory: &Path) -> Vec<String> {
    let engine = Engine::open_read_only(directory, Options::default()).unwrap();
    let snapshot = engine.logs().unwrap().snapshot();
    let mut found = Vec::new();
    for series in snapshot.select(&Selector::new(Vec::new())).unwrap() {
        for run in series.read().unwrap() {
            for (index, time) in run.times().iter().enumerate() {
                let line = String::from_utf8_lossy(run.line(index));
                let metadata = run.metadata(index);
                found.push(format!("{} {time} {line} {metadata}", series.labels()));
            }
        }
    }
    found.sort();
    found
}
