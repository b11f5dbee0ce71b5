//! A writer: pushes of samples and of lines in turns, each sent again until it is answered, and
//! noted.

use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::data::Data;
use super::stage::{Client, Door, Reply, Request, Stage};

const SAMPLES_HEADERS: &str = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
                               X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
const LINES_HEADERS: &str = "Content-Type: application/x-protobuf\r\n";

/// What the two sorts of pushes are called.
pub(super) const PUSH_SAMPLES: &str = "push of samples";
pub(super) const PUSH_LINES: &str = "push of lines";

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// 2xx: from now on it is there.
    Stored,
    /// 429: of samples nothing is stored, of lines those of streams that were known.
    Limited,
}

/// A push that was answered. Its number is its place among those of its sort.
#[derive(Clone, Copy, Debug)]
pub(super) struct Push {
    pub(super) time_ms: i64,
    pub(super) fate: Fate,
}

/// The newest push of each sort that was stored, by number and time, for readers to ask for.
#[derive(Default)]
pub(super) struct Newest {
    samples: Mutex<Option<(u64, i64)>>,
    lines: Mutex<Option<(u64, i64)>>,
}

impl Newest {
    pub(super) fn samples(&self) -> Option<(u64, i64)> {
        *self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lines(&self) -> Option<(u64, i64)> {
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a writer has to tell in the end.
#[derive(Default)]
pub(super) struct Written {
    pub(super) samples: Vec<Push>,
    pub(super) lines: Vec<Push>,
    /// How long those took that were stored.
    pub(super) samples_took: Vec<Duration>,
    pub(super) lines_took: Vec<Duration>,
    pub(super) repeated: u64,
}

/// Milliseconds since 1970 by the clock.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// Writes until the run ends, or `pushes_max` of each sort.
pub(super) fn write(
    stage: &Stage,
    data: &Data,
    newest: &Newest,
    pushes_max: u64,
    pause: Duration,
) -> Written {
    let mut written = Written::default();
    let mut samples = Client::new(stage, Door::Prometheus);
    let mut lines = Client::new(stage, Door::Loki);
    let mut last_ms = 0;
    let mut number = 0;
    while number < pushes_max && !stage.is_ending() {
        // A time of its own for each push, whatever the clock does.
        let time_ms = now_ms().max(last_ms + 1);
        last_ms = time_ms;
        // Both sorts come first somewhere: where series are few, the first ones get them.
        let is_whole = match data.begins_with_lines() {
            true => {
                push_lines(&mut lines, data, newest, (number, time_ms), &mut written)
                    && push_samples(&mut samples, data, newest, (number, time_ms), &mut written)
            }
            false => {
                push_samples(&mut samples, data, newest, (number, time_ms), &mut written)
                    && push_lines(&mut lines, data, newest, (number, time_ms), &mut written)
            }
        };
        if !is_whole {
            break;
        }
        number += 1;
        sleep(pause);
    }
    written.repeated = samples.repeated + lines.repeated;
    written
}

/// Whether there was an answer.
fn push_samples(
    client: &mut Client<'_>,
    data: &Data,
    newest: &Newest,
    push: (u64, i64),
    written: &mut Written,
) -> bool {
    let request = Request {
        method: "POST",
        path: "/api/v1/write".to_owned(),
        headers: SAMPLES_HEADERS,
        body: data.samples_body(push.0, push.1),
    };
    let Some(reply) = client.push(PUSH_SAMPLES, &request) else {
        return false;
    };
    let fate = settle(reply, push, &newest.samples, &mut written.samples_took);
    let time_ms = push.1;
    written.samples.push(Push { time_ms, fate });
    true
}

/// Whether there was an answer.
fn push_lines(
    client: &mut Client<'_>,
    data: &Data,
    newest: &Newest,
    push: (u64, i64),
    written: &mut Written,
) -> bool {
    let request = Request {
        method: "POST",
        path: "/loki/api/v1/push".to_owned(),
        headers: LINES_HEADERS,
        body: data.lines_body(push.0, push.1),
    };
    let Some(reply) = client.push(PUSH_LINES, &request) else {
        return false;
    };
    let fate = settle(reply, push, &newest.lines, &mut written.lines_took);
    let time_ms = push.1;
    written.lines.push(Push { time_ms, fate });
    true
}

/// Notes what a push was answered.
fn settle(
    reply: Reply,
    push: (u64, i64),
    newest: &Mutex<Option<(u64, i64)>>,
    took: &mut Vec<Duration>,
) -> Fate {
    match reply {
        Reply::Good(_, time) => {
            took.push(time);
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(push);
            Fate::Stored
        }
        Reply::Limited => Fate::Limited,
    }
}
