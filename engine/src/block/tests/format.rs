//! The format page and the fixture: the example in docs/format/block.md is built here and compared.

use super::*;

const PAGE: &str = include_str!("../../../../docs/format/block.md");

/// A block of version 1: the example of its page.
const VERSION_1: &[u8] = include_bytes!("golden/block_v1.blk");

/// The block of the page: two series, a page for each, a filter, a summary, one strip that
/// compression shrinks, a column that both share.
fn example() -> Model {
    let mut model = example_of_version_1();
    for chunk in model.values_mut().flatten() {
        chunk.shared = vec![3, 1, 4];
    }
    model
}

fn example_of_version_1() -> Model {
    let chunk = |start, end, line: &str, summary: &[u8]| Chunk {
        start,
        end,
        count: 2,
        encoding: 1,
        strips: vec![vec![0, 7], line.as_bytes().to_vec()],
        summary: summary.to_vec(),
        shared: Vec::new(),
    };
    let set = |pod: &str| LabelSet::from_pairs([("job", "api"), ("pod", pod)]).unwrap();
    Model::from([
        (
            set("a"),
            vec![chunk(
                START,
                START + 500,
                "ok a ok a ok a ok a ok a ok a ok a",
                b"",
            )],
        ),
        (
            set("b"),
            vec![chunk(START + 3, START + 900, "GET /b 500", &[9])],
        ),
    ])
}

fn written_example() -> Vec<u8> {
    let disk = disk();
    write(&disk, &example(), paging(2, 40)).unwrap();
    disk.contents(&block_path(&dir(), NUMBER)).unwrap()
}

/// The bytes of the page's example: in the block behind `## Example`, each line up to its comment.
fn bytes_on_the_page() -> Vec<u8> {
    let example = PAGE
        .split("## Example")
        .nth(1)
        .expect("the page has an example");
    let listing = example
        .split("```")
        .nth(1)
        .expect("the example has a listing");
    let digits: String = listing
        .lines()
        .skip(1)
        .filter_map(|line| line.split('#').next())
        .flat_map(str::chars)
        .filter(char::is_ascii_hexdigit)
        .collect();
    let byte = |pair: &str| u8::from_str_radix(pair, 16).unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|at| byte(&digits[at..at + 2]))
        .collect()
}

#[test]
fn the_example_on_the_format_page_is_read() {
    assert_holds(&open(&planted(&bytes_on_the_page())).unwrap(), &example());
}

#[test]
fn the_example_on_the_format_page_is_what_is_written() {
    let (written, page) = (written_example(), bytes_on_the_page());
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(hex(&written), hex(&page));
}

#[test]
fn a_block_of_version_1_is_read_as_ever() {
    assert_holds(&open(&planted(VERSION_1)).unwrap(), &example_of_version_1());
}

#[test]
fn a_block_of_version_1_that_is_cut_or_flipped_is_told() {
    for end in 0..VERSION_1.len() {
        let error = open(&planted(&VERSION_1[..end])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {end}: {error}");
    }
    for place in 0..VERSION_1.len() * 8 {
        let mut damaged = VERSION_1.to_vec();
        damaged[place / 8] ^= 1 << (place % 8);
        let told = match open(&planted(&damaged)) {
            Ok(reader) => !reader.verify().is_empty(),
            Err(error) => error.kind() == ErrorKind::Corrupt,
        };
        assert!(told, "bit {place}");
    }
}

#[test]
fn a_block_of_a_version_to_come_is_unsupported() {
    let mut bytes = written_example();
    bytes[8] = 3;
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    let error = open(&planted(&bytes)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_constants_of_the_page_are_those_of_the_code() {
    for (what, value) in [
        ("header", header::HEADER_BYTES),
        ("footer", footer::FOOTER_BYTES),
        ("trailer", footer::TRAILER_BYTES),
    ] {
        assert!(
            PAGE.contains(&format!("{what} of {value} bytes")),
            "{what} of {value} bytes"
        );
    }
}
