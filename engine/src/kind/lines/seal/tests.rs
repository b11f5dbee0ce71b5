//! Chunks of lines: what is written is what the format page shows, and what comes back.

use proptest::prelude::*;

use super::*;
use crate::kind::Columns;
use crate::kind::lines::Line;
use crate::labels::set::LabelSet;
use crate::time::Nanos;

/// A sealed chunk: its encoding, its count and its strips.
type Sealed = (u8, u32, Vec<Vec<u8>>);

fn sealed(run: &LineRun, effort: Effort) -> Vec<Sealed> {
    let mut chunks = Vec::new();
    seal(run, effort, &mut Scratch::default(), &mut |chunk| {
        let strips = chunk.strips.iter().map(|strip| strip.to_vec()).collect();
        chunks.push((chunk.encoding, chunk.count, strips));
        Ok(())
    })
    .unwrap();
    chunks
}

fn opened(encoding: u8, count: u32, strips: &[Vec<u8>]) -> Result<LineRun> {
    open_chunk(encoding, count, Wanted::Everything, &|strip| {
        Ok(strips[strip].as_slice())
    })
}

/// The strips of an example of the format page: all bytes, and those of each line of it.
fn example(heading: &str) -> Vec<Vec<u8>> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format/lines.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(heading).unwrap();
    let (_, example_on) = section.split_once("```hex\n").unwrap();
    let (shown, _) = example_on.split_once("```").unwrap();
    let bytes = |line: &str| {
        let bytes = line.split('|').next().unwrap().split_whitespace();
        bytes
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    };
    shown.lines().map(bytes).collect()
}

fn example_run() -> LineRun {
    let mut run = LineRun::default();
    run.push(&Line::new(Nanos(1_000), "ok"));
    run.push(&Line::new(Nanos(3_000), "GET /b"));
    run
}

#[test]
fn the_example_of_the_format_page_is_what_is_written() {
    for (effort, encoding) in [(Effort::Quick, MEASURED), (Effort::Best, LISTS)] {
        let shown = example(&format!("### A chunk of encoding {encoding}")).concat();
        let chunks = sealed(&example_run(), effort);
        let [(written_as, 2, strips)] = &chunks[..] else {
            panic!("one chunk of two lines");
        };
        let written = strips.concat();
        assert_eq!(shown, written, "the page shows other bytes: {written:02x?}");
        assert_eq!(*written_as, encoding);
        assert!(strips[METADATA].is_empty());
        assert_eq!(strips[LENGTHS].is_empty(), encoding == LISTS);
    }
}

#[test]
fn lengths_of_what_a_freeze_writes_are_told_without_text_or_search() {
    let (encoding, count, strips) = sealed(&example_run(), Effort::Quick).swap_remove(0);
    let told = search_chunk(
        encoding,
        count,
        Wanted::Lengths,
        &|strip: usize| {
            assert!(matches!(strip, TIMES | LENGTHS), "strip {strip}");
            Ok(strips[strip].as_slice())
        },
        &|_| unreachable!("nothing is searched"),
    );
    let told = told.unwrap().unwrap();
    assert_eq!(told.times(), example_run().times());
    assert_eq!((told.line_bytes(0), told.line_bytes(1)), (2, 6));
    assert!(told.text().is_empty());
}

#[test]
fn a_chunk_of_the_first_encoding_still_opens() {
    let shown = example("### A chunk of encoding 0");
    let [times, lengths, text] = &shown[..] else {
        panic!("three strips are shown");
    };
    let strips = [times.clone(), Vec::new(), lengths.clone(), text.clone()];
    assert_eq!(opened(PLAIN, 2, &strips).unwrap(), example_run());
    // Two labels for the first line, none for the second.
    let tags = LabelSet::from_pairs([("a", "b"), ("c", "d")]).unwrap();
    let mut metadata = vec![tags.as_labels().as_bytes().len() as u8];
    metadata.extend_from_slice(tags.as_labels().as_bytes());
    metadata.push(0);
    let strips = [times.clone(), metadata, lengths.clone(), text.clone()];
    let run = opened(PLAIN, 2, &strips).unwrap();
    assert_eq!(run.metadata(0), tags.as_labels());
    assert_eq!(run.metadata(1), Labels::EMPTY);
}

#[test]
fn what_is_not_wanted_is_not_even_fetched() {
    let mut run = example_run();
    let tags = LabelSet::from_pairs([("trace", "a1")]).unwrap();
    run.push(&Line {
        metadata: tags.as_labels(),
        ..Line::new(Nanos(4_000), "x")
    });
    let (encoding, count, strips) = sealed(&run, Effort::Best).swap_remove(0);
    let opened = |wanted: Wanted, allowed: &[usize]| {
        let fetch = |strip: usize| {
            assert!(allowed.contains(&strip), "strip {strip} for {wanted:?}");
            Ok(strips[strip].as_slice())
        };
        open_chunk(encoding, count, wanted, &fetch).unwrap()
    };
    let times = opened(Wanted::Times, &[TIMES]);
    assert_eq!(times.times(), run.times());
    assert!(times.line(1).is_empty() && times.metadata(2).is_empty());
    let metadata = opened(Wanted::Metadata, &[TIMES, METADATA]);
    assert_eq!(metadata.metadata(2), tags.as_labels());
    assert!(metadata.text().is_empty());
    let lengths = opened(Wanted::Lengths, &[TIMES, TEXT]);
    assert_eq!(lengths.line_bytes(1), run.line(1).len());
    assert!(lengths.text().is_empty() && lengths.metadata(2).is_empty());
    assert_eq!(opened(Wanted::Everything, &[TIMES, METADATA, TEXT]), run);
}

/// What a search gives out for these places of a run.
fn found(run: &LineRun, places: &[usize]) -> text::Found {
    let mut found = text::Found {
        count: run.len(),
        ..text::Found::default()
    };
    for place in places {
        found.places.push(*place as u32);
        found.bytes.extend_from_slice(run.line(*place));
        found.ends.push(found.bytes.len() as u32);
    }
    found
}

#[test]
fn what_a_search_finds_comes_with_its_time_and_metadata() {
    let mut run = example_run();
    let tags = LabelSet::from_pairs([("trace", "a1")]).unwrap();
    run.push(&Line {
        metadata: tags.as_labels(),
        ..Line::new(Nanos(4_000), "x")
    });
    let (encoding, count, strips) = sealed(&run, Effort::Best).swap_remove(0);
    let searched = |places: Option<&[usize]>, count: u32| {
        let fetch = |strip: usize| {
            assert!(strip != TEXT, "the text was searched");
            Ok(strips[strip].as_slice())
        };
        search_chunk(encoding, count, Wanted::Everything, &fetch, &|strip| {
            assert_eq!(strip, TEXT);
            Ok(places.map(|places| found(&run, places)))
        })
    };
    for places in [&[][..], &[1], &[0, 2], &[0, 1, 2]] {
        let mut wanted = run.empty_like();
        places
            .iter()
            .for_each(|place| wanted.push_from(&run, *place));
        let got = searched(Some(places), count).unwrap().unwrap();
        let lines = |run: &LineRun| -> Vec<(i64, Vec<u8>, LabelSet)> {
            (0..run.len())
                .map(|place| {
                    let line = run.line(place).to_vec();
                    (run.times()[place], line, run.metadata(place).to_set())
                })
                .collect()
        };
        assert_eq!(lines(&got), lines(&wanted), "{places:?}");
    }
    assert!(searched(None, count).unwrap().is_none());
    assert!(searched(Some(&[1]), count + 1).is_err());
}

#[test]
fn a_chunk_cut_at_any_byte_is_an_error_and_no_flipped_bit_panics() {
    let mut run = LineRun::default();
    let tags = LabelSet::from_pairs([("trace", "a1")]).unwrap();
    for time in 0..20 {
        let mut line = Line::new(Nanos(time * 7), "GET /cart 200");
        if time % 3 == 0 {
            line.metadata = tags.as_labels();
        }
        run.push(&line);
    }
    for effort in [Effort::Quick, Effort::Best] {
        let (encoding, count, strips) = sealed(&run, effort).swap_remove(0);
        assert_eq!(opened(encoding, count, &strips).unwrap(), run);
        cut_and_flip(encoding, count, &strips);
    }
}

fn cut_and_flip(encoding: u8, count: u32, strips: &[Vec<u8>]) {
    let open = |strips: &[Vec<u8>]| {
        let lengths = open_chunk(encoding, count, Wanted::Lengths, &|strip| {
            Ok(strips[strip].as_slice())
        });
        opened(encoding, count, strips).and_then(|run| lengths.map(|_| run))
    };
    for strip in [TIMES, METADATA, LENGTHS, TEXT] {
        for end in 0..strips[strip].len() {
            let mut cut = strips.to_vec();
            cut[strip].truncate(end);
            // Without a byte of metadata no line has any.
            let is_fine = strip == METADATA && end == 0;
            let outcome = open(&cut);
            assert_eq!(outcome.is_ok(), is_fine, "strip {strip} cut at {end}");
        }
        for place in 0..8 * strips[strip].len() {
            let mut flipped = strips.to_vec();
            flipped[strip][place / 8] ^= 1 << (place % 8);
            let _ = open(&flipped);
        }
    }
    assert!(opened(encoding, count + 1, strips).is_err());
    assert!(opened(MEASURED + 1, count, strips).is_err());
    assert!(opened(encoding, u32::MAX, strips).is_err());
}

proptest! {
    #[test]
    fn lines_come_back_in_chunks_of_bounded_size(
        lines in prop::collection::vec(("\\PC{0,40}", 1usize..6_000, 0u8..4), 1..40),
    ) {
        let mut run = LineRun::default();
        for (time, (text, times, tag)) in lines.iter().enumerate() {
            let text = text.repeat(*times);
            let tag = tag.to_string();
            let tags = LabelSet::from_pairs([("t", tag.as_str())]).unwrap();
            let mut line = Line::new(Nanos(time as i64 / 3), &text);
            if tag != "0" {
                line.metadata = tags.as_labels();
            }
            run.push(&line);
        }
        for effort in [Effort::Quick, Effort::Best] {
            let mut back = LineRun::default();
            for (encoding, count, strips) in sealed(&run, effort) {
                let bytes_max = 2 * chunk_bytes(effort) + 4 * (count as usize + 1);
                prop_assert!(count == 1 || strips[TEXT].len() <= bytes_max);
                let chunk = opened(encoding, count, &strips).unwrap();
                for index in 0..chunk.len() {
                    back.push_from(&chunk, index);
                }
            }
            prop_assert_eq!(&back, &run);
        }
    }
}
