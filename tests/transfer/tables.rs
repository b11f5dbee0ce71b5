//! Tables of Parquet, read by the reader of the crate that writes them.

use std::fs::File;
use std::path::Path;

use chronolith_engine::labels::LabelSet;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};

use super::bed::{fill_logs, fill_metrics, inside, logs, metrics, ran, text};
use crate::http::bed::Folder;

fn rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(Result::unwrap).collect()
}

fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
    let mut columns = row.get_column_iter();
    let found = columns.find(|(known, _)| *known == name);
    found.map(|(_, field)| field).unwrap()
}

fn string(field: &Field) -> &str {
    match field {
        Field::Str(text) => text,
        other => unreachable!("{other:?} is no text"),
    }
}

/// The map of a row as labels, with what else belongs to them.
fn labels(row: &Row, column: &str, name: Option<&str>) -> LabelSet {
    let Field::MapInternal(map) = field(row, column) else {
        unreachable!("{column} is no map");
    };
    let pairs = map.entries().iter();
    let pairs = pairs.map(|(name, value)| (string(name), string(value)));
    let name = name.map(|name| ("__name__", name));
    LabelSet::from_pairs(pairs.chain(name)).unwrap()
}

#[test]
fn a_table_has_every_float_bit_for_bit_and_no_histogram() {
    let folder = Folder::new();
    let (data, table) = (inside(&folder, "data"), inside(&folder, "table"));
    fill_metrics(&data);
    let command = ["export", "parquet", text(&table), "--data", text(&data)];
    assert!(ran(&command));
    let mut found: Vec<String> = rows(&table)
        .iter()
        .map(|row| {
            let Field::TimestampMillis(time) = field(row, "timestamp") else {
                unreachable!("no time in milliseconds");
            };
            let Field::Double(value) = field(row, "value") else {
                unreachable!("no double");
            };
            let labels = labels(row, "labels", Some(string(field(row, "metric"))));
            format!("{} {time} {:x}", labels.as_labels(), value.to_bits())
        })
        .collect();
    found.sort();
    let expected: Vec<String> = metrics(&data)
        .into_iter()
        .filter(|line| !line.contains("latency"))
        .collect();
    assert_eq!(expected.len(), 3 * 700);
    assert_eq!(found, expected);
    assert!(!ran(&command), "a file that is there is not written over");
}

#[test]
fn a_table_of_lines_has_their_labels_and_metadata() {
    let folder = Folder::new();
    let (data, table) = (inside(&folder, "data"), inside(&folder, "table"));
    fill_logs(&data);
    let command = ["export", "log-parquet", text(&table), "--data", text(&data)];
    assert!(ran(&command));
    let mut found: Vec<String> = rows(&table)
        .iter()
        .map(|row| {
            let Field::Long(time) = field(row, "timestamp") else {
                unreachable!("no time in nanoseconds: {:?}", field(row, "timestamp"));
            };
            let labels = labels(row, "labels", None);
            let metadata = self::labels(row, "metadata", None);
            let line = string(field(row, "line"));
            let (labels, metadata) = (labels.as_labels(), metadata.as_labels());
            format!("{labels} {time} {line} {metadata}")
        })
        .collect();
    found.sort();
    assert_eq!(found, logs(&data));
    assert_eq!(found.len(), 120);
}

#[test]
fn a_selector_narrows_a_table_and_nothing_makes_an_empty_one() {
    let folder = Folder::new();
    let (data, part, none) = (
        inside(&folder, "data"),
        inside(&folder, "part"),
        inside(&folder, "none"),
    );
    fill_metrics(&data);
    let export = |table: &Path, selector: &str| {
        let command = ["export", "parquet", text(table), "--data", text(&data)];
        ran(&[&command[..], &["--match", selector]].concat())
    };
    assert!(export(&part, "cpu{host=\"b\"}"));
    assert_eq!(rows(&part).len(), 700);
    assert!(export(&none, "nothing"));
    assert_eq!(rows(&none).len(), 0);
}
