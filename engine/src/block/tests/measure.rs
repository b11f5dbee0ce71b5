//! Measurements at a million series: `cargo test --release -- --ignored --nocapture
//! block::tests::measure`.

use std::hint::black_box;
use std::time::Instant;

use super::*;
use crate::index::build::IndexBuilder;
use crate::index::rows::Rows;
use crate::index::sealed::SealedIndex;
use crate::index::select::select;
use crate::index::symbols::{SymbolDirectory, Symbols};

const SERIES: u32 = 1_000_000;

/// Ten labels as a cluster shares them: a hundred metrics, a thousand targets, ten instances of
/// what each counts.
fn cluster() -> Vec<LabelSet> {
    let set = |number: u32| {
        let (metric, target, part) = (number / 10_000, number / 10 % 1_000, number % 10);
        LabelSet::from_pairs([
            ("__name__", format!("service_metric_{metric:03}_total")),
            ("cluster", format!("eu-{}", target % 3)),
            ("container", format!("app-{}", target % 40)),
            (
                "instance",
                format!("10.0.{}.{}:9100", target / 250, target % 250),
            ),
            ("job", format!("job-{}", target % 50)),
            ("method", ["GET", "POST"][part as usize % 2].to_owned()),
            ("namespace", format!("team-{}", target % 25)),
            ("node", format!("node-{:03}", target % 200)),
            (
                "pod",
                format!(
                    "app-{}-{:08x}",
                    target % 40,
                    target.wrapping_mul(2_654_435_761)
                ),
            ),
            ("status", format!("{}", 200 + part)),
        ])
        .unwrap()
    };
    let mut sets: Vec<LabelSet> = (0..SERIES).map(set).collect();
    sets.sort();
    sets
}

/// What this thread has used so far, to some milliseconds: other work on the machine does not
/// count.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn timed<T>(what: &str, runs: u32, mut run: impl FnMut() -> T) -> T {
    let mut best = f64::MAX;
    let mut last = None;
    for _ in 0..runs {
        let start = Instant::now();
        last = Some(black_box(run()));
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{what}: {:.1} us", best * 1e6);
    last.unwrap()
}

fn regex(name: &str, pattern: &str) -> Matcher {
    Matcher::new(MatchOp::Regex, name, pattern).unwrap()
}

#[test]
#[ignore = "a measurement, to be run in release"]
fn a_block_of_a_million_series() {
    let sets = cluster();
    let ids: Vec<SeriesId> = sets.iter().map(|set| set.as_labels().id()).collect();
    let dir = std::env::temp_dir().join(format!("chronolith-measure-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let start = cpu_seconds();
    let mut writer = BlockWriter::create(&Disk, &dir, 1, header(), paging(1, 65_536)).unwrap();
    for (number, (set, id)) in sets.iter().zip(&ids).enumerate() {
        writer.series(*id, set.as_labels()).unwrap();
        let first = START + (number as i64 / 10 % 1_000) * 15;
        writer
            .chunk(ChunkSpec {
                range: TickRange::new(Ticks(first), Ticks(first + 7_185_000)),
                count: 480,
                encoding: 1,
                strips: &[&[number as u8; 60]],
                tokens: &[],
                summary: &[],
            })
            .unwrap();
    }
    println!("pushed: {:.2} s", cpu_seconds() - start);
    let summary = writer.finish().unwrap();
    println!(
        "written and synced: {:.2} s, {} bytes",
        cpu_seconds() - start,
        summary.bytes
    );
    let path = block_path(&dir, 1);
    let open = || BlockReader::open(&Disk, &path, 1, PageCache::new(64 << 20)).unwrap();
    let reader = timed("open", 5, open);
    let mut total = 0;
    for (section, length) in reader.section_lengths() {
        total += length;
        println!(
            "  {}: {:.2} bytes a series",
            section.name(),
            length as f64 / f64::from(SERIES)
        );
    }
    println!(
        "  index: {:.2} bytes a series",
        total as f64 / f64::from(SERIES)
    );
    let three = [
        Matcher::new(MatchOp::Equal, "__name__", "service_metric_042_total").unwrap(),
        Matcher::new(MatchOp::Equal, "job", "job-7").unwrap(),
        regex("pod", "app-7-.*"),
    ];
    timed("first select, with checksums", 1, || {
        reader.select(&three).unwrap()
    });
    let found = timed("three matchers", 50, || reader.select(&three).unwrap());
    println!("  {} series", found.len());
    timed("job!=, status=~", 50, || {
        let status = regex("status", "20[0-4]");
        reader
            .select(&[
                Matcher::new(MatchOp::NotEqual, "job", "job-7").unwrap(),
                status,
            ])
            .unwrap()
    });
    let some: roaring::RoaringBitmap = (0..SERIES).step_by(97).collect();
    timed("labels of 10,310 series one by one", 5, || {
        let mut bytes = Vec::new();
        for ordinal in &some {
            bytes.clear();
            reader.labels(ordinal, &mut bytes).unwrap();
        }
    });
    let all: roaring::RoaringBitmap = (0..100_000).collect();
    timed("labels of 100,000 neighbours", 5, || {
        reader
            .for_each_labels(&all, |_, _| Ok(ControlFlow::Continue(())))
            .unwrap();
    });
    timed("chunks of 10,310 series", 5, || {
        let mut metas = Vec::new();
        some.iter()
            .for_each(|ordinal| reader.chunks(ordinal, &mut metas).unwrap());
    });
    timed("ordinals of 10,000 ids", 5, || {
        ids[..10_000]
            .iter()
            .for_each(|id| assert!(reader.ordinal_of(*id).unwrap().is_some()));
    });
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "a measurement, to be run in release"]
fn a_label_of_a_million_values() {
    let set = |number: u32| {
        let hash = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let pod = format!(
            "service-{}-{:010x}-{:05x}",
            number % 400,
            hash >> 24,
            hash & 0xf_ffff
        );
        LabelSet::from_pairs([("job", format!("job-{}", number % 100)), ("pod", pod)]).unwrap()
    };
    let mut sets: Vec<LabelSet> = (0..SERIES).map(set).collect();
    sets.sort();
    let sections = timed("build", 1, || {
        let mut builder = IndexBuilder::new();
        sets.iter()
            .for_each(|set| builder.push(set.as_labels()).unwrap());
        builder.finish().unwrap()
    });
    let per = |bytes: &[u8]| bytes.len() as f64 / f64::from(SERIES);
    println!(
        "symbols {:.1}, postings {:.1}",
        per(&sections.symbols),
        per(&sections.postings)
    );
    println!("rows {:.1} bytes a series", per(&sections.rows));
    let directory = SymbolDirectory::read(&sections.symbols).unwrap();
    let index = SealedIndex {
        symbols: Symbols::new(&sections.symbols, &directory),
        postings: &sections.postings,
        rows: Some(Rows::read(&sections.rows).unwrap()),
        series_count: SERIES,
    };
    let eight: Vec<String> = sets[..8]
        .iter()
        .map(|set| set.as_labels().value("pod").unwrap().into())
        .collect();
    let patterns = [
        "service-7-.*",
        "service-.*",
        ".*-abc.*",
        ".*e-3.*",
        ".*nothere.*",
        ".+",
        &eight.join("|"),
        "service-(7|8|9)-.*a",
        ".*[0-9]abc[0-9].*",
        "(?i).*ABC.*",
    ];
    for pattern in patterns {
        let matcher = [regex("pod", pattern)];
        let found = timed(&pattern[..pattern.len().min(30)], 5, || {
            select(&index, &matcher).unwrap()
        });
        let shape = format!("{:?}", matcher[0].shape());
        println!(
            "  {} series, {}",
            found.len(),
            &shape[..shape.len().min(40)]
        );
    }
    let both = [
        Matcher::new(MatchOp::Equal, "job", "job-7").unwrap(),
        regex("pod", ".*-abc.*"),
    ];
    let found = timed("job= and .*-abc.*", 5, || select(&index, &both).unwrap());
    println!("  {} series", found.len());
    let pod = sets[77].as_labels().value("pod").unwrap();
    let equal = [Matcher::new(MatchOp::Equal, "pod", pod).unwrap()];
    timed("pod=", 50, || select(&index, &equal).unwrap());
}
