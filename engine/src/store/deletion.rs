//! What a caller wants deleted, as a value: which series, when, and which lines; and its bytes in a
//! tombstone. docs/format/records.md tells the bytes.

use std::fmt::{self, Write};

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::error::{Error, ErrorKind, Result};
use crate::kind::Kind;
use crate::kind::lines::filter::{LineFilter, LineOp};
use crate::labels::matcher::{MatchOp, Matcher};
use crate::time::{TickRange, Ticks};

/// Matchers and line filters of one deletion take at most so many bytes in the manifest, where
/// they stand until the deletion is applied.
const DELETION_BYTES_MAX: usize = 64 << 10;

/// What to delete: entries of the series that all matchers accept, within a time range, and for
/// logs only the lines that all filters let through.
///
/// ```
/// use chronolith_engine::Deletion;
/// use chronolith_engine::labels::{MatchOp, Matcher};
/// use chronolith_engine::logs::{LineFilter, LineOp};
/// use chronolith_engine::time::Nanos;
///
/// let app = Matcher::new(MatchOp::Equal, "app", "checkout")?;
/// let deletion = Deletion::new(vec![app])
///     .between(Nanos(1_700_000_000_000_000_000), Nanos(1_700_000_060_000_000_000))
///     .lines(LineFilter::new(LineOp::Contains, "card=")?);
/// assert_eq!(deletion.to_string(), r#"{app="checkout"} |= "card=""#);
/// # Ok::<(), chronolith_engine::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) range: TickRange,
    pub(crate) filters: Vec<LineFilter>,
    target: Target,
}

/// Whether every series may be meant: a forgotten matcher must not delete a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Matching,
    Everything,
}

impl Deletion {
    /// Entries of the series that all matchers accept. Without any matcher the deletion is
    /// refused: see [`Deletion::everything`].
    pub fn new(matchers: Vec<Matcher>) -> Self {
        Deletion {
            matchers,
            range: TickRange::ALL,
            filters: Vec::new(),
            target: Target::Matching,
        }
    }

    /// Entries of every series.
    pub fn everything() -> Self {
        Deletion {
            target: Target::Everything,
            ..Deletion::new(Vec::new())
        }
    }

    /// Only entries from `start` to `end`, both included, in the time of the store.
    pub fn between(mut self, start: impl Into<Ticks>, end: impl Into<Ticks>) -> Self {
        self.range = TickRange::new(start, end);
        self
    }

    /// Only lines that this filter lets through; of several filters all must. Refused for metrics.
    pub fn lines(mut self, filter: LineFilter) -> Self {
        self.filters.push(filter);
        self
    }

    /// The matchers; none where every series is meant.
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// The times, both ends included.
    pub fn range(&self) -> TickRange {
        self.range
    }

    /// The filters of lines.
    pub fn filters(&self) -> &[LineFilter] {
        &self.filters
    }

    /// Refuses what no store of this kind can delete.
    pub(crate) fn check<K: Kind>(&self) -> Result<()> {
        if self.matchers.is_empty() && self.target == Target::Matching {
            return Err(Error::invalid(
                "a deletion needs a matcher: to delete every series, say so",
            ));
        }
        if self.range.start > self.range.end {
            return Err(Error::invalid("a deletion ends before it starts"));
        }
        if !self.filters.is_empty() && !K::HAS_TEXT {
            return Err(Error::invalid(format!(
                "{} have no lines that a filter could look at",
                K::NAME
            )));
        }
        let bytes = encode_matchers(&self.matchers).len() + encode_filters(&self.filters).len();
        match bytes <= DELETION_BYTES_MAX {
            true => Ok(()),
            false => Err(Error::limit(format!(
                "the matchers and filters of a deletion take {bytes} bytes, at most \
                 {DELETION_BYTES_MAX} are taken"
            ))),
        }
    }
}

/// As a selector of LogQL reads: the matchers in braces, then the filters.
impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (place, matcher) in self.matchers.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{matcher}")?;
        }
        f.write_char('}')?;
        self.filters
            .iter()
            .try_for_each(|filter| write!(f, " {filter}"))
    }
}

/// A deletion that is in force, as [`Store::deletions`](crate::Store::deletions) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletionStatus {
    /// What [`Store::delete`](crate::Store::delete) returned.
    pub id: u64,
    /// What is deleted.
    pub deletion: Deletion,
    /// When it was asked for, by the engine's clock in the time of the store.
    pub created: Ticks,
    /// Blocks that still hold something that it hides, as far as their indexes tell.
    pub blocks_left: u64,
    /// Whether entries in memory are still to be looked at.
    pub is_in_memory: bool,
    /// Whether a merge has removed some of it from the disk: then it cannot be cancelled.
    pub is_begun: bool,
}

impl DeletionStatus {
    pub(crate) fn new(id: u64, deletion: Deletion) -> Self {
        DeletionStatus {
            id,
            deletion,
            created: Ticks(0),
            blocks_left: 0,
            is_in_memory: false,
            is_begun: false,
        }
    }
}

pub(crate) fn encode_matchers(matchers: &[Matcher]) -> Vec<u8> {
    let mut out = Vec::new();
    for matcher in matchers {
        out.push(match matcher.op() {
            MatchOp::Equal => 1,
            MatchOp::NotEqual => 2,
            MatchOp::Regex => 3,
            MatchOp::NotRegex => 4,
        });
        put_prefixed(&mut out, matcher.name().as_bytes());
        put_prefixed(&mut out, matcher.value().as_bytes());
    }
    out
}

pub(crate) fn decode_matchers(bytes: &[u8]) -> Result<Vec<Matcher>> {
    let mut cursor = Cursor::new(bytes);
    let mut matchers = Vec::new();
    while !cursor.is_empty() {
        let op = match cursor.u8()? {
            1 => MatchOp::Equal,
            2 => MatchOp::NotEqual,
            3 => MatchOp::Regex,
            4 => MatchOp::NotRegex,
            other => return Err(unknown("matcher", other)),
        };
        matchers.push(Matcher::new(op, cursor.text()?, cursor.text()?)?);
    }
    Ok(matchers)
}

pub(crate) fn encode_filters(filters: &[LineFilter]) -> Vec<u8> {
    let mut out = Vec::new();
    for filter in filters {
        out.push(match filter.op() {
            LineOp::Contains => 1,
            LineOp::NotContains => 2,
            LineOp::Matches => 3,
            LineOp::NotMatches => 4,
        });
        put_prefixed(&mut out, filter.text().as_bytes());
    }
    out
}

pub(crate) fn decode_filters(bytes: &[u8]) -> Result<Vec<LineFilter>> {
    let mut cursor = Cursor::new(bytes);
    let mut filters = Vec::new();
    while !cursor.is_empty() {
        let op = match cursor.u8()? {
            1 => LineOp::Contains,
            2 => LineOp::NotContains,
            3 => LineOp::Matches,
            4 => LineOp::NotMatches,
            other => return Err(unknown("line filter", other)),
        };
        filters.push(LineFilter::new(op, cursor.text()?)?);
    }
    Ok(filters)
}

/// Deleted entries must not come back because a reader does not know how they were told.
fn unknown(what: &str, op: u8) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("operator {op} of a {what} is unknown"),
    )
}

impl Deletion {
    /// A deletion as a tombstone tells it.
    pub(crate) fn decode(matchers: &[u8], filters: &[u8], range: TickRange) -> Result<Self> {
        let mut deletion = match matchers.is_empty() {
            true => Deletion::everything(),
            false => Deletion::new(decode_matchers(matchers)?),
        };
        deletion.range = range;
        deletion.filters = decode_filters(filters)?;
        Ok(deletion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::lines::Lines;
    use crate::kind::samples::Samples;

    const PAGE: &str = include_str!("../../../docs/format/manifest.md");

    fn example() -> (Vec<Matcher>, Vec<LineFilter>) {
        let matcher = |op, name, value| Matcher::new(op, name, value).unwrap();
        let matchers = vec![
            matcher(MatchOp::Equal, "app", "shop"),
            matcher(MatchOp::NotRegex, "env", "dev.*"),
        ];
        (
            matchers,
            vec![LineFilter::new(LineOp::Contains, "card").unwrap()],
        )
    }

    /// The bytes of the page's hex blocks within the section on tombstones.
    fn bytes_of_page() -> Vec<Vec<u8>> {
        let (_, section) = PAGE.split_once("## What a tombstone says").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let blocks = section.split("```hex\n").skip(1);
        let byte = |pair: &str| u8::from_str_radix(pair, 16).unwrap();
        blocks
            .map(|block| {
                let (lines, _) = block.split_once("```").unwrap();
                let hex = lines.lines().filter_map(|line| line.split('|').next());
                hex.flat_map(str::split_whitespace).map(byte).collect()
            })
            .collect()
    }

    #[test]
    fn the_page_shows_the_bytes_that_are_written() {
        let (matchers, filters) = example();
        let written = vec![encode_matchers(&matchers), encode_filters(&filters)];
        assert_eq!(bytes_of_page(), written, "{written:02x?}");
    }

    #[test]
    fn every_operator_is_read_as_it_was_written() {
        let ops = [
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ];
        let matchers = ops.map(|op| Matcher::new(op, "n", "é.*").unwrap());
        assert_eq!(
            decode_matchers(&encode_matchers(&matchers)).unwrap(),
            matchers
        );
        let ops = [
            LineOp::Contains,
            LineOp::NotContains,
            LineOp::Matches,
            LineOp::NotMatches,
        ];
        let filters = ops.map(|op| LineFilter::new(op, "é.*").unwrap());
        assert_eq!(decode_filters(&encode_filters(&filters)).unwrap(), filters);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_never_every_series() {
        let (matchers, filters) = example();
        let (matchers, filters) = (encode_matchers(&matchers), encode_filters(&filters));
        let borders = [0, 10];
        for cut in (0..matchers.len()).filter(|cut| !borders.contains(cut)) {
            assert!(decode_matchers(&matchers[..cut]).is_err(), "cut at {cut}");
        }
        for cut in 1..filters.len() {
            assert!(decode_filters(&filters[..cut]).is_err(), "cut at {cut}");
        }
        let later = decode_matchers(&[5, 1, b'a', 1, b'b']).unwrap_err();
        assert_eq!(later.kind(), ErrorKind::Unsupported);
        assert_eq!(
            decode_filters(&[0, 0]).unwrap_err().kind(),
            ErrorKind::Unsupported
        );
        assert!(decode_matchers(&[3, 1, b'a', 1, b'(']).is_err());
    }

    #[test]
    fn a_deletion_is_checked_by_kind_and_size() {
        let (matchers, filters) = example();
        let deletion = Deletion::new(matchers.clone());
        assert!(deletion.check::<Samples>().is_ok());
        let filtered = deletion.clone().lines(filters[0].clone());
        assert!(filtered.check::<Samples>().is_err());
        assert!(filtered.check::<Lines>().is_ok());
        assert!(Deletion::new(Vec::new()).check::<Lines>().is_err());
        assert!(Deletion::everything().check::<Lines>().is_ok());
        let encoded = encode_matchers(&matchers);
        let decoded = Deletion::decode(&encoded, &[], TickRange::ALL).unwrap();
        assert_eq!(decoded, deletion);
        let everything = Deletion::decode(&[], &[], TickRange::ALL).unwrap();
        assert_eq!(everything, Deletion::everything());
    }
}
