//! A running Loki, or anything else that answers its `query_range`: page by page, forward.
//!
//! A full page may break off among lines of one nanosecond. So the lines of its last nanosecond are
//! left for the next page, which begins there: none is lost and none comes twice.

use serde_json::{Value as Json, json};

use super::fault::{Fault, Result};
use super::job::Job;
use super::lines::{LineBatch, Pairs};
use super::remote::Remote;

/// Without it structured metadata is mixed into the labels of streams.
const FLAGS: (&str, &str) = ("X-Loki-Response-Encoding-Flags", "categorize-labels");

/// What is asked for.
pub(crate) struct LogWish {
    /// A selector, and stages if only some lines are wanted.
    pub(crate) query: String,
    /// In nanoseconds; the end is not included.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// What one query reaches over.
    pub(crate) window: i64,
    /// Lines of one page: no more than the server allows.
    pub(crate) page: usize,
}

struct PagedLine {
    labels: Pairs,
    time: i64,
    text: String,
    metadata: Pairs,
}

/// Imports what a server has of this time.
pub(crate) fn import(job: &mut Job, remote: &Remote, wish: &LogWish) -> Result<()> {
    let Some(done) = job.begin("query_range") else {
        return Ok(());
    };
    // A continued import ends where the first one meant to.
    let end = job.detail()["end"].as_i64().unwrap_or(wish.end);
    let mut start = wish
        .start
        .saturating_add(i64::try_from(done).unwrap_or(i64::MAX));
    while start < end {
        let until = start.saturating_add(wish.window).min(end);
        let (mut page, mut next) = (ask(remote, wish, start, until)?, until);
        if page.len() >= wish.page {
            next = page.iter().map(|line| line.time).max().unwrap_or(start);
            page.retain(|line| line.time < next);
            if page.is_empty() {
                return Err(Fault::new(format!(
                    "there are {} lines or more at {next} ns, which no page can hold: raise \
                     --page, and max_entries_limit_per_query of the server",
                    wish.page
                )));
            }
        }
        let mut batch = LineBatch::default();
        for line in page {
            batch.add(&line.labels, line.time, line.text, line.metadata)?;
        }
        let reached = next.saturating_sub(wish.start) as u64;
        batch.store(job, reached, json!({ "end": end }))?;
        job.show(|| {
            let whole = end.saturating_sub(wish.start) as u64;
            format!(
                "{} % of the time",
                u128::from(reached) * 100 / u128::from(whole.max(1))
            )
        });
        start = next;
    }
    job.end(None)
}

fn ask(remote: &Remote, wish: &LogWish, start: i64, end: i64) -> Result<Vec<PagedLine>> {
    let (start, end, limit) = (start.to_string(), end.to_string(), wish.page.to_string());
    let parameters = [
        ("query", wish.query.as_str()),
        ("start", &start),
        ("end", &end),
        ("limit", &limit),
        ("direction", "forward"),
    ];
    let answer = remote.ask("/loki/api/v1/query_range", &parameters, &[FLAGS])?;
    read(&answer)
}

fn read(answer: &[u8]) -> Result<Vec<PagedLine>> {
    let wrong = || Fault::new("the answer is no list of streams: --match has to select lines");
    let json: Json = serde_json::from_slice(answer)
        .map_err(|error| Fault::new(format!("the answer is no JSON: {error}")))?;
    if json["data"]["resultType"] != "streams" {
        return Err(wrong());
    }
    let mut lines = Vec::new();
    for stream in json["data"]["result"].as_array().ok_or_else(wrong)? {
        let mut labels = pairs(&stream["stream"]);
        labels.sort();
        for value in stream["values"].as_array().ok_or_else(wrong)? {
            let time = value[0].as_str().and_then(|time| time.parse().ok());
            lines.push(PagedLine {
                labels: labels.clone(),
                time: time.ok_or_else(wrong)?,
                text: value[1].as_str().ok_or_else(wrong)?.to_owned(),
                metadata: pairs(&value[2]["structuredMetadata"]),
            });
        }
    }
    Ok(lines)
}

fn pairs(object: &Json) -> Pairs {
    let members = object.as_object().into_iter().flatten();
    members
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}
