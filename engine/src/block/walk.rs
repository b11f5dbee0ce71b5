//! Walks the series of a block in label order, each with its id and labels.

use crate::block::BlockReader;
use crate::block::footer::Section;
use crate::block::ids::Ids;
use crate::error::{Error, Result};
use crate::index::rows::RowWalk;
use crate::index::sealed::LabelTexts;
use crate::labels::set::{Labels, SeriesId};

/// Stands at one series of a block, the first after [`SeriesWalk::open`].
pub(crate) struct SeriesWalk<'r> {
    reader: &'r BlockReader,
    ids: Ids<'r>,
    rows: RowWalk<'r>,
    texts: LabelTexts<'r>,
    ordinal: u32,
    id: SeriesId,
    labels: Vec<u8>,
}

impl<'r> SeriesWalk<'r> {
    /// A walk at the first series; `None` where the block has none.
    pub(crate) fn open(reader: &'r BlockReader) -> Result<Option<Self>> {
        if reader.series_count() == 0 {
            return Ok(None);
        }
        let index = reader.index_with(Section::Symbols)?;
        let rows = reader.rows()?.walk(0);
        let mut walk = SeriesWalk {
            reader,
            ids: reader.ids()?,
            rows: rows.map_err(|error| reader.placed(error, Section::Rows))?,
            texts: index.label_texts(),
            ordinal: 0,
            id: SeriesId([0; 16]),
            labels: Vec::new(),
        };
        walk.read()?;
        Ok(Some(walk))
    }

    /// Steps to the next series; false, and it stays, at the last one.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        if self.ordinal + 1 >= self.reader.series_count() {
            return Ok(false);
        }
        self.ordinal += 1;
        self.read()?;
        Ok(true)
    }

    fn read(&mut self) -> Result<()> {
        let Some(id) = self.ids.id(self.ordinal) else {
            let error = Error::corrupt(format!("series {} is not in the block", self.ordinal));
            return Err(self.reader.placed(error, Section::Ids));
        };
        self.id = id;
        self.labels.clear();
        let row = self.rows.advance_to(self.ordinal);
        row.and_then(|row| self.texts.append(row, &mut self.labels))
            .map_err(|error| self.reader.placed(error, Section::Rows))
    }

    pub(crate) fn reader(&self) -> &'r BlockReader {
        self.reader
    }

    pub(crate) fn ordinal(&self) -> u32 {
        self.ordinal
    }

    pub(crate) fn id(&self) -> SeriesId {
        self.id
    }

    pub(crate) fn labels(&self) -> Labels<'_> {
        Labels::trusted(&self.labels)
    }
}
