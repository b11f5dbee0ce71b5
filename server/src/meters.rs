//! What the server counts about itself, and the text that tells it.
//!
//! Counts only; what they mean is told in docs/http.md. Labels come from fixed sets, so that no
//! request can make them grow.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper borders of the buckets of request durations, in seconds.
const BORDERS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.4, 1.0, 3.0, 8.0, 20.0, 60.0];

/// A limit that refuses something, or ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    BodyBytes,
    DecodedBytes,
    JsonBytes,
    FormBytes,
    BodyTimeout,
    HeadBytes,
    HeadTimeout,
    WriteTimeout,
    HeldBytes,
    WaitingQueries,
    WaitingWrites,
    WaitingChores,
    WaitingLooks,
    WaitingChecks,
    Tenants,
    Series,
    Rate,
    QuerySteps,
    QuerySamples,
    AllSamples,
    QueryTimeout,
    LogEntries,
    LogQuery,
    LogQueryTimeout,
    Tails,
}

impl Limit {
    /// All of them, as a label tells them.
    const ALL: [(Limit, &'static str); 25] = [
        (Limit::BodyBytes, "body_bytes"),
        (Limit::DecodedBytes, "decoded_bytes"),
        (Limit::JsonBytes, "json_bytes"),
        (Limit::FormBytes, "form_bytes"),
        (Limit::BodyTimeout, "body_timeout"),
        (Limit::HeadBytes, "head_bytes"),
        (Limit::HeadTimeout, "head_timeout"),
        (Limit::WriteTimeout, "write_timeout"),
        (Limit::HeldBytes, "held_bytes"),
        (Limit::WaitingQueries, "waiting_queries"),
        (Limit::WaitingWrites, "waiting_writes"),
        (Limit::WaitingChores, "waiting_chores"),
        (Limit::WaitingLooks, "waiting_looks"),
        (Limit::WaitingChecks, "waiting_password_checks"),
        (Limit::Tenants, "tenants"),
        (Limit::Series, "series"),
        (Limit::Rate, "rate"),
        (Limit::QuerySteps, "query_steps"),
        (Limit::QuerySamples, "query_samples"),
        (Limit::AllSamples, "all_samples"),
        (Limit::QueryTimeout, "query_timeout"),
        (Limit::LogEntries, "log_entries"),
        (Limit::LogQuery, "log_query"),
        (Limit::LogQueryTimeout, "log_query_timeout"),
        (Limit::Tails, "tails"),
    ];
}

/// What is counted while the server runs.
#[derive(Default)]
pub(crate) struct Meters {
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    durations: Mutex<BTreeMap<String, Durations>>,
    calls: Mutex<BTreeMap<(String, u16), u64>>,
    limited: [AtomicU64; Limit::ALL.len()],
    /// Connections that are open.
    pub(crate) connections: AtomicU64,
    /// Bytes of bodies as they came to receivers.
    pub(crate) received_bytes: AtomicU64,
    /// Samples that were stored or were there already.
    pub(crate) samples: AtomicU64,
    /// Native histograms that were.
    pub(crate) histograms: AtomicU64,
    /// Exemplars that were.
    pub(crate) exemplars: AtomicU64,
    /// Entries that were not taken.
    pub(crate) refused: AtomicU64,
    /// Series whose labels were not valid and that were left out.
    pub(crate) skipped_series: AtomicU64,
    /// Metadata that was not taken.
    pub(crate) refused_metadata: AtomicU64,
    /// Remote reads that were answered with samples.
    pub(crate) sample_reads: AtomicU64,
    /// Those that were answered with streamed chunks.
    pub(crate) chunk_reads: AtomicU64,
    /// Log lines that were stored or were there already.
    pub(crate) lines: AtomicU64,
    /// Bytes of log lines that were offered to the store.
    pub(crate) line_bytes: AtomicU64,
    /// Log lines that were not taken.
    pub(crate) refused_lines: AtomicU64,
    /// Queries that took longer than is usual.
    pub(crate) slow_queries: AtomicU64,
    /// Live tails that are open.
    pub(crate) tails: AtomicU64,
    /// Log lines that readers of live tails were too slow for.
    pub(crate) dropped_lines: AtomicU64,
}

#[derive(Clone, Copy, Default)]
struct Durations {
    buckets: [u64; BORDERS.len()],
    count: u64,
    seconds: f64,
}

/// Adds to a count.
pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

impl Meters {
    /// Notes a request that was answered.
    pub(crate) fn note_request(&self, route: &str, code: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Ok(mut requests) = self.requests.lock() {
            *requests.entry((route.to_owned(), code)).or_default() += 1;
        }
        if let Ok(mut durations) = self.durations.lock() {
            let of_route = durations.entry(route.to_owned()).or_default();
            of_route.count += 1;
            of_route.seconds += seconds;
            for (bucket, border) in of_route.buckets.iter_mut().zip(BORDERS) {
                *bucket += u64::from(seconds <= border);
            }
        }
    }

    /// Notes a call of gRPC that was answered.
    pub(crate) fn note_call(&self, method: &str, code: u16) {
        if let Ok(mut calls) = self.calls.lock() {
            *calls.entry((method.to_owned(), code)).or_default() += 1;
        }
    }

    /// Notes that a limit was met.
    pub(crate) fn note_limit(&self, limit: Limit) {
        add(&self.limited[limit as usize], 1);
    }

    fn write_limits(&self, out: &mut Text) {
        const NAME: &str = "chronolith_limited_total";
        let help = "What was refused or ended because of a limit.";
        out.family(NAME, "counter", help);
        for (limit, name) in Limit::ALL {
            let count = self.limited[limit as usize].load(Ordering::Relaxed);
            out.sample(NAME, &format!("{{limit=\"{name}\"}}"), count as f64);
        }
    }

    /// Writes the counts.
    pub(crate) fn write(&self, out: &mut Text) {
        out.family(
            "chronolith_http_requests_total",
            "counter",
            "Requests that were answered.",
        );
        if let Ok(requests) = self.requests.lock() {
            for ((route, code), count) in requests.iter() {
                let labels = format!("{{route=\"{route}\",code=\"{code}\"}}");
                out.sample("chronolith_http_requests_total", &labels, *count as f64);
            }
        }
        self.write_durations(out);
        self.write_limits(out);
        self.write_calls(out);
        self.write_reads(out);
        out.gauge(
            "chronolith_http_connections",
            "Connections that are open.",
            self.connections.load(Ordering::Relaxed) as f64,
        );
        out.gauge(
            "chronolith_tails",
            "Live tails that are open.",
            self.tails.load(Ordering::Relaxed) as f64,
        );
        self.write_counters(out);
    }

    fn write_counters(&self, out: &mut Text) {
        let counters = [
            (
                "slow_queries",
                "Queries that took longer than the setting journal.slow_query.",
                &self.slow_queries,
            ),
            (
                "received_bytes",
                "Bytes of bodies that receivers got.",
                &self.received_bytes,
            ),
            (
                "received_samples",
                "Float samples that were taken.",
                &self.samples,
            ),
            (
                "received_histograms",
                "Native histograms that were taken.",
                &self.histograms,
            ),
            (
                "received_exemplars",
                "Exemplars that were taken.",
                &self.exemplars,
            ),
            (
                "refused_entries",
                "Entries that were not taken.",
                &self.refused,
            ),
            (
                "skipped_series",
                "Series that were left out because their labels are not valid.",
                &self.skipped_series,
            ),
            (
                "refused_metadata",
                "Metadata that was not taken.",
                &self.refused_metadata,
            ),
            ("received_lines", "Log lines that were taken.", &self.lines),
            (
                "received_line_bytes",
                "Bytes of log lines that were offered to the store.",
                &self.line_bytes,
            ),
            (
                "refused_lines",
                "Log lines that were not taken.",
                &self.refused_lines,
            ),
            (
                "dropped_lines",
                "Log lines that readers of live tails were too slow for.",
                &self.dropped_lines,
            ),
        ];
        for (name, help, count) in counters {
            let value = count.load(Ordering::Relaxed) as f64;
            out.counter(&format!("chronolith_{name}_total"), help, value);
        }
    }

    fn write_reads(&self, out: &mut Text) {
        const NAME: &str = "chronolith_remote_read_answers_total";
        out.family(NAME, "counter", "Remote reads by the form of their answer.");
        for (form, count) in [
            ("samples", &self.sample_reads),
            ("chunks", &self.chunk_reads),
        ] {
            let labels = format!("{{form=\"{form}\"}}");
            out.sample(NAME, &labels, count.load(Ordering::Relaxed) as f64);
        }
    }

    fn write_calls(&self, out: &mut Text) {
        const NAME: &str = "chronolith_grpc_calls_total";
        out.family(NAME, "counter", "Calls of gRPC that were answered.");
        let Ok(calls) = self.calls.lock() else {
            return;
        };
        for ((method, code), count) in calls.iter() {
            let labels = format!("{{method=\"{method}\",code=\"{code}\"}}");
            out.sample(NAME, &labels, *count as f64);
        }
    }

    fn write_durations(&self, out: &mut Text) {
        const NAME: &str = "chronolith_http_request_duration_seconds";
        out.family(
            NAME,
            "histogram",
            "How long requests took until their answer began.",
        );
        let Ok(durations) = self.durations.lock() else {
            return;
        };
        for (route, of_route) in durations.iter() {
            for (bucket, border) in of_route.buckets.iter().zip(BORDERS) {
                let labels = format!("{{route=\"{route}\",le=\"{border}\"}}");
                out.sample(&format!("{NAME}_bucket"), &labels, *bucket as f64);
            }
            let labels = format!("{{route=\"{route}\",le=\"+Inf\"}}");
            out.sample(&format!("{NAME}_bucket"), &labels, of_route.count as f64);
            let labels = format!("{{route=\"{route}\"}}");
            out.sample(&format!("{NAME}_sum"), &labels, of_route.seconds);
            out.sample(&format!("{NAME}_count"), &labels, of_route.count as f64);
        }
    }
}

/// The text format of Prometheus.
#[derive(Default)]
pub(crate) struct Text {
    out: String,
}

impl Text {
    /// Begins a family.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Writes one sample of the family begun last.
    pub(crate) fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let _ = writeln!(self.out, "{name}{labels} {value}");
    }

    /// Writes a family of one gauge.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, "", value);
    }

    /// Writes a family of one counter.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "counter", help);
        self.sample(name, "", value);
    }

    /// What has been written.
    pub(crate) fn into_string(self) -> String {
        self.out
    }
}
