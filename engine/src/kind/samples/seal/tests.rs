//! Chunks of samples in blocks: what compaction writes is what a freeze wrote, in other bytes.

use super::*;
use crate::codec::histogram::{BucketCounts, Counts};
use crate::kind::{Parts, Wanted, samples::Samples};

struct Sealed {
    range: TickRange,
    count: u32,
    encoding: u8,
    strip: Vec<u8>,
    summary: Vec<u8>,
    shared: Vec<u8>,
}

fn sealed(run: &SampleRun, effort: Effort) -> Vec<Sealed> {
    let mut chunks = Vec::new();
    Samples::seal(run, effort, &mut Scratch::default(), &mut |chunk| {
        chunks.push(Sealed {
            range: chunk.range,
            count: chunk.count,
            encoding: chunk.encoding,
            strip: chunk.strips.concat(),
            summary: chunk.summary.to_vec(),
            shared: chunk.shared.to_vec(),
        });
        Ok(())
    })
    .unwrap();
    chunks
}

fn opened(chunk: &Sealed, shown: TickRange) -> Result<SampleRun> {
    opened_for(Wanted::Everything, chunk, shown)
}

fn opened_for(wanted: Wanted, chunk: &Sealed, shown: TickRange) -> Result<SampleRun> {
    Samples::open_chunk(&StoredChunk {
        range: chunk.range,
        count: chunk.count,
        encoding: chunk.encoding,
        wanted,
        shown,
        strip: &|_| Ok(&chunk.strip[..]),
        shared: &|| Ok(&chunk.shared[..]),
    })
}

/// A day of scrapes that jitter, with start times.
fn times() -> Vec<i64> {
    let time = |n: i64| 1_768_435_200_000 + n * 15_000 + n * n % 5;
    (0..5760).map(time).collect()
}

fn floats() -> SampleRun {
    let times = times();
    let value = |n: usize| ((n * 7919) % 100_003) as f64 / 100.0;
    SampleRun {
        starts: Some(
            times
                .iter()
                .map(|time| time / 3_600_000 * 3_600_000)
                .collect(),
        ),
        values: SampleColumn::Floats((0..times.len()).map(value).collect()),
        times,
    }
}

fn histograms() -> SampleRun {
    let times = times();
    let value = |n: usize| {
        let buckets = vec![n as u64, n as u64 * 2];
        Arc::new(Histogram {
            sum: n as f64 / 3.0,
            positive_spans: vec![crate::codec::histogram::Span {
                offset: 1,
                length: 2,
            }],
            counts: Counts::Integer(BucketCounts {
                count: n as u64 * 3,
                zero_count: 0,
                positive: buckets,
                negative: Vec::new(),
            }),
            ..Histogram::default()
        })
    };
    SampleRun {
        starts: None,
        values: SampleColumn::Histograms((0..times.len()).map(value).collect()),
        times,
    }
}

/// The runs of some chunks, one behind the other.
fn joined(chunks: &[Sealed]) -> SampleRun {
    let runs = chunks
        .iter()
        .map(|chunk| opened(chunk, TickRange::ALL).unwrap());
    let whole = runs.reduce(|mut whole, run| {
        (0..run.len()).for_each(|index| whole.push(&run.sample(index)));
        whole
    });
    whole.unwrap()
}

#[test]
fn either_effort_gives_back_what_was_sealed() {
    for run in [floats(), histograms()] {
        for effort in [Effort::Quick, Effort::Best] {
            assert!(joined(&sealed(&run, effort)) == run);
        }
    }
}

#[test]
fn floats_and_histograms_of_one_target_share_their_times() {
    let shared = |run: &SampleRun| -> Vec<Vec<u8>> {
        let chunks = sealed(run, Effort::Best).into_iter();
        chunks.map(|chunk| chunk.shared).collect()
    };
    let (one, mut other) = (shared(&floats()), floats());
    let constant = vec![1.0; other.times.len()];
    other.values = SampleColumn::Floats(constant);
    other.starts = None;
    assert_eq!(one, shared(&other));
    assert!(one.iter().all(|column| column.len() > 100));
    // Histograms are cut more often, and share among themselves.
    assert!(
        shared(&histograms())
            .iter()
            .all(|column| column.len() > 100)
    );
}

#[test]
fn a_narrow_query_reads_a_tile_or_two() {
    let run = floats();
    let chunks = sealed(&run, Effort::Best);
    let at = Ticks(run.times[3000]);
    let chunk = chunks
        .iter()
        .find(|chunk| chunk.range.contains(at))
        .unwrap();
    let part = opened(chunk, TickRange::new(at, at)).unwrap();
    assert!(part.len() <= 256 && chunk.count > 2000);
    let place = part.times.binary_search(&at.0).unwrap();
    assert_eq!(part.sample(place), run.sample(3000));
}

#[test]
fn who_wants_times_gets_them_without_a_look_at_the_values() {
    for run in [floats(), histograms()] {
        for effort in [Effort::Quick, Effort::Best] {
            let mut times = Vec::new();
            for mut chunk in sealed(&run, effort) {
                let whole = opened(&chunk, TickRange::ALL).unwrap();
                // A reader of values would notice.
                chunk.strip.pop();
                assert!(opened(&chunk, TickRange::ALL).is_err());
                let part = opened_for(Wanted::Times, &chunk, TickRange::ALL).unwrap();
                assert_eq!((&part.times, &part.starts), (&whole.times, &whole.starts));
                assert_eq!(part.floats().unwrap().len(), part.len());
                times.extend(part.times);
            }
            assert_eq!(times, run.times);
        }
    }
}

#[test]
fn the_index_says_what_the_values_are() {
    let run = floats();
    let values = run.floats().unwrap();
    let mut next = 0;
    for chunk in sealed(&run, Effort::Best) {
        let said = statistics(chunk.range, chunk.count, chunk.encoding, &chunk.summary);
        let parts = said.unwrap().expect("values that change have statistics");
        assert!(chunk.summary.len() * 20 <= chunk.strip.len());
        for part in parts {
            let entries = next + part.entries.start..next + part.entries.end;
            assert_eq!(part.start, run.times[entries.start]);
            let numbers = part.values.unwrap();
            let most = values[entries.clone()]
                .iter()
                .copied()
                .fold(f64::MIN, f64::max);
            assert_eq!(numbers.greatest, most);
            assert_eq!(numbers.count, entries.len());
        }
        next += chunk.count as usize;
    }
    assert_eq!(next, values.len());
}

#[test]
fn what_a_freeze_wrote_and_what_has_one_value_is_decoded_instead() {
    let mut run = floats();
    let none = |chunks: Vec<Sealed>| {
        let said = |chunk: Sealed| {
            statistics(chunk.range, chunk.count, chunk.encoding, &chunk.summary).unwrap()
        };
        chunks.into_iter().all(|chunk| said(chunk).is_none())
    };
    assert!(none(sealed(&run, Effort::Quick)));
    run.values = SampleColumn::Floats(vec![5.0; run.times.len()]);
    assert!(none(sealed(&run, Effort::Best)));
    assert!(none(sealed(&histograms(), Effort::Best)));
}

#[test]
fn an_encoding_to_come_is_an_error() {
    let mut chunk = sealed(&floats(), Effort::Best).remove(0);
    chunk.encoding = 4;
    assert!(opened(&chunk, TickRange::ALL).is_err());
}
