//! Damage on disk: said clearly, kept to what it touches, and never a wrong answer.

use std::io::Write;
use std::path::{Path, PathBuf};

use chronolith_engine::logs::Line;
use chronolith_engine::metrics::Samples;
use chronolith_engine::time::Nanos;
use chronolith_engine::{Engine, ErrorKind, Options, Snapshot};
use chronolith_tests::Random;

use super::bed::{
    AHEAD_MS, Folder, Point, all, append_lines, bits, logged, numbered, options, point_of, points,
    put, set,
};

const SERIES: usize = 40;
const SAMPLES: i64 = 50;

fn value(number: usize, time: i64) -> f64 {
    number as f64 * 1000.0 + time as f64 + 0.5
}

/// Two blocks and a log, closed.
fn closed_store() -> Folder {
    let folder = Folder::new();
    let small = Options {
        wal_bytes_max: 512 << 10,
        ..options()
    };
    let engine = folder.open_with(small);
    let metrics = engine.metrics().unwrap();
    for part in 0..3 {
        for time in 0..SAMPLES {
            for number in 0..SERIES {
                let time = part * SAMPLES + time;
                put(
                    &metrics,
                    &numbered(number),
                    AHEAD_MS + time,
                    value(number, time),
                );
            }
        }
        if part < 2 {
            metrics.freeze().unwrap();
        }
    }
    engine.close().unwrap();
    folder
}

fn flip(path: &Path, at: usize, mask: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= mask;
    std::fs::write(path, bytes).unwrap();
}

/// Reads what can be read, checks that every sample is one that was written, and counts samples and
/// errors.
fn read_what_is_left(snapshot: &Snapshot<Samples>) -> (usize, usize) {
    let series = match snapshot.select(&all()) {
        Ok(series) => series,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.path().is_some(), "{error}");
            return (0, 1);
        }
    };
    let (mut count, mut errors) = (0, 0);
    for series in series {
        let number: usize = series.labels().value("n").unwrap().parse().unwrap();
        assert_eq!(series.labels(), numbered(number).as_labels());
        let runs = match series.cursor() {
            Ok(cursor) => cursor.collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        };
        for run in runs {
            let run = match run {
                Ok(run) => run,
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io),
                        "{error:?}"
                    );
                    errors += 1;
                    continue;
                }
            };
            for index in 0..run.len() {
                let point: Point = point_of(&run.sample(index));
                let wanted = value(number, point.0 - AHEAD_MS);
                assert_eq!(point.2, bits(wanted), "series {number} at {}", point.0);
                count += 1;
            }
        }
    }
    (count, errors)
}

const ALL: usize = 3 * SERIES * SAMPLES as usize;

/// Opens a damaged store: either that fails and says what is wrong, or what is left is right, and
/// what is missing was reported.
fn check_damaged(folder: &Folder, what: &str) {
    let engine = match Engine::open(folder.path(), options()) {
        Ok(engine) => engine,
        Err(error) => {
            let fitting = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
            assert!(fitting && error.path().is_some(), "{what}: {error:?}");
            return;
        }
    };
    let metrics = engine.metrics().unwrap();
    let (count, errors) = read_what_is_left(&metrics.snapshot());
    let reported = errors + engine.damage().len() + metrics.damage().len();
    assert!(
        count == ALL || reported > 0,
        "{what}: {count} of {ALL} and no damage reported"
    );
    assert!(count <= ALL, "{what}: {count} of {ALL} samples");
    // It goes on taking samples.
    put(&metrics, &set(&[("after", "damage")]), AHEAD_MS, 1.0);
    engine.close().unwrap();
    let engine = Engine::open(folder.path(), options()).unwrap();
    let after = super::bed::equal("after", "damage");
    match engine.metrics().unwrap().snapshot().select(&after) {
        Ok(series) => assert_eq!(series.len(), 1, "{what}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}"),
    }
}

fn copy_all(from: &Folder) -> Folder {
    let to = Folder::new();
    for path in from.files("") {
        let target = to.path().join(path.strip_prefix(from.path()).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, &target).unwrap();
    }
    to
}

/// Flips bytes of files with this ending, in copies of one store.
fn flip_and_check(ending: &str, count: usize, seed: u64) {
    let sound = closed_store();
    let files = sound.files(ending);
    assert!(!files.is_empty(), "no file ends with {ending}");
    let mut random = Random::new(seed);
    for _ in 0..count {
        let folder = copy_all(&sound);
        let file = random.below(files.len());
        let path = folder.files(ending)[file].clone();
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        let (at, mask) = (random.below(length), 1 << random.below(8));
        flip(&path, at, mask);
        let name = path.file_name().unwrap().display();
        check_damaged(
            &folder,
            &format!("seed {seed}: {name} at {at} of {length} by {mask}"),
        );
    }
}

#[test]
fn the_sound_store_reads_back_whole() {
    let folder = closed_store();
    let engine = folder.open();
    assert_eq!(
        read_what_is_left(&engine.metrics().unwrap().snapshot()),
        (ALL, 0)
    );
    assert!(engine.damage().is_empty());
}

#[test]
fn a_flipped_byte_in_a_block_spares_the_rest() {
    flip_and_check(".blk", 60, 1);
}

#[test]
fn a_flipped_byte_in_the_log_spares_the_rest() {
    flip_and_check(".wal", 40, 2);
}

/// Two processes number their series alike. Where the second one's definition is damaged, what uses
/// it is lost, and does not turn up in the series that the first one gave the number to.
#[test]
fn a_number_whose_definition_is_damaged_means_nothing() {
    let folder = Folder::new();
    for (process, name) in ["first", "second"].into_iter().enumerate() {
        let engine = folder.open();
        let metrics = engine.metrics().unwrap();
        for time in 0..3 {
            let time = AHEAD_MS + 10 * process as i64 + time;
            put(&metrics, &set(&[("__name__", "m"), ("n", name)]), time, 1.0);
        }
        engine.close().unwrap();
    }
    let logs = folder.files(".wal");
    let with_records = |path: &&PathBuf| std::fs::metadata(path).unwrap().len() > 100;
    let second = logs.iter().filter(with_records).nth(1).unwrap();
    // In the body of its first record.
    flip(second, 100, 1);
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let found = points(&metrics.snapshot(), &all());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].1.len(), 3, "{found:?}");
    assert_eq!(engine.damage().len() + metrics.damage().len(), 3);
}

#[test]
fn a_flipped_byte_in_a_manifest_loses_nothing_silently() {
    flip_and_check(".man", 40, 3);
}

#[test]
fn a_block_cut_short_is_reported_and_the_others_are_served() {
    let sound = closed_store();
    let blocks = sound.files(".blk");
    let length = std::fs::metadata(&blocks[0]).unwrap().len();
    for cut in [0, 1, 40, length / 2, length - 1] {
        let folder = copy_all(&sound);
        let path = folder.files(".blk")[0].clone();
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(cut)
            .unwrap();
        let engine = folder.open();
        let metrics = engine.metrics().unwrap();
        let (count, errors) = read_what_is_left(&metrics.snapshot());
        assert_eq!((count, errors), (ALL / 3 * 2, 0), "cut at {cut}");
        let damage = metrics.damage();
        assert_eq!(damage.len(), 1, "cut at {cut}");
        assert_eq!(damage[0].path(), Some(&*path));
    }
}

#[test]
fn a_missing_block_is_reported_and_the_others_are_served() {
    let folder = closed_store();
    let path = folder.files(".blk")[1].clone();
    std::fs::remove_file(&path).unwrap();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    assert_eq!(read_what_is_left(&metrics.snapshot()), (ALL / 3 * 2, 0));
    assert_eq!(metrics.damage()[0].path(), Some(&*path));
    drop(engine);
    let reader = folder.open_read_only();
    assert_eq!(reader.metrics().unwrap().damage().len(), 1);
}

/// Pages are checked each time they come from the disk, not only when the block is opened.
#[test]
fn pages_overwritten_while_the_block_is_open_are_an_error() {
    let folder = Folder::new();
    let engine = folder.open();
    let logs = engine.logs().unwrap();
    let mut random = Random::new(4);
    let texts: Vec<String> = (0..12_000)
        .map(|_| {
            (0..300)
                .map(|_| char::from(b' ' + (random.draw() % 95) as u8))
                .collect()
        })
        .collect();
    let lines: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(time, text)| Line::new(Nanos(time as i64), text))
        .collect();
    append_lines(&logs, &set(&[("app", "x")]), &lines);
    logs.freeze().unwrap();
    let series = logs.snapshot().select(&all()).unwrap();
    let path = folder.files(".blk")[0].clone();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let half = file.metadata().unwrap().len() / 2;
    file.write_all(&vec![0x55; half as usize]).unwrap();
    let (mut right, mut errors) = (0, 0);
    for run in series[0].cursor().unwrap() {
        match run {
            Ok(run) => right += run.len(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
                assert_eq!(error.path(), Some(&*path));
                errors += 1;
            }
        }
    }
    assert!(
        errors > 0 && right > 0 && right < 12_000,
        "{errors} errors, {right} lines"
    );
}

#[test]
fn a_log_segment_that_is_gone_is_reported() {
    let sound = closed_store();
    let count = sound.files(".wal").len();
    assert!(count >= 3, "{count} segments");
    for gone in 0..count {
        let folder = copy_all(&sound);
        std::fs::remove_file(&folder.files(".wal")[gone]).unwrap();
        let engine = folder.open();
        let metrics = engine.metrics().unwrap();
        let (left, errors) = read_what_is_left(&metrics.snapshot());
        let reported = errors + engine.damage().len() + metrics.damage().len();
        // The newest may have been a segment of which nothing was ever acknowledged.
        let is_newest = gone + 1 == count;
        assert!(
            left == ALL || reported > 0 || is_newest,
            "segment {gone}: {left} of {ALL}"
        );
    }
}

#[test]
fn lines_of_a_damaged_block_are_right_or_absent() {
    let sound = Folder::new();
    let engine = sound.open();
    let logs = engine.logs().unwrap();
    let texts: Vec<String> = (0..3000)
        .map(|number| format!("line number {number}"))
        .collect();
    for (stream, texts) in texts.chunks(100).enumerate() {
        let lines: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(time, text)| {
                let time = chronolith_engine::time::Nanos(time as i64);
                chronolith_engine::logs::Line::new(time, text)
            })
            .collect();
        append_lines(&logs, &numbered(stream), &lines);
    }
    logs.freeze().unwrap();
    let expected = logged(&logs.snapshot(), &all());
    engine.close().unwrap();
    let mut random = Random::new(6);
    let length = std::fs::metadata(&sound.files(".blk")[0]).unwrap().len() as usize;
    for _ in 0..60 {
        let folder = copy_all(&sound);
        let at = random.below(length);
        flip(&folder.files(".blk")[0], at, 1 << random.below(8));
        let engine = folder.open();
        let logs = engine.logs().unwrap();
        let mut errors = logs.damage().len();
        let series = logs.snapshot().select(&all()).unwrap_or_else(|_| {
            errors += 1;
            Vec::new()
        });
        let mut count = 0;
        for series in series {
            let number: usize = series.labels().value("n").unwrap().parse().unwrap();
            let runs = match series.cursor() {
                Ok(cursor) => cursor.collect(),
                Err(error) => vec![Err(error)],
            };
            for run in runs {
                let Ok(run) = run else {
                    errors += 1;
                    continue;
                };
                for index in 0..run.len() {
                    let wanted = &expected[number].1[run.times()[index] as usize].1;
                    assert_eq!(run.line(index), wanted.as_bytes(), "byte {at}");
                    count += 1;
                }
            }
        }
        assert!(
            count == 3000 || errors > 0,
            "byte {at}: {count} lines and no error"
        );
    }
}
