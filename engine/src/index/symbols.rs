//! Label names and values of a sealed block, sorted, read where they lie.
//!
//! The values of one name stand one behind the other in an arena, each closed by [`VALUE_END`], a
//! byte that UTF-8 never has. So a substring is searched by one pass over the arena: no hit can
//! straddle two values. A table with a place for every [`VALUES_PER_RESTART`]th value serves
//! equality, prefixes and access by rank. The numbers behind the choice are in
//! docs/decisions/block.md.
//!
//! Layout: `varint name count, varint directory length`, the directory, then for each name its
//! arena and its table. A directory entry: `name` behind a varint length, `varint value count,
//! varint arena length, varint postings base`. A table entry: `u32` offset into the arena, `u32`
//! offset of the value's postings from the postings base. What lies at the postings base is the
//! business of `sealed`.

use std::ops::{ControlFlow, Range};

use memchr::{memchr, memchr_iter, memrchr};

use crate::codec::bytes::{Cursor, put_prefixed, put_varint};
use crate::error::{Error, Result};
use crate::index::search::Search;

/// Closes every value in an arena.
const VALUE_END: u8 = 0xff;

/// Every so many values one has a place in the table.
pub(crate) const VALUES_PER_RESTART: u32 = 8;

const RESTART_BYTES: usize = 8;

/// Writes a symbol section, names in order and values in order.
#[derive(Default)]
pub(crate) struct SymbolWriter {
    directory: Vec<u8>,
    data: Vec<u8>,
    names: u64,
    open: Option<OpenName>,
}

struct OpenName {
    text: String,
    postings_base: u64,
    arena_start: usize,
    values: u32,
    restarts: Vec<u8>,
}

impl SymbolWriter {
    /// Starts a name; the postings of its values are told relative to `postings_base`.
    pub(crate) fn begin_name(&mut self, text: &str, postings_base: u64) {
        assert!(self.open.is_none(), "the name before is still open");
        self.open = Some(OpenName {
            text: text.to_owned(),
            postings_base,
            arena_start: self.data.len(),
            values: 0,
            restarts: Vec::new(),
        });
    }

    /// Adds the next value of the open name, and where its postings begin.
    pub(crate) fn value(&mut self, text: &str, postings_position: u64) -> Result<()> {
        let open = self
            .open
            .as_mut()
            .expect("a name is open before its values");
        if open.values.is_multiple_of(VALUES_PER_RESTART) {
            let too_large = |_| Error::limit("the values of one label name exceed 4 GiB");
            let arena = u32::try_from(self.data.len() - open.arena_start).map_err(too_large)?;
            let postings = u32::try_from(postings_position - open.postings_base);
            open.restarts.extend_from_slice(&arena.to_le_bytes());
            open.restarts
                .extend_from_slice(&postings.map_err(too_large)?.to_le_bytes());
        }
        open.values += 1;
        self.data.extend_from_slice(text.as_bytes());
        self.data.push(VALUE_END);
        Ok(())
    }

    pub(crate) fn end_name(&mut self) {
        let open = self.open.take().expect("a name is open when it ends");
        assert!(open.values > 0, "a name without values is not written");
        put_prefixed(&mut self.directory, open.text.as_bytes());
        put_varint(&mut self.directory, u64::from(open.values));
        put_varint(
            &mut self.directory,
            (self.data.len() - open.arena_start) as u64,
        );
        put_varint(&mut self.directory, open.postings_base);
        self.data.extend_from_slice(&open.restarts);
        self.names += 1;
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        assert!(self.open.is_none(), "a name is still open");
        let mut out = Vec::with_capacity(20 + self.directory.len() + self.data.len());
        put_varint(&mut out, self.names);
        put_varint(&mut out, self.directory.len() as u64);
        out.extend_from_slice(&self.directory);
        out.extend_from_slice(&self.data);
        out
    }
}

/// Where each name's bytes lie in a symbol section: made once, used with the section's bytes.
pub(crate) struct SymbolDirectory {
    names: Vec<NameEntry>,
}

struct NameEntry {
    text: Range<usize>,
    value_count: u32,
    arena: Range<usize>,
    restarts: Range<usize>,
    postings_base: u64,
}

impl SymbolDirectory {
    /// Reads the directory and checks that every part it names lies in the section, and nothing
    /// else does.
    pub(crate) fn read(section: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(section);
        let count = cursor.length(section.len(), "the number of label names")?;
        let length = cursor.length(section.len(), "the length of the name directory")?;
        let mut next = cursor
            .position()
            .checked_add(length)
            .filter(|&end| end <= section.len())
            .ok_or_else(|| Error::corrupt("the name directory is longer than its section"))?;
        let directory_end = next;
        let mut names: Vec<NameEntry> = Vec::new();
        for _ in 0..count {
            let entry = NameEntry::read(&mut cursor, &mut next, section.len())?;
            if names
                .last()
                .is_some_and(|last| section[last.text.clone()] >= section[entry.text.clone()])
            {
                return Err(Error::corrupt("label names are not in ascending order"));
            }
            names.push(entry);
        }
        if cursor.position() != directory_end || next != section.len() {
            return Err(Error::corrupt(
                "the name directory does not cover its section",
            ));
        }
        Ok(SymbolDirectory { names })
    }
}

impl NameEntry {
    fn read(cursor: &mut Cursor<'_>, next: &mut usize, section_length: usize) -> Result<Self> {
        let text_length = cursor.text()?.len();
        let text = cursor.position() - text_length..cursor.position();
        let max = section_length - *next;
        // A value takes two bytes at least: one and its end.
        let value_count = cursor.length(max / 2, "the number of label values")?;
        let arena_length = cursor.length(max, "the length of the label values")?;
        let postings_base = cursor.varint()?;
        let value_count = u32::try_from(value_count)
            .ok()
            .filter(|&count| count > 0)
            .ok_or_else(|| Error::corrupt("a label name has no values or too many"))?;
        let arena = *next..*next + arena_length;
        let table_length = value_count.div_ceil(VALUES_PER_RESTART) as usize * RESTART_BYTES;
        if table_length > max - arena_length {
            return Err(Error::corrupt("label values reach beyond their section"));
        }
        let restarts = arena.end..arena.end + table_length;
        *next = restarts.end;
        Ok(NameEntry {
            text,
            value_count,
            arena,
            restarts,
            postings_base,
        })
    }
}

/// The names and values of a section, by the directory that was read from the same section.
#[derive(Clone, Copy)]
pub(crate) struct Symbols<'a> {
    section: &'a [u8],
    directory: &'a SymbolDirectory,
}

impl<'a> Symbols<'a> {
    pub(crate) fn new(section: &'a [u8], directory: &'a SymbolDirectory) -> Self {
        Symbols { section, directory }
    }

    pub(crate) fn name_count(&self) -> usize {
        self.directory.names.len()
    }

    /// The name of a rank; `None` beyond the last.
    pub(crate) fn name(&self, rank: u32) -> Option<&'a str> {
        let entry = self.directory.names.get(rank as usize)?;
        std::str::from_utf8(&self.section[entry.text.clone()]).ok()
    }

    pub(crate) fn find_name(&self, name: &str) -> Option<u32> {
        let names = &self.directory.names;
        let text = |entry: &NameEntry| &self.section[entry.text.clone()];
        let found = names.binary_search_by(|entry| text(entry).cmp(name.as_bytes()));
        found.ok().and_then(|rank| u32::try_from(rank).ok())
    }

    /// The values of a name; `None` beyond the last name.
    pub(crate) fn values(&self, name: u32) -> Option<Values<'a>> {
        let entry = self.directory.names.get(name as usize)?;
        let (restarts, _) = self.section[entry.restarts.clone()].as_chunks();
        Some(Values {
            count: entry.value_count,
            arena: &self.section[entry.arena.clone()],
            restarts,
            postings_base: entry.postings_base,
        })
    }
}

/// The sorted values of one name.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    count: u32,
    arena: &'a [u8],
    restarts: &'a [[u8; RESTART_BYTES]],
    postings_base: u64,
}

impl<'a> Values<'a> {
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn postings_base(&self) -> u64 {
        self.postings_base
    }

    /// Where the postings of the first value of a restart block begin.
    pub(crate) fn postings_position(&self, block: u32) -> u64 {
        let entry = &self.restarts[block as usize];
        let offset = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        self.postings_base.saturating_add(u64::from(offset))
    }

    /// The value of a rank.
    pub(crate) fn value(&self, rank: u32) -> Result<&'a str> {
        let start = self.place(rank)?;
        text(value_at(self.arena, start)?)
    }

    /// The rank of a value, if it is there.
    pub(crate) fn find(&self, value: &str) -> Result<Option<u32>> {
        let rank = self.lower_bound(|candidate| candidate < value.as_bytes())?;
        if rank < self.count && self.value(rank)? == value {
            return Ok(Some(rank));
        }
        Ok(None)
    }

    /// The ranks of the values that start with `prefix`.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Result<Range<u32>> {
        let prefix = prefix.as_bytes();
        let start = self.lower_bound(|value| value < prefix)?;
        let end = self.lower_bound(|value| value < prefix || value.starts_with(prefix))?;
        Ok(start..end.max(start))
    }

    /// Calls `each` with the ranks and values of a range, until it breaks.
    pub(crate) fn for_each(
        &self,
        ranks: Range<u32>,
        mut each: impl FnMut(u32, &'a str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if ranks.is_empty() {
            return Ok(());
        }
        let mut start = self.place(ranks.start)?;
        for rank in ranks {
            let value = value_at(self.arena, start)?;
            start += value.len() + 1;
            if each(rank, text(value)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Calls `each` with the rank of every value of a range in which something is found, in order,
    /// and with a place where. A value is told once.
    pub(crate) fn for_each_found(
        &self,
        ranks: Range<u32>,
        search: &Search<'_>,
        mut each: impl FnMut(u32, usize) -> Result<()>,
    ) -> Result<()> {
        if ranks.is_empty() {
            return Ok(());
        }
        let start = self.place(ranks.start)?;
        let end = match ranks.end < self.count {
            true => self.place(ranks.end)?,
            false => self.arena.len(),
        };
        let Some(searched) = self.arena.get(start..end) else {
            return Err(out_of_order());
        };
        let mut locate = Locate::new(self);
        let mut last = None;
        search.each_place(searched, |found| {
            let rank = locate.advance_to(start + found)?;
            if last == Some(rank) {
                return Ok(());
            }
            last = Some(rank);
            each(rank, start + found)
        })
    }

    /// The value around a place in the arena that is not an end of value.
    pub(crate) fn around(&self, place: usize) -> Result<&'a str> {
        let before = self.arena.get(..place).ok_or_else(unclosed)?;
        let start = memrchr(VALUE_END, before).map_or(0, |end| end + 1);
        text(value_at(self.arena, start)?)
    }

    /// The first rank whose value is not `below`, which holds for the values up to some rank and
    /// none after it.
    fn lower_bound(&self, below: impl Fn(&[u8]) -> bool) -> Result<u32> {
        let (mut low, mut high) = (0u32, self.blocks());
        while low < high {
            let middle = low + (high - low) / 2;
            match below(value_at(self.arena, self.block_start(middle)?)?) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        // The first value of block `low` is not below, so the answer is in the block before it.
        let Some(block) = low.checked_sub(1) else {
            return Ok(0);
        };
        let mut start = self.block_start(block)?;
        let mut rank = block * VALUES_PER_RESTART;
        let end = self.count.min(rank + VALUES_PER_RESTART);
        while rank < end {
            let value = value_at(self.arena, start)?;
            if !below(value) {
                break;
            }
            start += value.len() + 1;
            rank += 1;
        }
        Ok(rank)
    }

    fn blocks(&self) -> u32 {
        self.count.div_ceil(VALUES_PER_RESTART)
    }

    fn block_start(&self, block: u32) -> Result<usize> {
        let entry = &self.restarts[block as usize];
        let start = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]) as usize;
        if start >= self.arena.len() {
            return Err(Error::corrupt(
                "a restart of the label values lies outside of them",
            ));
        }
        Ok(start)
    }

    /// Where in the arena the value of a rank begins.
    fn place(&self, rank: u32) -> Result<usize> {
        if rank >= self.count {
            return Err(Error::corrupt(format!(
                "label value {rank} is asked for, the name has {}",
                self.count
            )));
        }
        let start = self.block_start(rank / VALUES_PER_RESTART)?;
        let skip = rank % VALUES_PER_RESTART;
        if skip == 0 {
            return Ok(start);
        }
        memchr_iter(VALUE_END, &self.arena[start..])
            .nth(skip as usize - 1)
            .map(|end| start + end + 1)
            .ok_or_else(unclosed)
    }
}

/// Finds which value a position lies in, for positions that ascend.
struct Locate<'v, 'a> {
    values: &'v Values<'a>,
    rank: u32,
    /// Where the counting of ends stopped: in the value of `rank`.
    position: usize,
}

impl<'v, 'a> Locate<'v, 'a> {
    fn new(values: &'v Values<'a>) -> Self {
        Locate {
            values,
            rank: 0,
            position: 0,
        }
    }

    /// The rank of the value around `position`.
    fn advance_to(&mut self, position: usize) -> Result<u32> {
        self.skip_blocks(position);
        let Some(between) = self.values.arena.get(self.position..position) else {
            return Err(out_of_order());
        };
        // The count cannot exceed the arena's bytes, which are less than 4 GiB.
        let ends = memchr_iter(VALUE_END, between).count() as u32;
        self.position = position;
        self.rank = self.rank.saturating_add(ends);
        match self.rank < self.values.count {
            true => Ok(self.rank),
            false => Err(Error::corrupt(
                "there are more label values than their count",
            )),
        }
    }

    /// Goes on to the last restart that is not behind `position`, in steps that double: mostly it
    /// is near.
    fn skip_blocks(&mut self, position: usize) {
        let restarts = self.values.restarts;
        let starts_before = |entry: &[u8; RESTART_BYTES]| {
            u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]) as usize <= position
        };
        let next = (self.rank / VALUES_PER_RESTART) as usize + 1;
        let mut step = 1;
        while restarts.get(next + step - 1).is_some_and(starts_before) {
            step *= 2;
        }
        if step == 1 {
            return;
        }
        // The restart at `step / 2` is before the position, the one at `step` is not.
        let rest = &restarts[next + step / 2 - 1..restarts.len().min(next + step)];
        let block = next + step / 2 - 2 + rest.partition_point(starts_before);
        let start = restarts[block];
        self.position = u32::from_le_bytes([start[0], start[1], start[2], start[3]]) as usize;
        // The table has as many entries as fit in 32 bits, since the count of values does.
        self.rank = block as u32 * VALUES_PER_RESTART;
    }
}

fn out_of_order() -> Error {
    Error::corrupt("the restarts of the label values are out of order")
}

fn value_at(arena: &[u8], start: usize) -> Result<&[u8]> {
    let rest = arena.get(start..).unwrap_or_default();
    let end = memchr(VALUE_END, rest).ok_or_else(unclosed)?;
    Ok(&rest[..end])
}

/// A value as text; values are not checked before they are looked at.
pub(crate) fn text(value: &[u8]) -> Result<&str> {
    std::str::from_utf8(value).map_err(|_| Error::corrupt("a label value is not UTF-8"))
}

fn unclosed() -> Error {
    Error::corrupt("a label value has no end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn section(names: &[(&str, Vec<String>)]) -> Vec<u8> {
        let mut writer = SymbolWriter::default();
        for (name, values) in names {
            writer.begin_name(name, 0);
            for (rank, value) in values.iter().enumerate() {
                writer.value(value, rank as u64).unwrap();
            }
            writer.end_name();
        }
        writer.finish()
    }

    fn containing(values: Values<'_>, ranks: Range<u32>, literal: &str) -> Vec<u32> {
        let mut found = Vec::new();
        values
            .for_each_found(ranks, &Search::one(literal), |rank, place| {
                assert_eq!(values.value(rank).unwrap(), values.around(place).unwrap());
                found.push(rank);
                Ok(())
            })
            .unwrap();
        found
    }

    proptest! {
        #[test]
        fn every_search_equals_the_plain_one(
            set in prop::collection::btree_set("[abé]{1,5}", 1..120),
            probe in "[abé]{0,3}",
            cut in 0u32..120,
        ) {
            let plain: Vec<String> = set.into_iter().collect();
            let bytes = section(&[("a", vec!["x".into()]), ("b", plain.clone())]);
            let directory = SymbolDirectory::read(&bytes).unwrap();
            let symbols = Symbols::new(&bytes, &directory);
            prop_assert_eq!(symbols.find_name("b"), Some(1));
            prop_assert_eq!(symbols.find_name("c"), None);
            let values = symbols.values(1).unwrap();
            let ranks_where = |accept: &dyn Fn(&str) -> bool| -> Vec<u32> {
                let all = plain.iter().enumerate();
                all.filter(|(_, value)| accept(value)).map(|(rank, _)| rank as u32).collect()
            };
            for (rank, value) in plain.iter().enumerate() {
                prop_assert_eq!(values.value(rank as u32).unwrap(), value);
                prop_assert_eq!(values.find(value).unwrap(), Some(rank as u32));
            }
            let equal = ranks_where(&|value| value == probe);
            prop_assert_eq!(values.find(&probe).unwrap(), equal.first().copied());
            let prefix: Vec<u32> = values.with_prefix(&probe).unwrap().collect();
            prop_assert_eq!(prefix, ranks_where(&|value| value.starts_with(&probe)));
            if !probe.is_empty() {
                let all = ranks_where(&|value| value.contains(&probe));
                prop_assert_eq!(containing(values, 0..values.count(), &probe), all.clone());
                let cut = cut.min(values.count());
                let (low, high): (Vec<u32>, Vec<u32>) =
                    all.into_iter().partition(|&rank| rank < cut);
                prop_assert_eq!(containing(values, 0..cut, &probe), low);
                prop_assert_eq!(containing(values, cut..values.count(), &probe), high);
            }
        }
    }

    #[test]
    fn cuts_and_flips_never_panic() {
        let many = (0..40).map(|number| format!("value-{number:03}")).collect();
        let bytes = section(&[("job", vec!["api".into(), "db".into()]), ("pod", many)]);
        let read_all = |bytes: &[u8]| {
            let Ok(directory) = SymbolDirectory::read(bytes) else {
                return;
            };
            let symbols = Symbols::new(bytes, &directory);
            for name in 0..symbols.name_count() as u32 {
                let Some(values) = symbols.values(name) else {
                    continue;
                };
                // Whatever these answer, they must not panic: the checksum above tells damage.
                let _ = values.find("value-020");
                let _ = values.with_prefix("value-0");
                let _ = values.value(values.count() - 1);
                let _ = values.for_each(0..values.count(), |_, _| Ok(ControlFlow::Continue(())));
                let _ =
                    values.for_each_found(1..values.count(), &Search::one("-02"), |_, place| {
                        values.around(place).map(|_| ())
                    });
            }
        };
        for end in 0..bytes.len() {
            assert!(
                SymbolDirectory::read(&bytes[..end]).is_err(),
                "cut at {end}"
            );
        }
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[position] ^= 1 << bit;
                read_all(&damaged);
            }
        }
    }
}
