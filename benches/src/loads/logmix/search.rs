//! Searches over the sealed mix: needles that are rare, whole or in part, and some for which
//! nothing can be skipped. Beside each, what the same lines cost as plain pages: zstd frames as a
//! freeze writes them, decompressed and searched.

use std::time::Instant;

use chronolith_engine::logs::{LineRun, Lines};
use chronolith_engine::{Selector, Store};

use super::SEED;
use crate::loads::{Outcome, say, spread};
use crate::logmix::Stream;
use crate::process::process_cpu;

/// Lines of a stream before the one that lends its trace id as a needle.
const BEFORE: usize = 1_000;

/// The streams that lend theirs: one of access lines, one of JSON.
const LENDERS: [usize; 2] = [0, 1];

/// Searches are repeated until this much core time was used, so that its clock is fine enough.
const CPU_SECONDS_MIN: f64 = 0.3;

/// So many bytes of lines are kept as plain pages, of this size and level.
const PLAIN_BYTES_MAX: usize = 200_000_000;
const PLAIN_PAGE_BYTES: usize = 240 << 10;
const PLAIN_LEVEL: i32 = 1;

/// Searches for each needle and reports.
pub fn run(store: &Store<Lines>, bytes: u64, rounds: usize) -> Outcome {
    let ids: Vec<String> = LENDERS.iter().map(|number| trace_id(*number)).collect();
    let quoted = format!("\"{}\"", ids[1]);
    let needles = [
        ("rare, a whole token", &*ids[0]),
        ("rare, a whole token and its quotes", &*quoted),
        ("rare, a part of a token", &ids[1][5..21]),
        ("not there, a part of a token", "qzxqzxqz"),
        ("nothing to skip, not there", "x7q9z"),
        ("nothing to skip, digits", "9417"),
        ("nothing to skip, a value and its border", "=503 "),
        ("nothing to skip, in one line of many", "GET /healthz"),
        ("nothing to skip, in nearly every line", "0"),
    ];
    let plain = Plain::of(store)?;
    for (what, needle) in needles {
        let gigabytes = bytes as f64 / 1e9;
        let (mut walls, mut cpus, mut hits) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            let (begun, cpu) = (Instant::now(), process_cpu().unwrap_or_default());
            let mut times = 0.0;
            loop {
                hits = search(store, needle)?;
                times += 1.0;
                let used = process_cpu().unwrap_or_default() - cpu;
                if used.as_secs_f64() > CPU_SECONDS_MIN {
                    cpus.push(used.as_secs_f64() / times);
                    walls.push(begun.elapsed().as_secs_f64() / times);
                    break;
                }
            }
        }
        let ((cpu, least, most), (wall, ..)) = (spread(&mut cpus), spread(&mut walls));
        say(&format!(
            "  search, {what}: {:.1} CPU-ms a GB ({:.1} to {:.1}), {:.2} GB/CPU-s, {:.2} GB/s on \
             the wall; {hits} lines; plain pages {:.2} GB/CPU-s",
            cpu * 1e3 / gigabytes,
            least * 1e3 / gigabytes,
            most * 1e3 / gigabytes,
            gigabytes / cpu,
            gigabytes / wall,
            plain.search(needle, rounds)?,
        ));
    }
    Ok(())
}

/// Some of the lines as pages that are no more than compressed.
struct Plain {
    pages: Vec<Vec<u8>>,
    bytes: u64,
}

impl Plain {
    fn of(store: &Store<Lines>) -> Result<Plain, Box<dyn std::error::Error>> {
        let mut plain = Plain {
            pages: Vec::new(),
            bytes: 0,
        };
        let mut page = Vec::new();
        // A part of each stream, so that all sorts of lines are there.
        let series = store.snapshot().select(&Selector::new(Vec::new()))?;
        let each = PLAIN_BYTES_MAX / series.len().max(1);
        for series in &series {
            let mut left = each;
            for run in series.cursor()? {
                let run = run?;
                for line in (0..run.len()).map(|place| run.line(place)) {
                    page.extend_from_slice(line);
                    left = left.saturating_sub(line.len());
                    if page.len() >= PLAIN_PAGE_BYTES {
                        plain.close(&mut page)?;
                    }
                }
                if left == 0 {
                    break;
                }
            }
            plain.close(&mut page)?;
        }
        Ok(plain)
    }

    fn close(&mut self, page: &mut Vec<u8>) -> std::io::Result<()> {
        self.bytes += page.len() as u64;
        self.pages.push(zstd::bulk::compress(page, PLAIN_LEVEL)?);
        page.clear();
        Ok(())
    }

    /// Gigabytes of lines in a second of core time.
    fn search(&self, needle: &str, rounds: usize) -> Result<f64, Box<dyn std::error::Error>> {
        let mut zstd = zstd::bulk::Decompressor::new()?;
        let (finder, mut page) = (memchr::memmem::Finder::new(needle), Vec::new());
        page.resize(2 * PLAIN_PAGE_BYTES, 0);
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let (cpu, mut hits) = (process_cpu().unwrap_or_default(), 0usize);
            for packed in &self.pages {
                let length = zstd.decompress_to_buffer(packed, &mut page[..])?;
                hits += finder.find_iter(&page[..length]).count();
            }
            std::hint::black_box(hits);
            let used = process_cpu().unwrap_or_default() - cpu;
            rates.push(self.bytes as f64 / 1e9 / used.as_secs_f64());
        }
        Ok(spread(&mut rates).0)
    }
}

/// The trace id of a line in the middle of a stream.
fn trace_id(number: usize) -> String {
    let (mut stream, mut line) = (Stream::new(SEED, number), String::new());
    for _ in 0..BEFORE {
        line.clear();
        stream.put_line(&mut line);
    }
    let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut words = line.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.rfind(is_id).unwrap_or("no line has it").to_owned()
}

/// How many lines have the needle.
fn search(store: &Store<Lines>, needle: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let selector = Selector::new(Vec::new()).containing(needle);
    let finder = memchr::memmem::Finder::new(needle);
    let mut hits = 0;
    for series in store.snapshot().select(&selector)? {
        for run in series.cursor()? {
            hits += count(&run?, &finder);
        }
    }
    Ok(hits)
}

/// Lines of a run with the needle: the text is searched as a whole, and a hit leads to its line.
fn count(run: &LineRun, finder: &memchr::memmem::Finder<'_>) -> u64 {
    let (text, ends) = (run.text(), run.text_ends());
    let (mut from, mut line, mut hits) = (0, 0, 0);
    while let Some(at) = finder.find(&text[from..]) {
        let at = from + at;
        line += ends[line..].partition_point(|end| *end as usize <= at);
        let Some(end) = ends.get(line) else { break };
        // Texts stand one behind the other: a hit over the border of two lines is none.
        if at + finder.needle().len() <= *end as usize {
            hits += 1;
            from = *end as usize;
        } else {
            from = at + 1;
        }
    }
    hits
}
