//! The index of a sealed block as queries ask it: selection, label sets, names and values.
//!
//! Puts `symbols`, `postings` and `rows` together and chooses the cheap way to each answer. Holds
//! only borrowed bytes, so it is made anew for each question. Whether the bytes are intact is the
//! block's business.

use std::ops::ControlFlow;

use hashbrown::HashSet;
use roaring::RoaringBitmap;

use crate::codec::bytes::Cursor;
use crate::error::{Error, Result};
use crate::index::postings::{Gather, Postings, read_postings, skip_postings};
use crate::index::rows::{LabelRank, Rows};
use crate::index::search::Search;
use crate::index::select::IndexView;
use crate::index::symbols::{Symbols, VALUES_PER_RESTART, Values};
use crate::labels::matcher::{MatchOp, Matcher};
use crate::labels::re2::Shape;
use crate::labels::set::put_label;

/// Reading a series' row costs about this many times what looking at one value costs.
const ROW_COST: u64 = 4;

/// The symbols and postings of a block, and its rows where those are intact: they only make some
/// answers cheaper.
#[derive(Clone, Copy)]
pub(crate) struct SealedIndex<'a> {
    pub(crate) symbols: Symbols<'a>,
    pub(crate) postings: &'a [u8],
    pub(crate) rows: Option<Rows<'a>>,
    pub(crate) series_count: u32,
}

impl IndexView for SealedIndex<'_> {
    fn all(&self) -> Result<RoaringBitmap> {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.series_count);
        Ok(all)
    }

    fn postings(&self, name: &str, value: &str) -> Result<Option<RoaringBitmap>> {
        let Some(values) = self.values(name) else {
            return Ok(None);
        };
        match values.find(value)? {
            Some(rank) => {
                let postings = Entries::new(values, self.postings).entry(rank)?;
                postings.bitmap(self.series_count).map(Some)
            }
            None => Ok(None),
        }
    }

    fn with_label(&self, name: &str) -> Result<RoaringBitmap> {
        match self.values(name) {
            Some(values) => self.with_any_of(values),
            None => Ok(RoaringBitmap::new()),
        }
    }

    fn matching(&self, name: &str, matcher: &Matcher) -> Result<RoaringBitmap> {
        match matcher.op() {
            MatchOp::Equal | MatchOp::Regex => self.affirmed(name, matcher),
            MatchOp::NotEqual | MatchOp::NotRegex => {
                Ok(self.with_label(name)? - self.affirmed(name, matcher)?)
            }
        }
    }

    fn refusing(&self, name: &str, matcher: &Matcher) -> Result<RoaringBitmap> {
        match matcher.op() {
            MatchOp::Equal | MatchOp::Regex => {
                Ok(self.with_label(name)? - self.affirmed(name, matcher)?)
            }
            MatchOp::NotEqual | MatchOp::NotRegex => self.affirmed(name, matcher),
        }
    }

    fn filter(&self, within: &RoaringBitmap, matcher: &Matcher) -> Result<Option<RoaringBitmap>> {
        let Some(values) = self.values(matcher.name()) else {
            return Ok(None);
        };
        let searched = matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex);
        let few = within.len().saturating_mul(ROW_COST) < u64::from(values.count());
        match self.rows {
            Some(rows) if searched && few => {
                self.filter_rows(rows, values, within, matcher).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl<'a> SealedIndex<'a> {
    fn values(&self, name: &str) -> Option<Values<'a>> {
        self.symbols.values(self.symbols.find_name(name)?)
    }

    /// The series that have any value of a name.
    fn with_any_of(&self, values: Values<'_>) -> Result<RoaringBitmap> {
        let mut cursor = postings_at(self.postings, values.postings_base())?;
        read_postings(&mut cursor)?.bitmap(self.series_count)
    }

    /// The series whose value the matcher names or whose value its pattern matches, be the matcher
    /// negated or not.
    fn affirmed(&self, name: &str, matcher: &Matcher) -> Result<RoaringBitmap> {
        if matches!(matcher.op(), MatchOp::Equal | MatchOp::NotEqual) {
            return match matcher.value().is_empty() {
                true => Ok(RoaringBitmap::new()),
                false => Ok(IndexView::postings(self, name, matcher.value())?.unwrap_or_default()),
            };
        }
        let Some(values) = self.values(name) else {
            return Ok(RoaringBitmap::new());
        };
        let mut found = Found::new(values, self);
        match matcher.shape() {
            Shape::Any | Shape::NotEmpty => return self.with_any_of(values),
            Shape::Exact(accepted) => {
                for value in accepted.iter() {
                    if let Some(rank) = values.find(value)? {
                        found.add(rank)?;
                    }
                }
            }
            Shape::Prefix(prefix) => {
                let ranks = values.with_prefix(prefix)?;
                if ranks == (0..values.count()) {
                    return self.with_any_of(values);
                }
                ranks.into_iter().try_for_each(|rank| found.add(rank))?;
            }
            Shape::Contains(literal) => {
                let all = 0..values.count();
                values.for_each_found(all, &Search::one(literal), |rank, _| found.add(rank))?;
            }
            Shape::General { prefix, .. } if matcher.prefixes().len() < 2 => {
                found.add_searched(prefix, matcher)?;
            }
            Shape::General { .. } => {
                // Sorted, and none the beginning of another: ranks ascend, none comes twice.
                let mut prefixes = matcher.prefixes().iter();
                prefixes.try_for_each(|prefix| found.add_searched(prefix, matcher))?;
            }
        }
        Ok(found.gather.finish())
    }

    fn filter_rows(
        &self,
        rows: Rows<'_>,
        values: Values<'_>,
        within: &RoaringBitmap,
        matcher: &Matcher,
    ) -> Result<RoaringBitmap> {
        let mut kept = RoaringBitmap::new();
        let Some((first, name)) = within.min().zip(self.symbols.find_name(matcher.name())) else {
            return Ok(kept);
        };
        let mut walk = rows.walk(first)?;
        // Neighbours often share the value: then the verdict stands.
        let mut last: Option<(Option<u32>, bool)> = None;
        for ordinal in within {
            let row = walk.advance_to(ordinal)?;
            let rank = row
                .iter()
                .find(|label| label.name == name)
                .map(|label| label.value);
            let holds = match (last, rank) {
                (Some((before, holds)), rank) if before == rank => holds,
                (_, Some(rank)) => matcher.matches(values.value(rank)?),
                (_, None) => matcher.matches_empty(),
            };
            last = Some((rank, holds));
            if holds {
                kept.insert(ordinal);
            }
        }
        Ok(kept)
    }

    /// Puts the texts of a row together; keep it to go on with the next row, which mostly shares
    /// them.
    pub(crate) fn label_texts(&self) -> LabelTexts<'a> {
        LabelTexts {
            symbols: self.symbols,
            ranks: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// Calls `each` with the label names in order, all of them or those that a series of `within`
    /// has.
    pub(crate) fn label_names(
        &self,
        within: Option<&RoaringBitmap>,
        mut each: impl FnMut(&'a str) -> ControlFlow<()>,
    ) -> Result<()> {
        for rank in 0..self.symbols.name_count() {
            // A directory has fewer names than bytes, and a section less than 4 GiB of them in
            // practice.
            let Ok(rank) = u32::try_from(rank) else { break };
            let Some((name, values)) = self.symbols.name(rank).zip(self.symbols.values(rank))
            else {
                break;
            };
            if let Some(within) = within
                && self.with_any_of(values)?.is_disjoint(within)
            {
                continue;
            }
            if each(name).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Calls `each` with the values of a name in order, all of them or those that a series of
    /// `within` has.
    pub(crate) fn label_values(
        &self,
        name: &str,
        within: Option<&RoaringBitmap>,
        mut each: impl FnMut(&'a str) -> ControlFlow<()>,
    ) -> Result<()> {
        let Some((rank, values)) = self
            .symbols
            .find_name(name)
            .and_then(|rank| Some((rank, self.symbols.values(rank)?)))
        else {
            return Ok(());
        };
        let Some(within) = within else {
            return values.for_each(0..values.count(), |_, value| Ok(each(value)));
        };
        let within = within & self.with_any_of(values)?;
        if within.is_empty() {
            return Ok(());
        }
        let few = within.len().saturating_mul(ROW_COST) < u64::from(values.count());
        if let Some(rows) = self.rows
            && few
        {
            for value in ranks_of(rows, rank, &within)? {
                if each(values.value(value)?).is_break() {
                    break;
                }
            }
            return Ok(());
        }
        let mut entries = Entries::new(values, self.postings);
        values.for_each(0..values.count(), |rank, value| {
            match entries
                .entry(rank)?
                .intersects(&within, self.series_count)?
            {
                true => Ok(each(value)),
                false => Ok(ControlFlow::Continue(())),
            }
        })
    }
}

/// The texts of a row's labels, kept for the next row.
pub(crate) struct LabelTexts<'a> {
    symbols: Symbols<'a>,
    ranks: Vec<LabelRank>,
    texts: Vec<(&'a str, &'a str)>,
}

impl LabelTexts<'_> {
    /// Appends the canonical bytes of the label set that a row stands for.
    pub(crate) fn append(&mut self, row: &[LabelRank], out: &mut Vec<u8>) -> Result<()> {
        // Canonical bytes have ascending names; a row that has not is damage that a checksum
        // missed.
        if !row.is_sorted_by(|left, right| left.name < right.name) {
            return Err(Error::corrupt("the names of a label row are out of order"));
        }
        self.ranks.truncate(row.len());
        self.texts.truncate(row.len());
        for (place, &label) in row.iter().enumerate() {
            if self.ranks.get(place) != Some(&label) {
                self.replace(place, label)?;
            }
            let (name, value) = self.texts[place];
            put_label(out, name, value);
        }
        Ok(())
    }

    /// Looks a label up for a place that exists or comes next.
    fn replace(&mut self, place: usize, label: LabelRank) -> Result<()> {
        let (name, values) = self
            .symbols
            .name(label.name)
            .zip(self.symbols.values(label.name))
            .ok_or_else(|| Error::corrupt("a label row names a label that is not there"))?;
        let value = values.value(label.value)?;
        if value.is_empty() || name.is_empty() {
            return Err(Error::corrupt("a label row has an empty label"));
        }
        if place < self.ranks.len() {
            self.ranks[place] = label;
            self.texts[place] = (name, value);
        } else {
            self.ranks.push(label);
            self.texts.push((name, value));
        }
        Ok(())
    }
}

/// The ascending value ranks that the rows of some series have for a name.
fn ranks_of(rows: Rows<'_>, name: u32, within: &RoaringBitmap) -> Result<Vec<u32>> {
    let mut ranks = HashSet::new();
    if let Some(first) = within.min() {
        let mut walk = rows.walk(first)?;
        for ordinal in within {
            let row = walk.advance_to(ordinal)?;
            ranks.extend(
                row.iter()
                    .filter(|label| label.name == name)
                    .map(|label| label.value),
            );
        }
    }
    let mut ranks: Vec<u32> = ranks.into_iter().collect();
    ranks.sort_unstable();
    Ok(ranks)
}

fn postings_at(postings: &[u8], position: u64) -> Result<Cursor<'_>> {
    let position = usize::try_from(position).unwrap_or(usize::MAX);
    match postings.get(position..) {
        Some(rest) => Ok(Cursor::new(rest)),
        None => Err(Error::corrupt(
            "a label value's postings lie outside of their section",
        )),
    }
}

/// Finds the postings of values, cheapest for ranks that ascend.
struct Entries<'a> {
    values: Values<'a>,
    postings: &'a [u8],
    cursor: Cursor<'a>,
    next: u32,
}

impl<'a> Entries<'a> {
    fn new(values: Values<'a>, postings: &'a [u8]) -> Self {
        Entries {
            values,
            postings,
            cursor: Cursor::new(&[]),
            // No rank is in the block of this one before the first jump.
            next: u32::MAX,
        }
    }

    /// The entry of a rank below the count of values.
    fn entry(&mut self, rank: u32) -> Result<Postings<'a>> {
        let block = rank / VALUES_PER_RESTART;
        // Entries follow each other over block borders too, so a cursor at the border needs no
        // jump.
        if self.next > rank || self.next < block * VALUES_PER_RESTART {
            self.cursor = postings_at(self.postings, self.values.postings_position(block))?;
            self.next = block * VALUES_PER_RESTART;
        }
        while self.next < rank {
            skip_postings(&mut self.cursor)?;
            self.next += 1;
        }
        self.next += 1;
        read_postings(&mut self.cursor)
    }
}

/// The union of the postings of the values found so far.
struct Found<'a> {
    values: Values<'a>,
    entries: Entries<'a>,
    gather: Gather,
}

impl<'a> Found<'a> {
    fn new(values: Values<'a>, index: &SealedIndex<'a>) -> Self {
        Found {
            values,
            entries: Entries::new(values, index.postings),
            gather: Gather::new(index.series_count),
        }
    }

    fn add(&mut self, rank: u32) -> Result<()> {
        self.gather.add(self.entries.entry(rank)?)
    }

    /// Adds the values that begin with `prefix` and that the matcher's pattern matches.
    fn add_searched(&mut self, prefix: &str, matcher: &Matcher) -> Result<()> {
        let negated = matches!(matcher.op(), MatchOp::NotEqual | MatchOp::NotRegex);
        let values = self.values;
        let ranks = values.with_prefix(prefix)?;
        match Search::required(matcher, prefix) {
            Some(search) => values.for_each_found(ranks, &search, |rank, place| {
                match matcher.matches(values.around(place)?) != negated {
                    true => self.add(rank),
                    false => Ok(()),
                }
            }),
            None => values.for_each(ranks, |rank, value| {
                if matcher.matches(value) != negated {
                    self.add(rank)?;
                }
                Ok(ControlFlow::Continue(()))
            }),
        }
    }
}

#[cfg(test)]
mod tests;
