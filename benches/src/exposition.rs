//! Reads recorded OpenMetrics text: lines of `name{label="value",...} value seconds`, sorted by
//! series.

use std::path::PathBuf;

use chronolith_engine::labels::LabelSet;

use crate::fleet::START_MS;

/// The variable that names the directory with shared data.
pub const SHARED: &str = "CHRONOLITH_SHARED";

/// One recorded series.
pub struct Recorded {
    /// Its labels.
    pub labels: LabelSet,
    /// Times in milliseconds, moved so that the recording begins at the fleet's start.
    pub times: Vec<i64>,
    /// The values beside the times.
    pub values: Vec<f64>,
}

/// The recorded node_exporter; `None` where the variable is not set.
pub fn node_exporter() -> Option<Vec<Recorded>> {
    let shared = PathBuf::from(std::env::var_os(SHARED)?);
    let bytes = std::fs::read(shared.join("data/node_exporter_15s.om.zst")).ok()?;
    let text = zstd::decode_all(&bytes[..]).ok()?;
    parse(std::str::from_utf8(&text).ok()?)
}

fn parse(text: &str) -> Option<Vec<Recorded>> {
    let mut all: Vec<Recorded> = Vec::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (rest, time) = line.rsplit_once(' ')?;
        let (series, value) = rest.rsplit_once(' ')?;
        if series != current {
            let labels = labels(series)?;
            all.push(Recorded {
                labels,
                times: Vec::new(),
                values: Vec::new(),
            });
            current = series;
        }
        let recorded = all.last_mut()?;
        recorded
            .times
            .push((time.parse::<f64>().ok()? * 1000.0) as i64);
        recorded.values.push(value.parse().ok()?);
    }
    let start = all
        .iter()
        .filter_map(|recorded| recorded.times.first())
        .min()
        .copied()?;
    for time in all.iter_mut().flat_map(|recorded| &mut recorded.times) {
        *time += START_MS - start;
    }
    Some(all)
}

/// The labels of `name{label="value",...}`.
fn labels(series: &str) -> Option<LabelSet> {
    let (name, mut rest) = series.split_once('{').unwrap_or((series, "}"));
    let mut pairs = vec![("__name__".to_owned(), name.to_owned())];
    while let Some((label, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, plain) => value.push(plain),
            }
        };
        pairs.push((label.trim_start_matches(',').to_owned(), value));
        rest = &after[end + 1..];
    }
    LabelSet::from_pairs(pairs).ok()
}
