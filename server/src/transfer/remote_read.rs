//! A running Prometheus, Thanos or anything else that answers remote read: window by window.

use bytes::Bytes;
use chronolith_engine::labels::{MatchOp, Matcher};
use serde_json::json;

use super::fault::{Fault, Result};
use super::job::Job;
use super::remote::Remote;
use crate::http::body::{self, Encoding};
use crate::settings::HttpLimits;
use crate::wire::message::Message;
use crate::wire::protobuf::Fields;
use crate::wire::write_v1;

/// What is asked for.
pub(crate) struct Wish {
    pub(crate) matchers: Vec<Matcher>,
    /// In milliseconds, both ends included.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// What is asked for at once.
    pub(crate) window: i64,
}

/// Imports what a server has of this time.
pub(crate) fn import(job: &mut Job, remote: &Remote, wish: &Wish) -> Result<()> {
    let Some(done) = job.begin("remote read") else {
        return Ok(());
    };
    // A continued import ends where the first one meant to.
    let end = job.detail()["end"].as_i64().unwrap_or(wish.end);
    let mut start = wish
        .start
        .saturating_add(i64::try_from(done).unwrap_or(i64::MAX));
    while start <= end {
        let next = start.saturating_add(wish.window).min(end.saturating_add(1));
        window(job, remote, &wish.matchers, start, next - 1)?;
        let reached = next.saturating_sub(wish.start) as u64;
        job.reach(reached, json!({ "end": end }))?;
        job.show(|| {
            let percent = reached * 100 / (end.saturating_sub(wish.start) as u64 + 1);
            format!("{percent} % of the time")
        });
        start = next;
    }
    job.end(None)
}

fn window(
    job: &mut Job,
    remote: &Remote,
    matchers: &[Matcher],
    start: i64,
    end: i64,
) -> Result<()> {
    let query = Message::new().integer(1, start).integer(2, end);
    let query = matchers.iter().fold(query, |query, matcher| {
        let op = match matcher.op() {
            MatchOp::Equal => 0,
            MatchOp::NotEqual => 1,
            MatchOp::Regex => 2,
            MatchOp::NotRegex => 3,
        };
        let matcher = Message::new()
            .integer(1, op)
            .bytes(2, matcher.name())
            .bytes(3, matcher.value());
        query.message(3, matcher)
    });
    let request = Message::new().message(1, query).into_bytes();
    let packed = snap::raw::Encoder::new().compress_vec(&request);
    let packed = packed.map_err(|error| Fault::new(error.to_string()))?;
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
        ("X-Prometheus-Remote-Read-Version", "0.1.0"),
    ];
    let answer = remote.post("/api/v1/read", &headers, Bytes::from(packed))?;
    let decoded_bytes_max = HttpLimits::default().decoded_bytes_max;
    let answer =
        body::decompress(Encoding::Snappy, &answer, decoded_bytes_max).map_err(|problem| {
            Fault::from(problem)
                .at("the answer is too large or no snappy: ask with a smaller --window")
        })?;
    let mut fields = Fields::new(&answer);
    while let Some((number, value)) = fields.next()? {
        if number != 1 {
            continue;
        }
        // The series of a result stand where those of a remote write stand.
        let columns = write_v1::decode(value.bytes()?)?;
        if columns.skipped > 0 {
            let skipped = columns.skipped;
            let why = format!("{skipped} series without a metric name were left out");
            job.tally().doubt(why);
        }
        job.metrics(&columns)?;
    }
    Ok(())
}
