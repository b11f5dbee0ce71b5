//! Walks the series of a block in label order, each with its id and labels.

use crate::block::BlockReader;
use crate::block::footer::Section;
use crate::block::ids::Ids;
use crate::error::{Error, Result};
use crate::index::rows::RowWalk;
use crate::index::sealed::LabelTexts;
use crate::labels::set::{Labels, SeriesId};

/// Reads the label sets of some series in label order: cheaper than one by one.
pub(crate) struct LabelWalk<'r> {
    reader: &'r BlockReader,
    rows: RowWalk<'r>,
    texts: LabelTexts<'r>,
    bytes: Vec<u8>,
}

impl<'r> LabelWalk<'r> {
    /// A walk that may go to `first` and the series behind it.
    pub(crate) fn from(reader: &'r BlockReader, first: u32) -> Result<Self> {
        let (rows, index) = (reader.rows()?, reader.index_with(Section::Symbols)?);
        let rows = rows.walk(first);
        Ok(LabelWalk {
            reader,
            rows: rows.map_err(|error| reader.placed(error, Section::Rows))?,
            texts: index.label_texts(),
            bytes: Vec::new(),
        })
    }

    /// The label set of a series, which must not lie before the last one that was asked for.
    pub(crate) fn labels(&mut self, ordinal: u32) -> Result<Labels<'_>> {
        self.bytes.clear();
        let row = self.rows.advance_to(ordinal);
        row.and_then(|row| self.texts.append(row, &mut self.bytes))
            .map_err(|error| self.reader.placed(error, Section::Rows))?;
        Ok(Labels::trusted(&self.bytes))
    }
}

/// Stands at one series of a block, the first after [`SeriesWalk::open`].
pub(crate) struct SeriesWalk<'r> {
    reader: &'r BlockReader,
    ids: Ids<'r>,
    labels: LabelWalk<'r>,
    ordinal: u32,
    id: SeriesId,
}

impl<'r> SeriesWalk<'r> {
    /// A walk at the first series; `None` where the block has none.
    pub(crate) fn open(reader: &'r BlockReader) -> Result<Option<Self>> {
        if reader.series_count() == 0 {
            return Ok(None);
        }
        let mut walk = SeriesWalk {
            reader,
            ids: reader.ids()?,
            labels: LabelWalk::from(reader, 0)?,
            ordinal: 0,
            id: SeriesId([0; 16]),
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
        self.labels.labels(self.ordinal).map(drop)
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
        Labels::trusted(&self.labels.bytes)
    }
}
