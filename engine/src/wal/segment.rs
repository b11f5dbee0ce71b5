//! A segment file: its name and header. docs/format/wal.md is the page.

use std::path::{Path, PathBuf};

use super::frame::{u32_at, u64_at};
use crate::error::{Error, ErrorKind, Result};

pub(super) const SEGMENT_MAGIC: [u8; 8] = *b"CHRONWAL";
pub(super) const SEGMENT_VERSION: u16 = 1;
/// The header's size; frames start behind it.
pub(super) const SEGMENT_HEADER_BYTES: usize = 48;

const VERSION_AT: usize = 8;
const FIRST_AT: usize = 16;
const VOID_FROM_AT: usize = 24;
const DURABLE_AT: usize = 32;
const CRC_AT: usize = 44;

const NAME_DIGITS: usize = 20;
const NAME_END: &str = ".wal";

const _: () = assert!(CRC_AT + 4 == SEGMENT_HEADER_BYTES);
const _: () = assert!(SEGMENT_HEADER_BYTES.is_multiple_of(super::frame::FRAME_ALIGN));

/// What a segment says about itself and about those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// The LSN that its first frame has.
    pub(super) first: u64,
    /// Every frame of an earlier segment with this LSN or a higher one is void: it was refused to
    /// its caller, or torn. At most `first`.
    pub(super) void_from: u64,
    /// The highest LSN that was durable when the segment was started.
    pub(super) durable: u64,
}

/// What a segment's first bytes turn out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderState {
    Valid(SegmentHeader),
    /// Torn or damaged.
    Bad,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        assert!(
            self.void_from <= self.first,
            "a segment voids earlier ones only"
        );
        assert!(
            self.durable < self.first,
            "what is not yet written is not durable"
        );
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..VERSION_AT].copy_from_slice(&SEGMENT_MAGIC);
        bytes[VERSION_AT..VERSION_AT + 2].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
        bytes[FIRST_AT..VOID_FROM_AT].copy_from_slice(&self.first.to_le_bytes());
        bytes[VOID_FROM_AT..DURABLE_AT].copy_from_slice(&self.void_from.to_le_bytes());
        bytes[DURABLE_AT..DURABLE_AT + 8].copy_from_slice(&self.durable.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment that its name says starts at `first`. Only another version
    /// is an error: a bad header does not keep a reader from the frames.
    pub(super) fn decode(bytes: &[u8], first: u64) -> Result<HeaderState> {
        let Some(bytes) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else {
            return Ok(HeaderState::Bad);
        };
        if bytes[..VERSION_AT] != SEGMENT_MAGIC {
            return Ok(HeaderState::Bad);
        }
        // The checksum is taken as if the version were ours: a flipped bit in it is then told from
        // a version of the future, whose checksum lies elsewhere or differs.
        let mut ours = *bytes;
        ours[VERSION_AT..VERSION_AT + 2].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
        let sound = crc32fast::hash(&ours[..CRC_AT]) == u32_at(&ours, CRC_AT);
        let version = u16::from_le_bytes([bytes[VERSION_AT], bytes[VERSION_AT + 1]]);
        if version != SEGMENT_VERSION && !sound {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("log segment has version {version}, this build reads {SEGMENT_VERSION}"),
            ));
        }
        let header = SegmentHeader {
            first: u64_at(bytes, FIRST_AT),
            void_from: u64_at(bytes, VOID_FROM_AT),
            durable: u64_at(bytes, DURABLE_AT),
        };
        let plausible =
            header.first == first && header.void_from <= first && header.durable < first;
        if version != SEGMENT_VERSION || !sound || !plausible {
            return Ok(HeaderState::Bad);
        }
        Ok(HeaderState::Valid(header))
    }
}

/// A segment as the log keeps track of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) bytes: u64,
}

pub(super) fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(segment_name(first))
}

pub(super) fn segment_name(first: u64) -> String {
    format!("{first:0NAME_DIGITS$}{NAME_END}")
}

/// The first LSN that a file's name says, or nothing where it is not a segment's name.
pub(super) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(NAME_END)?;
    if digits.len() != NAME_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // LSN 0 means "none", and the last one is left out so that adding one is always possible.
    digits
        .parse()
        .ok()
        .filter(|&first| first > 0 && first < u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        first: 9,
        void_from: 7,
        durable: 6,
    };

    #[test]
    fn headers_round_trip_and_any_flipped_bit_makes_them_bad() {
        let bytes = HEADER.encode();
        assert_eq!(
            SegmentHeader::decode(&bytes, 9).unwrap(),
            HeaderState::Valid(HEADER)
        );
        assert_eq!(SegmentHeader::decode(&bytes, 8).unwrap(), HeaderState::Bad);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes;
                bad[at] ^= 1 << bit;
                assert_eq!(SegmentHeader::decode(&bad, 9).unwrap(), HeaderState::Bad);
            }
            assert_eq!(
                SegmentHeader::decode(&bytes[..at], 9).unwrap(),
                HeaderState::Bad
            );
        }
    }

    #[test]
    fn another_version_is_unsupported() {
        let mut bytes = HEADER.encode();
        bytes[VERSION_AT] = 2;
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        let error = SegmentHeader::decode(&bytes, 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn names_are_twenty_digits() {
        let path = segment_path(Path::new("wal"), 42);
        assert_eq!(path, Path::new("wal/00000000000000000042.wal"));
        assert_eq!(parse_name("00000000000000000042.wal"), Some(42));
        for name in [
            "00000000000000000000.wal",
            "18446744073709551615.wal",
            "99999999999999999999.wal",
            "0000000000000000042.wal",
            "+0000000000000000042.wal",
            "00000000000000000042.tmp",
            "",
        ] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}
