//! Builds the index of a block from its label sets, given in ascending order.
//!
//! Owns the way from texts to ranks: while sets arrive, names and values are interned and rows kept
//! in the compact form of `rows`; at the end everything is ranked once and written. Ordinals
//! ascend, so postings are born sorted. Memory is what the distinct texts take, a few bytes a label
//! while sets arrive, and at the end four bytes a label. It knows neither files nor what a series
//! holds.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::error::{Error, Result};
use crate::index::postings::{write_bitmap, write_postings};
use crate::index::rows::{LabelRank, RowWalk, RowWriter, Rows};
use crate::index::symbols::SymbolWriter;
use crate::labels::set::Labels;
use roaring::RoaringBitmap;

/// The three sections that an index is made of.
pub(crate) struct IndexSections {
    pub(crate) symbols: Vec<u8>,
    pub(crate) postings: Vec<u8>,
    pub(crate) rows: Vec<u8>,
}

/// Takes label sets in ascending order and makes an index of them.
pub(crate) struct IndexBuilder {
    names: Vec<Name>,
    name_table: HashTable<u32>,
    pairs: Vec<Pair>,
    pair_table: HashTable<u32>,
    texts: Vec<u8>,
    hasher: RandomState,
    /// Rows in order of arrival: `name` is a place in `names`, `value` one in `pairs`.
    rows: RowWriter,
    previous: Vec<LabelRank>,
    current: Vec<LabelRank>,
    labels: u64,
}

struct Name {
    text: String,
    /// The series that have the name, as runs of ordinals: (first, last).
    runs: Vec<(u32, u32)>,
}

/// A name with a value, and where the value's text lies.
struct Pair {
    name: u32,
    length: u32,
    start: usize,
    series: u32,
}

impl IndexBuilder {
    pub(crate) fn new() -> Self {
        IndexBuilder {
            names: Vec::new(),
            name_table: HashTable::new(),
            pairs: Vec::new(),
            pair_table: HashTable::new(),
            texts: Vec::new(),
            hasher: RandomState::default(),
            rows: RowWriter::default(),
            previous: Vec::new(),
            current: Vec::new(),
            labels: 0,
        }
    }

    pub(crate) fn series_count(&self) -> u32 {
        self.rows.count()
    }

    /// Adds the next series. Label sets come in strictly ascending order; another one is refused
    /// and not added.
    pub(crate) fn push(&mut self, labels: Labels<'_>) -> Result<()> {
        let ordinal = self.rows.count();
        if ordinal > 0 && !self.is_after_previous(labels) {
            return Err(Error::invalid(format!(
                "series {labels} does not come after the one before: label sets must ascend"
            )));
        }
        let mut current = std::mem::take(&mut self.current);
        current.clear();
        for (place, (name, value)) in labels.iter().enumerate() {
            let label = self.intern(place, name, value)?;
            self.pairs[label.value as usize].series += 1;
            extend_runs(&mut self.names[label.name as usize].runs, ordinal);
            current.push(label);
        }
        self.rows.push(&current)?;
        self.labels += current.len() as u64;
        self.current = std::mem::replace(&mut self.previous, current);
        Ok(())
    }

    /// Compares with the set before, whose texts are interned, up to the first difference.
    fn is_after_previous(&self, labels: Labels<'_>) -> bool {
        let mut previous = self.previous.iter();
        for (name, value) in labels.iter() {
            let Some(label) = previous.next() else {
                return true;
            };
            let old_name = self.names[label.name as usize].text.as_str();
            let old_value = self.pair_text(&self.pairs[label.value as usize]);
            match (name, value.as_bytes()).cmp(&(old_name, old_value)) {
                std::cmp::Ordering::Equal => {}
                unequal => return unequal.is_gt(),
            }
        }
        false
    }

    /// Finds or adds a label. Neighbours in label order share most labels, place by place, so that
    /// is asked first.
    fn intern(&mut self, place: usize, name: &str, value: &str) -> Result<LabelRank> {
        let guess = self.previous.get(place).copied();
        let guess = guess.filter(|label| self.names[label.name as usize].text == name);
        if let Some(label) = guess
            && self.pair_text(&self.pairs[label.value as usize]) == value.as_bytes()
        {
            return Ok(label);
        }
        let name = match guess {
            Some(label) => label.name,
            None => self.intern_name(name)?,
        };
        let value = self.intern_pair(name, value)?;
        Ok(LabelRank { name, value })
    }

    fn intern_name(&mut self, text: &str) -> Result<u32> {
        let (hasher, names) = (self.hasher.clone(), &self.names);
        let hash = hasher.hash_one(text);
        if let Some(&found) = self
            .name_table
            .find(hash, |&name| names[name as usize].text == text)
        {
            return Ok(found);
        }
        let id = next_id(self.names.len())?;
        self.names.push(Name {
            text: text.to_owned(),
            runs: Vec::new(),
        });
        let names = &self.names;
        self.name_table.insert_unique(hash, id, |&name| {
            hasher.hash_one(names[name as usize].text.as_str())
        });
        Ok(id)
    }

    fn intern_pair(&mut self, name: u32, value: &str) -> Result<u32> {
        let (hasher, pairs, texts) = (self.hasher.clone(), &self.pairs, &self.texts);
        let text = |pair: &Pair| &texts[pair.start..pair.start + pair.length as usize];
        let hash = hasher.hash_one((name, value.as_bytes()));
        let is_it = |&id: &u32| {
            let pair = &pairs[id as usize];
            pair.name == name && text(pair) == value.as_bytes()
        };
        if let Some(&found) = self.pair_table.find(hash, is_it) {
            return Ok(found);
        }
        let id = next_id(pairs.len())?;
        let length =
            u32::try_from(value.len()).map_err(|_| Error::limit("a label value exceeds 4 GiB"))?;
        self.pair_table.insert_unique(hash, id, |&id| {
            let pair = &pairs[id as usize];
            hasher.hash_one((pair.name, text(pair)))
        });
        self.pairs.push(Pair {
            name,
            length,
            start: self.texts.len(),
            series: 0,
        });
        self.texts.extend_from_slice(value.as_bytes());
        Ok(id)
    }

    fn pair_text(&self, pair: &Pair) -> &[u8] {
        &self.texts[pair.start..pair.start + pair.length as usize]
    }

    /// Ranks everything and writes the sections.
    pub(crate) fn finish(mut self) -> Result<IndexSections> {
        let arrived = std::mem::take(&mut self.rows).finish();
        let arrived = Rows::read(&arrived)?;
        let ranking = Ranking::new(&self);
        let (rows, ordinals) = self.rank_rows(arrived, &ranking)?;
        let (symbols, postings) = self.write_names(&ranking, &ordinals)?;
        Ok(IndexSections {
            symbols,
            postings,
            rows,
        })
    }

    /// Translates the rows to ranks, and deals the ordinals out to the pairs in the same pass.
    fn rank_rows(&self, arrived: Rows<'_>, ranking: &Ranking) -> Result<(Vec<u8>, Vec<u32>)> {
        let labels = usize::try_from(self.labels)
            .map_err(|_| Error::limit("a block has more labels than memory can count"))?;
        let mut ordinals = vec![0u32; labels];
        let mut ends = ranking.starts.clone();
        let mut writer = RowWriter::default();
        let mut ranked = Vec::new();
        let mut walk: Option<RowWalk<'_>> = None;
        for ordinal in 0..arrived.count() {
            let walk = match &mut walk {
                Some(walk) => walk,
                None => walk.insert(arrived.walk(ordinal)?),
            };
            ranked.clear();
            for label in walk.advance_to(ordinal)? {
                let end = &mut ends[label.value as usize];
                ordinals[*end] = ordinal;
                *end += 1;
                ranked.push(LabelRank {
                    name: ranking.names[label.name as usize],
                    value: ranking.values[label.value as usize],
                });
            }
            writer.push(&ranked)?;
        }
        Ok((writer.finish(), ordinals))
    }

    fn write_names(&self, ranking: &Ranking, ordinals: &[u32]) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut symbols = SymbolWriter::default();
        let mut postings = Vec::new();
        let mut open: Option<u32> = None;
        for &id in &ranking.order {
            let pair = &self.pairs[id as usize];
            if open != Some(pair.name) {
                if open.is_some() {
                    symbols.end_name();
                }
                let name = &self.names[pair.name as usize];
                symbols.begin_name(&name.text, postings.len() as u64);
                write_bitmap(bitmap_of_runs(&name.runs), &mut postings);
                open = Some(pair.name);
            }
            let value = std::str::from_utf8(self.pair_text(pair))
                .expect("the text was copied from a label set");
            symbols.value(value, postings.len() as u64)?;
            let start = ranking.starts[id as usize];
            write_postings(
                &ordinals[start..start + pair.series as usize],
                &mut postings,
            );
        }
        if open.is_some() {
            symbols.end_name();
        }
        Ok((symbols.finish(), postings))
    }
}

/// The order of names and pairs by text, once all of them are known.
struct Ranking {
    /// For each name in order of arrival, its rank.
    names: Vec<u32>,
    /// For each pair in order of arrival, its rank among the values of its name.
    values: Vec<u32>,
    /// For each pair in order of arrival, where its ordinals begin.
    starts: Vec<usize>,
    /// Pairs by name and value.
    order: Vec<u32>,
}

impl Ranking {
    fn new(builder: &IndexBuilder) -> Self {
        // Places fit in 32 bits: `next_id` checked that when they were given.
        let mut by_text: Vec<u32> = (0..builder.names.len() as u32).collect();
        by_text.sort_unstable_by_key(|&name| builder.names[name as usize].text.as_str());
        let mut names = vec![0; by_text.len()];
        for (rank, &name) in by_text.iter().enumerate() {
            names[name as usize] = rank as u32;
        }
        let pairs = &builder.pairs;
        let mut order: Vec<u32> = (0..pairs.len() as u32).collect();
        order.sort_unstable_by(|&left, &right| {
            let (left, right) = (&pairs[left as usize], &pairs[right as usize]);
            let rank = |pair: &Pair| names[pair.name as usize];
            rank(left)
                .cmp(&rank(right))
                .then_with(|| builder.pair_text(left).cmp(builder.pair_text(right)))
        });
        let mut values = vec![0; pairs.len()];
        let mut starts = vec![0; pairs.len()];
        let (mut name, mut rank, mut start) = (u32::MAX, 0, 0);
        for &id in &order {
            let pair = &pairs[id as usize];
            rank = if pair.name == name { rank + 1 } else { 0 };
            name = pair.name;
            values[id as usize] = rank;
            starts[id as usize] = start;
            start += pair.series as usize;
        }
        Ranking {
            names,
            values,
            starts,
            order,
        }
    }
}

fn next_id(count: usize) -> Result<u32> {
    u32::try_from(count)
        .ok()
        .filter(|&id| id < u32::MAX)
        .ok_or_else(|| Error::limit("a block holds at most 2^32 - 1 distinct labels"))
}

fn extend_runs(runs: &mut Vec<(u32, u32)>, ordinal: u32) {
    match runs.last_mut() {
        Some((_, last)) if *last + 1 == ordinal => *last = ordinal,
        _ => runs.push((ordinal, ordinal)),
    }
}

fn bitmap_of_runs(runs: &[(u32, u32)]) -> RoaringBitmap {
    let mut bitmap = RoaringBitmap::new();
    for &(first, last) in runs {
        bitmap.insert_range(first..=last);
    }
    bitmap
}
