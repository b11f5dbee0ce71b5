//! Checks everything that a block promises: every checksum, and that its parts agree with each
//! other.
//!
//! Goes on after what it finds, so that an operator sees the whole of the damage. Reads every byte
//! and takes memory for all postings of the block: for tools and tests, never on the way to an
//! answer.

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use crate::block::chunks::Stand;
use crate::block::footer::{SECTIONS, Section};
use crate::block::header::HEADER_BYTES;
use crate::block::reader::BlockReader;
use crate::codec::tokens::Needle;
use crate::error::{Error, Result};
use crate::index::rows::LabelRank;
use crate::index::select::IndexView;
use crate::labels::set::{LabelSet, Labels};
use crate::time::TickRange;

impl BlockReader {
    /// Everything that is wrong with the block; empty if nothing is.
    pub(crate) fn verify(&self) -> Vec<Error> {
        let mut found: Vec<Error> = SECTIONS
            .iter()
            .filter_map(|&section| self.section(section).err())
            .collect();
        let checks: [fn(&BlockReader) -> Result<()>; 5] = [
            BlockReader::verify_labels,
            BlockReader::verify_postings,
            BlockReader::verify_ids,
            BlockReader::verify_chunks,
            BlockReader::verify_layout,
        ];
        // A damaged section was named above; a check that stumbles over it again says nothing new.
        let known: Vec<String> = found.iter().map(Error::to_string).collect();
        let fresh = |error: &Error| !known.contains(&error.to_string());
        found.extend(
            checks
                .iter()
                .filter_map(|check| check(self).err().map(|error| error.at_path(self.path())))
                .filter(fresh),
        );
        for page in 0..self.page_count() {
            for strip in 0..self.strip_count() {
                let stored = self.stored_strip(page, strip);
                match stored.and_then(|stored| self.decode_page(page, strip, stored)) {
                    Ok(_) => {}
                    Err(error) if fresh(&error) => found.push(error),
                    Err(_) => {}
                }
            }
        }
        found.extend(self.verify_shared_pages().into_iter().filter(fresh));
        found
    }

    fn broken(&self, message: String) -> Error {
        Error::corrupt(message).at_path(self.path())
    }

    /// Label sets are canonical and ascend, and ids are theirs.
    fn verify_labels(&self) -> Result<()> {
        let mut previous: Option<LabelSet> = None;
        let mut bytes = Vec::new();
        for ordinal in 0..self.series_count() {
            bytes.clear();
            self.labels(ordinal, &mut bytes)?;
            let labels = Labels::from_bytes(&bytes)?;
            if previous
                .as_ref()
                .is_some_and(|previous| previous.as_labels() >= labels)
            {
                return Err(self.broken(format!("series {ordinal} is not in label order")));
            }
            if self.series_id(ordinal)? != labels.id() {
                return Err(self.broken(format!("series {ordinal} has the id of another")));
            }
            previous = Some(labels.to_set());
        }
        Ok(())
    }

    /// Postings say what the rows say.
    fn verify_postings(&self) -> Result<()> {
        let rows = self.rows()?;
        let index = self.index_with(Section::Postings)?;
        let mut expected: HashMap<LabelRank, RoaringBitmap> = HashMap::new();
        let mut with_name: HashMap<u32, RoaringBitmap> = HashMap::new();
        let mut row = Vec::new();
        for ordinal in 0..rows.count() {
            rows.row(ordinal, &mut row)?;
            for label in &row {
                expected.entry(*label).or_default().insert(ordinal);
                with_name.entry(label.name).or_default().insert(ordinal);
            }
        }
        let mut seen = 0;
        for name in 0..u32::try_from(index.symbols.name_count()).unwrap_or(u32::MAX) {
            let Some((text, values)) = index.symbols.name(name).zip(index.symbols.values(name))
            else {
                break;
            };
            if Some(&index.with_label(text)?) != with_name.get(&name) {
                return Err(self.broken(format!("the series that have label {text:?} are wrong")));
            }
            let mut previous: Option<&str> = None;
            for value in 0..values.count() {
                let value_text = values.value(value)?;
                if previous.is_some_and(|previous| previous >= value_text) {
                    return Err(self.broken(format!("the values of label {text:?} are unsorted")));
                }
                previous = Some(value_text);
                let found = IndexView::postings(&index, text, value_text)?;
                if found.as_ref() != expected.get(&LabelRank { name, value }) {
                    return Err(
                        self.broken(format!("the postings of {text}={value_text:?} are wrong"))
                    );
                }
                seen += 1;
            }
        }
        match seen == expected.len() {
            true => Ok(()),
            false => Err(self.broken("series have labels that the symbols lack".to_owned())),
        }
    }

    fn verify_ids(&self) -> Result<()> {
        let ids = self.ids()?;
        match ids.first_disorder()? {
            Some(place) => Err(self.broken(format!("series ids are out of order at {place}"))),
            None => Ok(()),
        }
    }

    /// Chunks lie in their pages and add up to what the footer says.
    fn verify_chunks(&self) -> Result<()> {
        let (mut chunks, mut entries) = (0u64, 0u64);
        let mut hull: Option<TickRange> = None;
        let (mut metas, mut stand) = (Vec::new(), Stand::default());
        for ordinal in 0..self.series_count() {
            self.chunks_on(ordinal, &mut stand, &mut metas)?;
            for meta in &metas {
                chunks += 1;
                entries += u64::from(meta.count);
                self.summary(meta)?;
                if let Some(column) = meta.shared {
                    self.shared_columns()?.column(column)?;
                }
                for strip in 0..self.strip_count() {
                    let place = meta.strips[strip];
                    let end = u64::from(place.offset) + u64::from(place.length);
                    if end > u64::from(self.stored_strip(meta.page, strip)?.raw) {
                        return Err(self.broken(format!(
                            "a chunk of series {ordinal} reaches beyond page {}",
                            meta.page
                        )));
                    }
                }
                let hull = hull.get_or_insert(meta.range);
                hull.start = hull.start.min(meta.range.start);
                hull.end = hull.end.max(meta.range.end);
            }
        }
        let counted = (chunks, entries) == (self.chunk_count(), self.entry_count());
        match counted && hull.is_none_or(|hull| hull == self.range()) {
            true => Ok(()),
            false => Err(self.broken("chunks do not add up to what the footer says".to_owned())),
        }
    }

    /// Pages lie behind each other without gaps, and every page has a filter that can be read.
    fn verify_layout(&self) -> Result<()> {
        let mut places = Vec::new();
        for page in 0..self.page_count() {
            for strip in 0..self.strip_count() {
                places.push(self.stored_strip(page, strip)?);
            }
            self.page_may_hold(page, &Needle::default())?;
        }
        let columns = self.shared_columns()?;
        for page in 0..columns.page_count() {
            places.push(columns.page(page)?.stored);
        }
        // An empty strip stands before the one that begins where it does.
        places.sort_by_key(|place| (place.offset, place.stored));
        let mut next = HEADER_BYTES as u64;
        for place in places {
            if place.offset != next {
                return Err(self.broken(format!("there is a gap between pages before {next}")));
            }
            next += u64::from(place.stored);
        }
        match next == self.pages_end() {
            true => Ok(()),
            false => Err(self.broken("there are bytes between the pages and the index".to_owned())),
        }
    }

    /// Everything that is wrong with the pages of shared columns.
    fn verify_shared_pages(&self) -> Vec<Error> {
        let Ok(columns) = self.shared_columns() else {
            return Vec::new();
        };
        let read = |page: u32| {
            let stored = columns.page(page)?.stored;
            self.read_checked(stored, || format!("page {page} of columns"))
        };
        (0..columns.page_count())
            .filter_map(|page| read(page).err())
            .collect()
    }
}
