//! Results of queries for numbers, shown as they come.

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Value, json};

use crate::cli::notation::{self, Times};
use crate::cli::output::{Format, JsonList, Out, Stop};
use crate::cli::table::{Side, Table};
use crate::reach::{Element, Item};

/// The flag that chooses how times are shown.
pub(super) fn utc_argument() -> Arg {
    Arg::new("utc")
        .long("utc")
        .action(ArgAction::SetTrue)
        .help("Show times as RFC 3339 in UTC instead of seconds since 1970")
}

/// How times are shown.
pub(super) fn times(flags: &ArgMatches) -> Times {
    match flags.get_flag("utc") {
        true => Times::Utc,
        false => Times::Seconds,
    }
}

/// Shows samples.
pub(super) struct Samples {
    times: Times,
    sheet: Sheet,
    count: u64,
}

enum Sheet {
    Rows(Table),
    Json(JsonList),
}

impl Samples {
    pub(super) fn begin(out: &mut Out, format: Format, times: Times) -> Result<Samples, Stop> {
        let columns = [
            ("SERIES", Side::Left),
            ("TIME", Side::Right),
            ("VALUE", Side::Right),
        ];
        let sheet = match format {
            Format::Json => Sheet::Json(JsonList::begin(out)?),
            Format::Table | Format::Csv => Sheet::Rows(Table::new(&columns, format)),
        };
        Ok(Samples {
            times,
            sheet,
            count: 0,
        })
    }

    /// Shows one element of a result.
    pub(super) fn show(&mut self, out: &mut Out, item: Item) -> Result<(), Stop> {
        self.count += 1;
        match (&mut self.sheet, item) {
            (Sheet::Json(list), Item::Series(element)) => list.add(out, &json_of(element)),
            (Sheet::Json(list), Item::Single(time, value)) => {
                list.add(out, &json!([time, value]).to_string())
            }
            (Sheet::Rows(table), Item::Series(element)) => {
                let series = notation::series(&element.metric);
                for (time, value) in points(element) {
                    let cells = [notation::time(&time, self.times), notation::value(&value)];
                    let row = std::iter::once(series.clone()).chain(cells).collect();
                    table.row(out, row)?;
                }
                Ok(())
            }
            (Sheet::Rows(table), Item::Single(time, value)) => {
                let cells = [
                    String::new(),
                    notation::time(&time, self.times),
                    notation::value(&value),
                ];
                table.row(out, cells.into())
            }
            (_, Item::Stream(_) | Item::Listed(_)) => Ok(()),
        }
    }

    /// Ends it, and tells how many there were.
    pub(super) fn end(mut self, out: &mut Out) -> Result<u64, Stop> {
        match &mut self.sheet {
            Sheet::Rows(table) => table.end(out)?,
            Sheet::Json(list) => list.end(out)?,
        }
        Ok(self.count)
    }
}

/// All points of a series, in the order of time.
fn points(element: Element) -> Vec<(Value, Value)> {
    let mut points = element.values;
    points.extend(element.value);
    if !element.histograms.is_empty() || element.histogram.is_some() {
        points.extend(element.histograms);
        points.extend(element.histogram);
        let time = |point: &(Value, Value)| point.0.as_f64().unwrap_or(f64::NAN);
        points.sort_by(|one, other| time(one).total_cmp(&time(other)));
    }
    points
}

/// A series as the API has it.
fn json_of(element: Element) -> String {
    let mut object = json!({ "metric": element.metric });
    let mut put = |name: &str, value: Value| {
        if let Value::Object(fields) = &mut object {
            fields.insert(name.to_owned(), value);
        }
    };
    if let Some((time, value)) = element.value {
        put("value", json!([time, value]));
    }
    if let Some((time, value)) = element.histogram {
        put("histogram", json!([time, value]));
    }
    if !element.values.is_empty() {
        put("values", json!(element.values));
    }
    if !element.histograms.is_empty() {
        put("histograms", json!(element.histograms));
    }
    object.to_string()
}
