//! The log mix, until the store is at rest: bytes against what zstd makes of the same lines, core
//! time, and searches.
//!
//! What was written is read back and compared with the generator, which makes the same lines again.

use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Batch, Engine, Selector, Store};

use crate::loads::{Load, Outcome, interval, say, settle};
use crate::logmix::{FORMATS, Format, LogMix, Stream, Turn};
use crate::meter::{Meter, Spent};
use crate::process::{RunDirectory, midnight_before_ms};

mod search;

/// The seed of the lines.
pub(crate) const SEED: u64 = 1;

/// Lines of one stream are compressed in blocks of this size, as a log store would.
const ZSTD_BLOCK_BYTES: usize = 256 << 10;
const ZSTD_LEVEL: i32 = 3;

/// What was sent.
struct Sent {
    start_ns: i64,
    turns: u64,
    lines: u64,
    bytes: u64,
}

/// Appends the given megabytes of lines, and then reads and searches them.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let settings = load.settings;
    let engine = Engine::open(directory.path(), settings.options(interval()))?;
    let store = engine.logs()?;
    let mut meter = Meter::start()?;
    let sent = append(load, &engine, &store, &mut meter)?;
    let appended = meter.stop();
    settle(&store)?;
    let settled = meter.stop();
    say(&describe(load, &store, &sent, &appended, &settled));
    let zstd = compress_and_compare(load, &store, &sent)?;
    say(&zstd.describe(store.stats().block_bytes));
    search::run(&store, sent.bytes, load.rounds)?;
    engine.close()?;
    Ok(())
}

/// Prints the lines instead, for other programs to work on.
pub fn print(load: &Load) -> Outcome {
    let (mut mix, mut turn) = (LogMix::new(SEED, load.streams), Turn::default());
    let mut bytes = 0;
    while bytes < load.megabytes * 1_000_000 {
        mix.advance(&mut turn);
        bytes += turn.size_bytes() as u64;
        turn.iter().for_each(|(_, _, line)| say(line));
    }
    Ok(())
}

fn append(
    load: &Load,
    engine: &Engine,
    store: &Store<Lines>,
    meter: &mut Meter,
) -> Result<Sent, Box<dyn std::error::Error>> {
    let start_ns = midnight_before_ms(1) * 1_000_000;
    let mut mix = LogMix::starting(SEED, load.streams, start_ns);
    let labels: Vec<Vec<u8>> = mix
        .streams()
        .iter()
        .map(|one| one.labels().into())
        .collect();
    let mut turn = Turn::default();
    let mut sent = Sent {
        start_ns,
        turns: 0,
        lines: 0,
        bytes: 0,
    };
    while sent.bytes < load.megabytes * 1_000_000 {
        meter.own(|| mix.advance(&mut turn));
        let mut batch = Batch::<Lines>::new();
        let mut last = None;
        for (stream, time_ns, line) in turn.iter() {
            if last != Some(stream) {
                batch.series(&labels[stream]);
                last = Some(stream);
            }
            batch.entry(Line::new(Nanos(time_ns), line));
        }
        let report = store.append(&batch)?;
        if report.accepted as usize != turn.len() {
            return Err(format!("{:?}", report.refused.first()).into());
        }
        sent.turns += 1;
        sent.lines += turn.len() as u64;
        sent.bytes += turn.size_bytes() as u64;
        meter.note_log(engine.stats().wal_bytes);
    }
    Ok(sent)
}

fn describe(
    load: &Load,
    store: &Store<Lines>,
    sent: &Sent,
    appended: &Spent,
    settled: &Spent,
) -> String {
    let stats = store.stats();
    let rate = |spent: &Spent| sent.bytes as f64 / 1e6 / spent.cpu.as_secs_f64();
    format!(
        "logmix, {} streams, {} lines of {} bytes, {:.0} MB over {:.1} h: {} blocks, {:.1} MB, \
         text to block bytes {:.2} : 1; settled {:.0} MB/CPU-s ({:.1} s of core time, {:.1} s on \
         the wall with {:.1} s of making lines; until the last append {:.0} MB/CPU-s); {:.2} \
         bytes written to blocks for each that is there; VmHWM {} MiB",
        load.streams,
        sent.lines,
        sent.bytes / sent.lines,
        sent.bytes as f64 / 1e6,
        sent.turns as f64 / 3_600.0,
        stats.blocks,
        stats.block_bytes as f64 / 1e6,
        sent.bytes as f64 / stats.block_bytes as f64,
        rate(settled),
        settled.cpu.as_secs_f64(),
        settled.wall.as_secs_f64(),
        settled.own.as_secs_f64(),
        rate(appended),
        settled.block_written_bytes as f64 / stats.block_bytes as f64,
        settled.peak_bytes >> 20,
    )
}

/// What zstd makes of the lines of each format.
#[derive(Default)]
struct Zstd {
    raw: [u64; FORMATS.len()],
    packed: [u64; FORMATS.len()],
}

impl Zstd {
    fn add(&mut self, format: Format, block: &mut Vec<u8>) -> std::io::Result<()> {
        let place = FORMATS.iter().position(|one| *one == format).unwrap_or(0);
        self.raw[place] += block.len() as u64;
        self.packed[place] += zstd::bulk::compress(block, ZSTD_LEVEL)?.len() as u64;
        block.clear();
        Ok(())
    }

    fn describe(&self, block_bytes: u64) -> String {
        let packed: u64 = self.packed.iter().sum();
        let each = FORMATS.iter().zip(self.raw.iter().zip(&self.packed));
        let each: Vec<String> = each
            .map(|(format, (raw, packed))| {
                format!("{format:?} {:.2}", *raw as f64 / *packed as f64)
            })
            .collect();
        format!(
            "  zstd -{ZSTD_LEVEL} of the same lines, stream by stream in blocks of {} KiB: {:.1} \
             MB; blocks of the store take {:.3} of it; zstd's ratios: {}",
            ZSTD_BLOCK_BYTES >> 10,
            packed as f64 / 1e6,
            block_bytes as f64 / packed as f64,
            each.join(", "),
        )
    }
}

/// Makes each stream's lines again, compresses them, and compares them with what the store has.
fn compress_and_compare(
    load: &Load,
    store: &Store<Lines>,
    sent: &Sent,
) -> Result<Zstd, Box<dyn std::error::Error>> {
    let end_ns = sent.start_ns + sent.turns as i64 * crate::logmix::TURN_NS;
    let series = store.snapshot().select(&Selector::new(Vec::new()))?;
    if series.len() != load.streams {
        return Err(format!("{} streams are there", series.len()).into());
    }
    let (mut zstd, mut block, mut line) = (Zstd::default(), Vec::new(), String::new());
    for number in 0..load.streams {
        let mut stream = Stream::starting(SEED, number, sent.start_ns);
        let is_it = |series: &&chronolith_engine::Series<Lines>| {
            series.labels().as_bytes() == stream.labels()
        };
        let found = series.iter().find(is_it).ok_or("a stream is missing")?;
        for run in found.cursor()? {
            let run = run?;
            for (place, time) in run.times().iter().enumerate() {
                line.clear();
                if stream.put_line(&mut line) != *time || run.line(place) != line.as_bytes() {
                    return Err(format!("stream {number} differs at {time}").into());
                }
                block.extend_from_slice(line.as_bytes());
                block.push(b'\n');
                if block.len() >= ZSTD_BLOCK_BYTES {
                    zstd.add(stream.format(), &mut block)?;
                }
            }
        }
        if stream.time_ns() < end_ns {
            return Err(format!("stream {number} ends too early").into());
        }
        zstd.add(stream.format(), &mut block)?;
    }
    Ok(zstd)
}
