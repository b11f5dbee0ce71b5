//! Tables in files of Parquet: rows are gathered into groups, and a group is written column by
//! column when it is full.
//!
//! Knows rows and columns, and neither samples nor lines. What a group holds bounds the memory that
//! a table of any size takes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use chronolith_engine::labels::Labels;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::fault::{Fault, Result};

/// Rows of one group: about what readers take at once.
pub(crate) const GROUP_ROWS_MAX: usize = 128 << 10;

/// Bytes of texts in one group, each counted once for every row that has it.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// Rows of maps that are spread out at once.
const SPREAD_ROWS: usize = 4_096;

/// The column of times: in order within a series, so that differences are small.
const TIMES: &str = "timestamp";

/// Names and values of labels, held once for all rows of a series.
pub(crate) type Map = Rc<[(ByteArray, ByteArray)]>;

/// What labels are in a cell.
pub(crate) fn map<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Map {
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    labels
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// All labels of a series, or of a line's metadata.
pub(crate) fn map_of(labels: Labels<'_>) -> Map {
    map(labels.iter())
}

/// A column of the group that is gathered.
pub(crate) enum Column {
    /// Times, as integers.
    Times(Vec<i64>),
    /// Floats.
    Doubles(Vec<f64>),
    /// Texts.
    Texts(Vec<ByteArray>),
    /// Texts by names.
    Maps(Vec<Map>),
}

/// A file that is being written.
pub(crate) struct Table {
    path: PathBuf,
    writer: SerializedFileWriter<BufWriter<File>>,
}

impl Table {
    /// Makes a file, which must not be there, for rows of this schema.
    pub(crate) fn create(path: &Path, schema: &str) -> Result<Table> {
        let file = File::create_new(path);
        let file = file.map_err(|error| Fault::io("cannot make", path, &error))?;
        let times = ColumnPath::from(TIMES);
        let properties = WriterProperties::builder()
            .set_created_by(format!("chronolith version {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_column_dictionary_enabled(times.clone(), false)
            .set_column_encoding(times, Encoding::DELTA_BINARY_PACKED)
            .build();
        let schema = parse_message_type(schema).map_err(|error| wrong(path, &error))?;
        let writer = SerializedFileWriter::new(
            BufWriter::with_capacity(1 << 20, file),
            Arc::new(schema),
            Arc::new(properties),
        );
        Ok(Table {
            path: path.to_owned(),
            writer: writer.map_err(|error| wrong(path, &error))?,
        })
    }

    /// Writes a group whose columns stand in the order of the schema, all of one length.
    pub(crate) fn group(&mut self, columns: &[Column]) -> Result<()> {
        let path = &self.path;
        let group = self.writer.next_row_group();
        let mut group = group.map_err(|error| wrong(path, &error))?;
        for column in columns {
            column
                .write(&mut group)
                .map_err(|error| wrong(path, &error))?;
        }
        group.close().map_err(|error| wrong(path, &error))?;
        Ok(())
    }

    /// Makes all of it durable.
    pub(crate) fn finish(self) -> Result<()> {
        let (path, writer) = (&self.path, self.writer);
        let mut out = writer.into_inner().map_err(|error| wrong(path, &error))?;
        let synced = out.flush().and_then(|()| out.get_ref().sync_all());
        synced.map_err(|error| Fault::io("cannot write", path, &error))
    }
}

fn wrong(path: &Path, error: &ParquetError) -> Fault {
    Fault::new(format!("cannot write {}: {error}", path.display()))
}

type Written = std::result::Result<(), ParquetError>;
type Group<'a> = SerializedRowGroupWriter<'a, BufWriter<File>>;

impl Column {
    fn write(&self, group: &mut Group<'_>) -> Written {
        match self {
            Column::Times(values) => write_plain::<Int64Type>(group, values),
            Column::Doubles(values) => write_plain::<DoubleType>(group, values),
            Column::Texts(values) => write_plain::<ByteArrayType>(group, values),
            Column::Maps(rows) => {
                write_side(group, rows, |(name, _)| name.clone())?;
                write_side(group, rows, |(_, value)| value.clone())
            }
        }
    }
}

fn write_plain<T: DataType>(group: &mut Group<'_>, values: &[T::T]) -> Written {
    let mut column = group.next_column()?.ok_or_else(too_many)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// One of the two columns that a map is in the file. Levels say which row a text belongs to: 0
/// begins a row, and a row without texts has a place that nothing stands at.
fn write_side(
    group: &mut Group<'_>,
    rows: &[Map],
    side: impl Fn(&(ByteArray, ByteArray)) -> ByteArray,
) -> Written {
    let mut column = group.next_column()?.ok_or_else(too_many)?;
    let (mut texts, mut is_there, mut goes_on) = (Vec::new(), Vec::new(), Vec::new());
    for rows in rows.chunks(SPREAD_ROWS) {
        texts.clear();
        is_there.clear();
        goes_on.clear();
        for row in rows {
            texts.extend(row.iter().map(&side));
            is_there.extend(row.iter().map(|_| 1));
            goes_on.extend((0..row.len()).map(|place| i16::from(place > 0)));
            if row.is_empty() {
                is_there.push(0);
                goes_on.push(0);
            }
        }
        let column = column.typed::<ByteArrayType>();
        column.write_batch(&texts, Some(&is_there), Some(&goes_on))?;
    }
    column.close()
}

fn too_many() -> ParquetError {
    ParquetError::General("a row has more columns than the schema".to_owned())
}

/// How full a group is.
#[derive(Default)]
pub(crate) struct Fill {
    rows: usize,
    bytes: usize,
}

impl Fill {
    /// Counts rows with so many bytes of texts altogether. Whether the group is full.
    pub(crate) fn add(&mut self, rows: usize, bytes: usize) -> bool {
        self.rows += rows;
        self.bytes += bytes;
        self.rows >= GROUP_ROWS_MAX || self.bytes >= GROUP_BYTES_MAX
    }

    /// Whether there is anything to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }
}
