//! Size and speed of sealed logs: the codec by itself, then a store that is filled, frozen, merged
//! and searched. Everything runs in one thread, and times are its own core time.
//!
//! `cargo bench -p chronolith-engine --features testing --bench lines`; `CHRONOLITH_BENCH_MB` sets
//! another size than 100 MB.

mod generator;

use std::io::Write;
use std::path::Path;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::testing::TextCodec;
use chronolith_engine::time::Nanos;
use chronolith_engine::{Batch, Durability, Engine, Options, Selector, Store, Wanted};
use generator::{MAKES, Random, line};

/// As a compaction makes its chunks.
const STRIP_BYTES: usize = 480 << 10;
const BASE_BYTES: usize = 256 << 10;
const BASE_LEVEL: i32 = 3;

const START_NS: i64 = 1_750_000_000_000_000_000;
const STREAMS: u64 = 20;
const FREEZES: usize = 4;

/// The make of short streams and needles, and the length of its lines.
const LOGFMT: usize = 1;
const LOGFMT_BYTES: usize = 304;

/// Core time of this thread in seconds, as the system's scheduler counts it.
fn core_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().next().unwrap_or_default();
    nanos.parse().unwrap_or(f64::NAN) / 1e9
}

fn timed<R>(spent: &mut f64, work: impl FnOnce() -> R) -> R {
    let begun = core_seconds();
    let result = work();
    *spent += core_seconds() - begun;
    result
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// The lines of one stream with their times.
struct Stream {
    make: usize,
    text: Vec<u8>,
    ends: Vec<usize>,
    times: Vec<i64>,
}

impl Stream {
    fn new(make: usize, number: u64, bytes: usize) -> Self {
        let mut random = Random::new(number);
        let mut stream = Stream {
            make,
            text: Vec::new(),
            ends: Vec::new(),
            times: Vec::new(),
        };
        let (mut at, mut text) = (START_NS + number as i64, String::new());
        while stream.text.len() < bytes {
            at += random.below(40_000_000) as i64;
            line(make, number, at, &mut random, &mut text);
            stream.text.extend_from_slice(text.as_bytes());
            stream.ends.push(stream.text.len());
            stream.times.push(at);
        }
        stream
    }

    fn line(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    /// What zstd makes of it, in blocks of 256 KiB.
    fn base_bytes(&self) -> usize {
        let mut frames = zstd::bulk::Compressor::new(BASE_LEVEL).expect("a level that exists");
        let packed = self.text.chunks(BASE_BYTES).map(|block| {
            let packed = frames.compress(block).expect("memory for a block");
            packed.len()
        });
        packed.sum()
    }
}

/// Sums over strips.
#[derive(Default)]
struct Tally {
    raw: f64,
    base: f64,
    packed: f64,
    filter: f64,
    pack_seconds: f64,
    unpack_seconds: f64,
    frame_seconds: f64,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.raw += other.raw;
        self.base += other.base;
        self.packed += other.packed;
        self.filter += other.filter;
        self.pack_seconds += other.pack_seconds;
        self.unpack_seconds += other.unpack_seconds;
        self.frame_seconds += other.frame_seconds;
    }

    fn say(&self, name: &str) {
        let rate = |seconds: f64| self.raw / 1e6 / seconds;
        say(&format!(
            "{name}: {:.2} : 1, filters {:.1} % of it, {:.3} of zstd {BASE_LEVEL}; \
             pack {:.0} MB/s, unpack {:.0}, zstd 1 unpacks {:.0}",
            self.raw / (self.packed + self.filter),
            100.0 * self.filter / (self.packed + self.filter),
            (self.packed + self.filter) / self.base,
            rate(self.pack_seconds),
            rate(self.unpack_seconds),
            rate(self.frame_seconds),
        ));
    }
}

const REPEATS: usize = 8;

fn codec(stream: &Stream, codec: &mut TextCodec) -> Tally {
    let mut tally = Tally {
        raw: stream.text.len() as f64,
        base: stream.base_bytes() as f64,
        ..Tally::default()
    };
    let mut from = 0;
    while from < stream.ends.len() {
        let before = stream.ends[from] - stream.line(from).len();
        let fitting = stream.ends[from..].partition_point(|end| end - before <= STRIP_BYTES);
        let lines: Vec<&[u8]> = (from..from + fitting).map(|at| stream.line(at)).collect();
        from += fitting;
        let strip = TextCodec::strip(&lines);
        let packed = timed(&mut tally.pack_seconds, || codec.pack(&strip));
        let (packed, filter) = packed.expect("a strip that was just made");
        tally.packed += packed.len() as f64;
        tally.filter += filter.len() as f64;
        let mut back = vec![0; strip.len()];
        let mut unpack = || (0..REPEATS).try_for_each(|_| codec.unpack(&packed, &mut back));
        timed(&mut tally.unpack_seconds, &mut unpack).expect("what was just packed");
        assert!(back == strip, "another strip came back");
        for block in strip.chunks(BASE_BYTES) {
            let frame = zstd::bulk::compress(block, 1).expect("memory for a block");
            let mut frames = zstd::bulk::Decompressor::new().expect("memory for a decompressor");
            let mut read = || frames.decompress_to_buffer(&frame, &mut back[..block.len()]);
            let mut all = || (0..REPEATS).try_for_each(|_| read().map(|_| ()));
            timed(&mut tally.frame_seconds, &mut all).expect("what was just packed");
        }
    }
    tally.unpack_seconds /= REPEATS as f64;
    tally.frame_seconds /= REPEATS as f64;
    tally
}

/// Appends the part of all streams between two shares of them, a thousand lines a batch.
fn append(store: &Store<Lines>, streams: &[Stream], labels: &[LabelSet], share: (usize, usize)) {
    for (stream, labels) in streams.iter().zip(labels) {
        let count = stream.ends.len();
        let lines: Vec<usize> = (count * share.0 / FREEZES..count * share.1 / FREEZES).collect();
        for lines in lines.chunks(1000) {
            let mut batch = Batch::<Lines>::new();
            batch.series(labels.as_labels().as_bytes());
            for index in lines {
                let text = std::str::from_utf8(stream.line(*index)).expect("the lines are text");
                batch.entry(Line::new(Nanos(stream.times[*index]), text));
            }
            let report = store.append(&batch).expect("an append to a fresh store");
            assert_eq!(report.accepted as usize, lines.len());
        }
    }
}

/// Core time of reading what may contain a needle, in milliseconds per GB of lines.
fn search(store: &Store<Lines>, raw: f64, name: &str, needle: &str) {
    let (mut spent, mut hits, mut read) = (0.0, 0, 0);
    let rounds = 5u32;
    for _ in 0..rounds {
        timed(&mut spent, || {
            let selector = Selector::new(Vec::new()).containing(needle);
            let found = store.snapshot().select(&selector).expect("intact blocks");
            for series in found {
                for run in series.cursor().expect("intact blocks") {
                    let run = run.expect("an intact chunk");
                    read += run.text().len();
                    hits += memchr::memmem::find_iter(run.text(), needle.as_bytes()).count();
                }
            }
        });
    }
    let spent = spent / f64::from(rounds);
    say(&format!(
        "search, {name}: {:.1} core ms per GB ({:.2} GB/s), {} hits, {:.2} % read",
        spent * 1e3 / (raw / 1e9),
        raw / 1e9 / spent,
        hits / rounds as usize,
        100.0 * read as f64 / f64::from(rounds) / raw,
    ));
}

fn store(streams: &[Stream], directory: &Path) {
    let options = Options {
        durability: Durability::Never,
        head_bytes_max: 8 << 30,
        wal_bytes_max: 8 << 30,
        compaction_percent: 0,
        cache_bytes_max: 0,
        ..Options::default()
    };
    let engine = Engine::open(directory, options).expect("a fresh directory");
    let store = engine.logs().expect("a fresh store");
    let labels: Vec<LabelSet> = (0..streams.len())
        .map(|number| LabelSet::from_pairs([("stream", number.to_string().as_str())]))
        .collect::<Result<_, _>>()
        .expect("one label");
    let (mut appending, mut freezing, mut merging) = (0.0, 0.0, 0.0);
    for part in 0..FREEZES {
        timed(&mut appending, || {
            append(&store, streams, &labels, (part, part + 1));
        });
        timed(&mut freezing, || store.freeze()).expect("a freeze");
    }
    let frozen = store.stats().block_bytes;
    timed(&mut merging, || store.compact()).expect("a compaction");
    let raw: usize = streams.iter().map(|stream| stream.text.len()).sum();
    let base: usize = streams.iter().map(Stream::base_bytes).sum();
    let (raw, size) = (raw as f64, store.stats().block_bytes as f64);
    let rate = |seconds: f64| raw / 1e6 / seconds;
    say(&format!(
        "store: {:.2} : 1, {:.3} of zstd {BASE_LEVEL} (frozen {:.3}); \
         append {:.0} MB/s, freeze {:.0}, compaction {:.0}, \
         together {:.0} MB of lines a core second; {} blocks",
        raw / size,
        size / base as f64,
        frozen as f64 / base as f64,
        rate(appending),
        rate(freezing),
        rate(merging),
        rate(appending + freezing + merging),
        store.stats().blocks,
    ));
    let sample = streams.iter().find(|stream| stream.make == LOGFMT);
    let sample = sample.expect("a stream of logfmt");
    let text = String::from_utf8_lossy(sample.line(sample.ends.len() / 2)).into_owned();
    let at = text.find("trace_id=").expect("lines of logfmt have one") + 9;
    search(&store, raw, "a whole id", &text[at - 9..at + 33]);
    search(
        &store,
        raw,
        "twelve digits of an id",
        &text[at + 7..at + 19],
    );
    search(
        &store,
        raw,
        "sixteen digits of an id",
        &text[at + 7..at + 23],
    );
    search(&store, raw, "a missing word", " unreachable ");
    search(&store, raw, "a part of a missing word", "nreachabl");
    search(&store, raw, "everywhere", "e");
    let mut spent = 0.0;
    let selector = Selector::new(Vec::new()).wanting(Wanted::Times);
    let lines: usize = timed(&mut spent, || {
        let found = store.snapshot().select(&selector).expect("intact blocks");
        let runs = found
            .iter()
            .flat_map(|series| series.read().expect("intact"));
        runs.map(|run| run.len()).sum()
    });
    say(&format!(
        "count: {lines} lines, {:.1} ns a line",
        spent * 1e9 / lines as f64
    ));
    engine.close().expect("an engine that works");
}

/// Bytes of a hundred thousand streams of twenty lines, but a tenth of them.
fn short_streams(directory: &Path) {
    let options = Options {
        durability: Durability::Never,
        compaction_percent: 0,
        ..Options::default()
    };
    let engine = Engine::open(directory, options).expect("a fresh directory");
    let store = engine.logs().expect("a fresh store");
    let streams: Vec<Stream> = (0..10_000)
        .map(|number| Stream::new(LOGFMT, number, LOGFMT_BYTES * 20))
        .collect();
    let labels: Vec<LabelSet> = (0..streams.len())
        .map(|number| LabelSet::from_pairs([("stream", number.to_string().as_str())]))
        .collect::<Result<_, _>>()
        .expect("one label");
    for part in 0..FREEZES {
        append(&store, &streams, &labels, (part, part + 1));
        store.freeze().expect("a freeze");
    }
    let frozen = store.stats();
    store.compact().expect("a compaction");
    let stats = store.stats();
    let raw: usize = streams.iter().map(|stream| stream.text.len()).sum();
    say(&format!(
        "{} short streams: {} lines, {:.1} bytes a line ({:.1} in {} frozen blocks), {:.2} : 1",
        streams.len(),
        stats.block_entries,
        stats.block_bytes as f64 / stats.block_entries as f64,
        frozen.block_bytes as f64 / frozen.block_entries as f64,
        frozen.blocks,
        raw as f64 / stats.block_bytes as f64,
    ));
    engine.close().expect("an engine that works");
}

fn main() {
    let wanted = std::env::var("CHRONOLITH_BENCH_MB").ok();
    let megabytes: usize = wanted.and_then(|mb| mb.parse().ok()).unwrap_or(100);
    let each = megabytes * 1_000_000 / STREAMS as usize;
    let streams: Vec<Stream> = (0..STREAMS)
        .map(|number| Stream::new(number as usize % MAKES.len(), number, each))
        .collect();
    let mut text_codec = TextCodec::new().expect("memory for compressors");
    let mut all = Tally::default();
    for (make, name) in MAKES.iter().enumerate() {
        let mut tally = Tally::default();
        for stream in streams.iter().filter(|stream| stream.make == make) {
            tally.add(&codec(stream, &mut text_codec));
        }
        tally.say(name);
        all.add(&tally);
    }
    all.say("all");
    let name = format!("chronolith-lines-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&directory);
    store(&streams, &directory);
    let _ = std::fs::remove_dir_all(&directory);
    short_streams(&directory);
    let _ = std::fs::remove_dir_all(&directory);
}
