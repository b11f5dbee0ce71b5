//! Label sets of a block whose index is damaged in part: rows and postings say the same, so either
//! will do.

use crate::block::BlockReader;
use crate::block::footer::Section;
use crate::error::Result;
use crate::index::rows::LabelRank;
use crate::index::select::IndexView;

/// Where the label sets of a block are read from.
pub(crate) struct LabelSource<'r> {
    reader: &'r BlockReader,
    /// Rows made again from the postings; none where the block's own can be read.
    rows: Option<Vec<Vec<LabelRank>>>,
}

impl<'r> LabelSource<'r> {
    /// Fails where neither rows nor postings can be read, or the symbols cannot.
    pub(crate) fn open(reader: &'r BlockReader) -> Result<Self> {
        reader.index_with(Section::Symbols)?;
        let rows = match reader.rows() {
            Ok(_) => None,
            Err(_) => Some(rows_of_postings(reader)?),
        };
        Ok(LabelSource { reader, rows })
    }

    /// Writes the canonical bytes of a series' label set.
    pub(crate) fn labels(&self, ordinal: u32, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        match &self.rows {
            None => self.reader.labels(ordinal, out),
            Some(rows) => {
                let index = self.reader.index_with(Section::Symbols)?;
                let row = rows.get(ordinal as usize).map_or(&[][..], Vec::as_slice);
                let appended = index.label_texts().append(row, out);
                appended.map_err(|error| self.reader.placed(error, Section::Symbols))
            }
        }
    }
}

/// Each series' labels in the order of their names, as names come in order.
fn rows_of_postings(reader: &BlockReader) -> Result<Vec<Vec<LabelRank>>> {
    let index = reader.index_with(Section::Postings)?;
    let placed = |error| reader.placed(error, Section::Postings);
    // As many as the footer says, which the length of another section has confirmed.
    let mut rows = vec![Vec::new(); reader.series_count() as usize];
    for name in 0..u32::try_from(index.symbols.name_count()).unwrap_or(u32::MAX) {
        let Some((text, values)) = index.symbols.name(name).zip(index.symbols.values(name)) else {
            break;
        };
        for value in 0..values.count() {
            let value_text = values.value(value).map_err(placed)?;
            let found = IndexView::postings(&index, text, value_text).map_err(placed)?;
            for ordinal in found.iter().flatten() {
                rows[ordinal as usize].push(LabelRank { name, value });
            }
        }
    }
    Ok(rows)
}
