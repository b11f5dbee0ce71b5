//! Rows: aligned in columns for people, or as CSV.
//!
//! The first rows are held back to find the widths; later ones are written as they come, so a table
//! of any length takes no memory.

use crate::cli::output::{Format, Out, Stop};

/// Rows that are held back.
const LOOKED_AT: usize = 1000;

/// On which side the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A table that is being written.
pub(super) struct Table {
    columns: Vec<(&'static str, Side)>,
    /// Rows that wait, and none once the widths are known.
    held: Option<Vec<Vec<String>>>,
    widths: Vec<usize>,
    is_csv: bool,
    rows: u64,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Side)], format: Format) -> Table {
        Table {
            columns: columns.to_vec(),
            held: Some(Vec::new()),
            widths: Vec::new(),
            is_csv: format == Format::Csv,
            rows: 0,
        }
    }

    pub(super) fn row(&mut self, out: &mut Out, cells: Vec<String>) -> Result<(), Stop> {
        self.rows += 1;
        if self.is_csv {
            if self.held.take().is_some() {
                let titles = self.columns.iter().map(|(title, _)| title.to_lowercase());
                out.text(&csv(&titles.collect::<Vec<_>>()))?;
            }
            return out.text(&csv(&cells));
        }
        match &mut self.held {
            Some(held) if held.len() < LOOKED_AT => {
                held.push(cells);
                Ok(())
            }
            Some(_) => {
                self.release(out)?;
                out.text(&self.aligned(&cells))
            }
            None => out.text(&self.aligned(&cells)),
        }
    }

    /// Writes what is held back. A table without rows is nothing at all.
    pub(super) fn end(&mut self, out: &mut Out) -> Result<(), Stop> {
        if !self.is_csv && self.rows > 0 {
            self.release(out)?;
        }
        out.flush()
    }

    fn release(&mut self, out: &mut Out) -> Result<(), Stop> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let titles: Vec<String> = self
            .columns
            .iter()
            .map(|(title, _)| (*title).to_owned())
            .collect();
        let all = || std::iter::once(&titles).chain(&held);
        self.widths = (0..titles.len())
            .map(|column| all().map(|row| width(&row[column])).max().unwrap_or(0))
            .collect();
        for row in all() {
            out.text(&self.aligned(row))?;
        }
        Ok(())
    }

    fn aligned(&self, cells: &[String]) -> String {
        let mut line = String::new();
        let last = cells.len().saturating_sub(1);
        for (place, cell) in cells.iter().enumerate() {
            let gap = " ".repeat(self.widths[place].saturating_sub(width(cell)));
            match self.columns[place].1 {
                Side::Left if place == last => line.push_str(cell),
                Side::Left => line.extend([cell, gap.as_str()]),
                Side::Right => line.extend([gap.as_str(), cell]),
            }
            line.push_str(if place == last { "\n" } else { "  " });
        }
        line
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// A line of CSV, quoted where RFC 4180 wants it.
fn csv(cells: &[String]) -> String {
    let quoted = cells
        .iter()
        .map(|cell| match cell.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        let cells = ["a", "b,c", "d\"e"].map(str::to_owned);
        assert_eq!(csv(&cells), "a,\"b,c\",\"d\"\"e\"\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("A", Side::Left), ("B", Side::Right)], Format::Table);
        table.widths = vec![3, 5];
        assert_eq!(table.aligned(&["x".into(), "12".into()]), "x       12\n");
        assert_eq!(table.aligned(&["xyzw".into(), "1".into()]), "xyzw      1\n");
    }
}
