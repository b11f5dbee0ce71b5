//! A reader: the panels of a dashboard one after the other, again and again, and between them a
//! question for what was acknowledged last, which must be there.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::data::Data;
use super::stage::{Client, Door, Reply, Request, Stage};
use super::writer::{Newest, now_ms};
use crate::compare::http::escaped;

/// How far back panels look, and at which steps.
const PANEL_SECONDS: i64 = 15 * 60;
const STEP_SECONDS: i64 = 5;

/// What the questions for the newest push are called.
pub(super) const NEWEST_SAMPLE: &str = "newest sample";
pub(super) const NEWEST_LINE: &str = "newest line";

/// A question of a dashboard.
struct Panel {
    name: &'static str,
    door: Door,
    path: &'static str,
    query: &'static str,
    /// Further parameters.
    rest: &'static str,
}

const PANELS: [Panel; 11] = [
    Panel {
        name: "rate by writer",
        door: Door::Prometheus,
        path: "/api/v1/query_range",
        query: "sum by (writer) (rate(traffic_requests_total[1m]))",
        rest: "",
    },
    Panel {
        name: "lines with an error",
        door: Door::Loki,
        path: "/loki/api/v1/query_range",
        query: "{app=\"traffic\"} |= \"level=error\"",
        rest: "&limit=100",
    },
    Panel {
        name: "top of rates",
        door: Door::Prometheus,
        path: "/api/v1/query_range",
        query: "topk(5, rate(traffic_bytes_total[1m]))",
        rest: "",
    },
    Panel {
        name: "lines by level",
        door: Door::Loki,
        path: "/loki/api/v1/query_range",
        query: "sum by (detected_level) (count_over_time({app=\"traffic\"} [10s]))",
        rest: "",
    },
    Panel {
        name: "average by instance",
        door: Door::Prometheus,
        path: "/api/v1/query_range",
        query: "avg by (instance) (traffic_heat)",
        rest: "",
    },
    Panel {
        name: "label values",
        door: Door::Prometheus,
        path: "/api/v1/label/instance/values",
        query: "",
        rest: "",
    },
    Panel {
        name: "bytes of lines by writer",
        door: Door::Loki,
        path: "/loki/api/v1/query_range",
        query: "sum by (writer) (bytes_rate({app=\"traffic\"} [10s]))",
        rest: "",
    },
    Panel {
        name: "newest lines",
        door: Door::Loki,
        path: "/loki/api/v1/query_range",
        query: "{app=\"traffic\"}",
        rest: "&limit=100",
    },
    Panel {
        name: "quantile",
        door: Door::Prometheus,
        path: "/api/v1/query_range",
        query: "quantile by (writer) (0.9, traffic_queue_length)",
        rest: "",
    },
    Panel {
        name: "labels of logs",
        door: Door::Loki,
        path: "/loki/api/v1/labels",
        query: "",
        rest: "",
    },
    Panel {
        name: "largest now",
        door: Door::Prometheus,
        path: "/api/v1/query",
        query: "topk(10, traffic_queue_length)",
        rest: "",
    },
];

/// How many panels there are.
pub(super) const PANELS_COUNT: usize = PANELS.len();

/// How long each panel took, by its place and name, and the questions for the newest.
#[derive(Default)]
pub(super) struct Read {
    pub(super) took: Vec<(&'static str, Duration)>,
    /// Questions for what was acknowledged last that were answered as they must be.
    pub(super) confirmed: u64,
}

/// Reads until the run ends, from panel `first` on.
pub(super) fn read(
    stage: &Stage,
    writers: &[(Data, Newest)],
    first: usize,
    pause: Duration,
) -> Read {
    let mut read = Read::default();
    let mut metrics = Client::new(stage, Door::Prometheus);
    let mut logs = Client::new(stage, Door::Loki);
    for round in first.. {
        if stage.is_ending() {
            break;
        }
        let panel = &PANELS[round % PANELS.len()];
        let client = match panel.door {
            Door::Prometheus => &mut metrics,
            Door::Loki => &mut logs,
        };
        match client.ask(panel.name, &Request::asking(panel.target())) {
            Some(Reply::Good(body, took)) => {
                if !is_whole(&body) {
                    stage.fault(format!("{} is answered {body}", panel.name));
                }
                read.took.push((panel.name, took));
            }
            Some(Reply::Limited) => {}
            None => break,
        }
        let (data, newest) = &writers[round % writers.len()];
        let confirmed = match panel.door {
            Door::Prometheus => confirm_sample(stage, &mut metrics, data, newest),
            Door::Loki => confirm_line(stage, &mut logs, data, newest),
        };
        read.confirmed += u64::from(confirmed);
        sleep(pause);
    }
    read
}

impl Panel {
    fn target(&self) -> String {
        let end = now_ms() / 1_000;
        let start = end - PANEL_SECONDS;
        let (path, query, rest) = (self.path, escaped(self.query), self.rest);
        match path.ends_with("/query") {
            true => format!("{path}?query={query}&time={end}"),
            false if query.is_empty() => format!("{path}?start={start}&end={end}"),
            false => {
                let step = STEP_SECONDS;
                format!("{path}?query={query}&start={start}&end={end}&step={step}{rest}")
            }
        }
    }
}

/// Whether an answer says of itself that all is well.
fn is_whole(body: &str) -> bool {
    body.starts_with("{\"status\":\"success\"")
}

/// Asks for a sample of the newest stored push. Whether it was looked at; what is wrong is a fault.
fn confirm_sample(stage: &Stage, client: &mut Client<'_>, data: &Data, newest: &Newest) -> bool {
    let Some((number, time_ms)) = newest.samples() else {
        return false;
    };
    let series = (number % data.series() as u64) as usize;
    let query = data.selector_of(series);
    let time = super::check::seconds(time_ms);
    let path = format!("/api/v1/query?query={}&time={time}", escaped(&query));
    let Some(Reply::Good(body, _)) = client.ask(NEWEST_SAMPLE, &Request::asking(path)) else {
        return false;
    };
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let text = answer["data"]["result"][0]["value"][1].as_str();
    let found: Option<f64> = text.and_then(|text| text.parse().ok());
    if found != Some(data.value(series, number)) {
        stage.fault(format!(
            "push {number} of samples was acknowledged and {query} at {time} is answered {body}"
        ));
        return false;
    }
    true
}

/// The same for a line.
fn confirm_line(stage: &Stage, client: &mut Client<'_>, data: &Data, newest: &Newest) -> bool {
    let Some((number, time_ms)) = newest.lines() else {
        return false;
    };
    let place = (number % data.lines() as u64) as usize;
    let query = escaped(&data.stream_of(place));
    let start = data.line_time_ns(place, time_ms);
    let end = start + 1;
    let path = format!("/loki/api/v1/query_range?query={query}&start={start}&end={end}");
    let Some(Reply::Good(body, _)) = client.ask(NEWEST_LINE, &Request::asking(path)) else {
        return false;
    };
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let found = answer["data"]["result"][0]["values"][0][1].as_str();
    if found != Some(&data.line(number, place)) {
        stage.fault(format!(
            "push {number} of lines was acknowledged and line {place} of it is answered {body}"
        ));
        return false;
    }
    true
}
