//! Lines with and without metadata, of any length and script, byte for byte.

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::logs::{Line, LineRun};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Deletion, Limits, Refusal, Wanted};
use chronolith_tests::Random;

use super::bed::{
    AHEAD_MS, Folder, Logged, MS, PAST_MS, all, append_lines, at_every_stage, logged, offer_line,
    put_line, set, texts, with_limits,
};

fn shown(line: &Line<'_>) -> Logged {
    (line.time.0, line.text.to_owned(), line.metadata.to_string())
}

fn odd_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\n",
        "\0",
        "plain",
        "schlüssel 鍵 🔒 \u{202e}umgekehrt",
        "tab\tand\rreturn\nand newline",
        "{\"json\": [1, 2, 3]}",
        "\u{feff}bom",
        "a",
    ]
    .map(str::to_owned)
    .into();
    let mut random = Random::new(5);
    for length in [1, 100, 4_000, 70_000, 200_000, 256 << 10] {
        texts.push("x".repeat(length));
        let mixed = (0..length).map(|_| char::from(b' ' + (random.draw() % 95) as u8));
        texts.push(mixed.collect());
    }
    texts
}

#[test]
fn lines_of_every_sort_read_back_at_every_stage() {
    let folder = Folder::new();
    let texts = odd_texts();
    let metadata = [
        LabelSet::default(),
        set(&[("trace_id", "00f067aa0ba902b7")]),
        set(&[("größe", "ü"), ("a", "\n"), ("z", &"v".repeat(3000))]),
    ];
    let lines: Vec<Line<'_>> = (0..texts.len() * metadata.len())
        .map(|index| Line {
            time: Nanos(PAST_MS * MS + index as i64),
            text: &texts[index % texts.len()],
            metadata: metadata[index % metadata.len()].as_labels(),
        })
        .collect();
    let expected: Vec<Logged> = lines.iter().map(shown).collect();
    at_every_stage(
        &folder,
        |engine| {
            let report = append_lines(&engine.logs().unwrap(), &set(&[("app", "x")]), &lines);
            assert_eq!(
                (report.accepted, &report.refused[..]),
                (lines.len() as u64, &[][..])
            );
        },
        |stage, engine| {
            let found = logged(&engine.logs().unwrap().snapshot(), &all());
            assert_eq!(found.len(), 1, "{stage}");
            assert!(found[0].1 == expected, "{stage}");
        },
    );
}

#[test]
fn many_small_streams_read_back_at_every_stage() {
    let folder = Folder::new();
    let streams: Vec<LabelSet> = (0..700)
        .map(|number| set(&[("stream", &format!("{number:04}"))]))
        .collect();
    let text = |stream: usize, line: i64| format!("stream {stream} says {line}");
    at_every_stage(
        &folder,
        |engine| {
            let logs = engine.logs().unwrap();
            for line in 0..5 {
                for (number, stream) in streams.iter().enumerate() {
                    let time = AHEAD_MS * MS + line;
                    put_line(&logs, stream, time, &text(number, line));
                }
            }
        },
        |stage, engine| {
            let found = logged(&engine.logs().unwrap().snapshot(), &all());
            assert_eq!(found.len(), streams.len(), "{stage}");
            for (number, (labels, lines)) in found.iter().enumerate() {
                assert_eq!(*labels, streams[number].as_labels().to_string());
                let found: Vec<&str> = lines.iter().map(|(_, text, _)| &**text).collect();
                let wanted: Vec<String> = (0..5).map(|line| text(number, line)).collect();
                assert_eq!(found, wanted, "{stage}");
            }
        },
    );
}

#[test]
fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.line_bytes_max = 1 << 20));
    let logs = engine.logs().unwrap();
    let stream = set(&[("app", "x")]);
    let longest = "y".repeat(1 << 20);
    assert_eq!(offer_line(&logs, &stream, 1, &longest), Ok(()));
    let longer = format!("{longest}y");
    let Err(Refusal::Entry(text)) = offer_line(&logs, &stream, 2, &longer) else {
        panic!("a line over the limit was taken");
    };
    assert_eq!(
        text,
        "line has 1048577 bytes, limits.line_bytes_max is 1048576"
    );
    logs.freeze().unwrap();
    assert!(texts(&logs) == [longest]);
}

#[test]
fn the_longest_possible_line_and_metadata_read_back() {
    let folder = Folder::new();
    let options = with_limits(|limits| {
        *limits = Limits {
            line_bytes_max: 16 << 20,
            metadata_bytes_max: 1 << 20,
            future_max: limits.future_max,
            ..Limits::default()
        }
    });
    let metadata = set(&[("m", &"w".repeat((1 << 20) - 8))]);
    let text = "z".repeat(16 << 20);
    let line = Line {
        time: Nanos(7),
        text: &text,
        metadata: metadata.as_labels(),
    };
    let check = |engine: &chronolith_engine::Engine| {
        let found = logged(&engine.logs().unwrap().snapshot(), &all());
        assert!(found[0].1[..] == [shown(&line)]);
    };
    let engine = folder.open_with(options.clone());
    let logs = engine.logs().unwrap();
    assert_eq!(
        append_lines(&logs, &set(&[("app", "x")]), &[line]).refused,
        []
    );
    check(&engine);
    engine.close().unwrap();
    let engine = folder.open_with(options.clone());
    check(&engine);
    engine.logs().unwrap().freeze().unwrap();
    engine.close().unwrap();
    check(&folder.open_with(options));
}

#[test]
fn metadata_may_be_as_long_as_the_limit_and_no_longer() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.metadata_bytes_max = 100));
    let logs = engine.logs().unwrap();
    let stream = set(&[("app", "x")]);
    // Name and value have a length byte each.
    let (fits, exceeds) = (
        set(&[("k", &"v".repeat(97))]),
        set(&[("k", &"v".repeat(98))]),
    );
    let line = |time, metadata: &'_ LabelSet| {
        let line = Line {
            time: Nanos(time),
            text: "t",
            metadata: metadata.as_labels(),
        };
        append_lines(&logs, &stream, &[line])
    };
    assert_eq!(line(1, &fits).accepted, 1);
    let refused = line(2, &exceeds).refused;
    assert_eq!(
        refused[0].why.to_string(),
        "metadata has 101 bytes, limits.metadata_bytes_max is 100"
    );
}

/// Lines with words, ids and numbers; each its own.
fn searched_lines() -> Vec<String> {
    let mut random = Random::new(77);
    (0..6_000)
        .map(|number| {
            let (id, at) = (random.draw(), random.draw());
            let event = ["opened", "closed", "timed out"][number % 3];
            format!(
                "conn={id:016x}{at:016x} {event} from 10.{}.{}.{} order={} took {}.{:03}ms",
                id & 255,
                at & 255,
                id >> 8 & 255,
                10_000_000 + at % 80_000_000,
                at % 90,
                id % 1000,
            )
        })
        .collect()
}

#[test]
fn parts_of_words_and_of_ids_are_found() {
    let folder = Folder::new();
    let texts = searched_lines();
    let lines: Vec<Line<'_>> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| Line::new(Nanos(PAST_MS * MS + number as i64), text))
        .collect();
    let line = &texts[4_321];
    let needles = [
        &line[5..37],
        &line[9..25],
        &line[..40],
        "timed out from",
        "imed ou",
        "sed f",
        " closed ",
        "order=1",
        "7ms",
        "",
    ];
    at_every_stage(
        &folder,
        |engine| {
            // Two blocks, so that there is something to merge.
            let logs = engine.logs().unwrap();
            append_lines(&logs, &set(&[("app", "x")]), &lines[..3_000]);
            logs.freeze().unwrap();
            append_lines(&logs, &set(&[("app", "x")]), &lines[3_000..]);
        },
        |stage, engine| {
            let snapshot = engine.logs().unwrap().snapshot();
            let read = |needle: &str| {
                let selector = all().containing(needle);
                let found = logged(&snapshot, &selector);
                let lines: Vec<Logged> = found.into_iter().flat_map(|(_, lines)| lines).collect();
                lines
            };
            for needle in needles {
                let found = read(needle).into_iter();
                let found: Vec<String> = found.map(|(_, text, _)| text).collect();
                let with = |text: &&String| text.contains(needle);
                assert!(
                    found.iter().filter(with).eq(texts.iter().filter(with)),
                    "{stage}: {needle:?}"
                );
            }
        },
    );
}

#[test]
fn a_count_reads_times_and_no_line_once_they_are_sealed() {
    let folder = Folder::new();
    let tags = set(&[("trace_id", "00f067aa0ba902b7")]);
    let lines: Vec<Line<'_>> = (0..500)
        .map(|number| Line {
            metadata: tags.as_labels(),
            ..Line::new(Nanos(PAST_MS * MS + number), "GET /cart 200")
        })
        .collect();
    at_every_stage(
        &folder,
        |engine| {
            let logs = engine.logs().unwrap();
            append_lines(&logs, &set(&[("app", "x")]), &lines[..200]);
            logs.freeze().unwrap();
            append_lines(&logs, &set(&[("app", "x")]), &lines[200..]);
        },
        |stage, engine| {
            let snapshot = engine.logs().unwrap().snapshot();
            for wanted in [Wanted::Times, Wanted::Metadata] {
                let found = snapshot.select(&all().wanting(wanted)).unwrap();
                let runs = found[0].read().unwrap();
                let times = runs.iter().flat_map(|run| run.times().iter().copied());
                assert!(times.eq(lines.iter().map(|line| line.time.0)), "{stage}");
                let tagged = runs.iter().all(|run| run.metadata(0) == tags.as_labels());
                assert!(tagged || wanted == Wanted::Times, "{stage}");
            }
        },
    );
}

/// Lines of several lengths with few and with many sorts of metadata, or without; some come late
/// and some twice.
fn mixed_lines(tags: &[LabelSet], order: &[usize], texts: &[String]) -> Vec<(i64, usize, usize)> {
    let line = |place: &usize| (*place as i64 / 2, *place % tags.len(), *place % texts.len());
    order.iter().map(line).collect()
}

#[test]
fn lengths_and_metadata_are_those_of_whole_lines_at_every_stage_and_in_every_range() {
    let folder = Folder::new();
    let mut tags: Vec<LabelSet> = (0..3)
        .map(|level| set(&[("level", &format!("{level}"))]))
        .collect();
    tags.push(LabelSet::default());
    tags.extend((0..40).map(|id| set(&[("trace_id", &format!("{id:016x}"))])));
    let texts: Vec<String> = (0..90)
        .map(|number| {
            let ip = format!("10.0.{}.{}", number % 7, number * 3);
            format!(
                "GET /cart/{number} {ip} took {}.{:02}ms",
                number * number,
                number % 100
            )
        })
        .collect();
    // In order; then in order but for some that are late; then with repetitions.
    let mut order: Vec<usize> = (0..2_000).map(|place| place * 2).collect();
    order.extend((2_000..3_000).map(|place| (place * 2) ^ (place % 50 / 49 * 16)));
    order.extend((3_000..3_600).map(|place| place * 2 - place % 3));
    let lines = mixed_lines(&tags, &order, &texts);
    let lines: Vec<Line<'_>> = lines
        .iter()
        .map(|(time, tag, text)| Line {
            time: Nanos(PAST_MS * MS + time),
            text: &texts[*text],
            metadata: tags[*tag].as_labels(),
        })
        .collect();
    at_every_stage(
        &folder,
        |engine| {
            let logs = engine.logs().unwrap();
            append_lines(&logs, &set(&[("app", "x")]), &lines[..1_500]);
            logs.freeze().unwrap();
            append_lines(&logs, &set(&[("app", "x")]), &lines[1_500..]);
            // Holes, so that runs are put together from parts.
            let everywhere = Matcher::new(MatchOp::Equal, "app", "x").unwrap();
            for (from, to) in [(300, 310), (330, 331), (2_950, 2_960), (3_010, 3_020)] {
                let (from, to) = (Nanos(PAST_MS * MS + from), Nanos(PAST_MS * MS + to));
                let deletion = Deletion::new(vec![everywhere.clone()]).between(from, to);
                logs.delete(&deletion).unwrap();
            }
        },
        |stage, engine| {
            let snapshot = engine.logs().unwrap().snapshot();
            for (from, to) in [
                (0, 9_000),
                (0, 700),
                (1_400, 1_600),
                (2_100, 2_100),
                (2_900, 3_700),
            ] {
                let at = |time| Nanos(PAST_MS * MS + time);
                let read = |wanted: Wanted| -> Vec<(i64, usize, String)> {
                    let found = snapshot.select(&all().between(at(from), at(to)).wanting(wanted));
                    let found = found.unwrap();
                    told(found.iter().flat_map(|one| one.read().unwrap()), wanted)
                };
                let whole = read(Wanted::Everything);
                assert!(!whole.is_empty(), "{stage}");
                let without = whole
                    .iter()
                    .map(|(time, length, _)| (*time, *length, String::new()));
                let without: Vec<_> = without.collect();
                let lengths = read(Wanted::LengthsAndMetadata);
                assert!(lengths == whole, "{stage} {from} to {to}");
                assert!(read(Wanted::Lengths) == without, "{stage} {from} to {to}");
            }
        },
    );
}

/// Times, lengths and, if they are wanted, metadata of lines; metadata by its numbers as well.
fn told(runs: impl Iterator<Item = LineRun>, wanted: Wanted) -> Vec<(i64, usize, String)> {
    let mut told = Vec::new();
    for run in runs {
        let numbers = run.metadata_numbers();
        let mut known = std::collections::HashMap::new();
        for (index, time) in run.times().iter().enumerate() {
            let metadata = match wanted {
                Wanted::Lengths => String::new(),
                _ => run.metadata(index).to_string(),
            };
            if let Some((numbers, distinct)) = numbers {
                assert!((numbers[index] as usize) < distinct);
                let same = known.entry(numbers[index]).or_insert(metadata.clone());
                assert_eq!(*same, metadata);
            }
            told.push((*time, run.line_bytes(index), metadata));
        }
        let sum: usize = (0..run.len()).map(|index| run.line_bytes(index)).sum();
        assert_eq!(sum, run.text_bytes());
    }
    told
}
