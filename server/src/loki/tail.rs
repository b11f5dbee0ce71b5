//! Live tail: a WebSocket over which lines come as they are stored.
//!
//! Two tasks serve a tail. One looks at what is stored and makes frames of what the query lets
//! through; the other sends them. Between them is a short queue: where the reader is too slow for
//! it, frames are dropped and the reader is told which lines it lost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::RawQuery;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use chronolith_query::logql::LogQuery;
use chronolith_query::promql::CancelFlag;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};

use crate::app::{Scope, Sort, Watch};
use crate::http::params::Params;
use crate::http::times::SECOND;
use crate::meters::Limit;
use crate::settings::LogLimits;

use super::answer::{Answer, bad};
use super::frames::{Frame, Watcher};
use super::params;
use super::query;
use super::result::Flags;

/// Frames that wait for a slow reader.
const FRAMES_MAX: usize = 10;

/// How often a reader is asked whether it is still there, and somebody looks whether the tail is to
/// end.
const PING: Duration = Duration::from_secs(1);

/// The longest that lines may be held back, in seconds.
const DELAY_MAX: u64 = 5;

/// Bytes that a reader may send at once: it has nothing to say.
const MESSAGE_BYTES_MAX: usize = 4096;

/// How long a close frame may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is asked of a tail.
pub(super) struct Wanted {
    pub(super) query: LogQuery,
    /// The query as it was sent.
    text: String,
    pub(super) start: i64,
    pub(super) limit: usize,
    pub(super) delay: Duration,
    pub(super) flags: Flags,
}

impl Wanted {
    fn read(asked: &Params, headers: &HeaderMap) -> Result<Wanted, super::answer::Fault> {
        let query = query::parsed(asked)?;
        if query.is_metric() {
            return Err(bad(
                "only log queries can be tailed: leave the aggregation out",
            ));
        }
        let delay = match asked.value("delay_for") {
            "" => 0,
            text => text
                .parse::<u64>()
                .map_err(|_| bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?,
        };
        if delay > DELAY_MAX {
            return Err(bad(format!("delay_for can't be greater than {DELAY_MAX}")));
        }
        let hour_ago = || params::now() - 3600 * SECOND;
        Ok(Wanted {
            query,
            text: asked.value("query").to_owned(),
            start: params::time_if_given(asked, "start")?.unwrap_or_else(hour_ago),
            limit: params::limit(asked, params::LIMIT)?,
            delay: Duration::from_secs(delay),
            flags: Flags::read(headers),
        })
    }
}

/// Opens a tail.
pub(super) async fn tail(
    app: Scope,
    headers: HeaderMap,
    RawQuery(encoded): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let mut asked = Params::default();
    asked.parse(encoded.unwrap_or_default().as_bytes());
    let wanted = Wanted::read(&asked, &headers)?;
    query::entries_within(&app, wanted.limit)?;
    match upgrade {
        Ok(upgrade) => Ok(upgrade
            .max_message_size(MESSAGE_BYTES_MAX)
            .on_upgrade(move |socket| serve(app, socket, wanted))),
        Err(rejection) => Ok(rejection.into_response()),
    }
}

/// Counts a tail while it is open.
struct Open<'a>(&'a Scope);

impl<'a> Open<'a> {
    fn new(app: &'a Scope) -> Open<'a> {
        app.meters.tails.fetch_add(1, Ordering::Relaxed);
        Open(app)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.meters.tails.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a tail ends.
enum End {
    /// The reader went away, or does not read.
    Gone,
    /// For this reason, which the reader is told.
    Told(u16, String),
}

async fn serve(app: Scope, mut socket: WebSocket, wanted: Wanted) {
    let _open = Open::new(&app);
    // Before anything is read, so that nothing is missed in between.
    let (news, number) = app.tails.watch(app.tenant_name());
    let max = app.settings().logs.tails_max;
    let end = match number > max {
        true => {
            app.meters.note_limit(Limit::Tails);
            let why = format!(
                "max concurrent tail requests limit exceeded, count > limit ({number} > {max})"
            );
            End::Told(close_code::ERROR, why)
        }
        false => {
            let limits = &app.settings().logs;
            let (frames, waiting) = mpsc::channel(FRAMES_MAX);
            let stop = CancelFlag::new();
            let place = app.enter(Sort::TAIL, &wanted.text, Some(limits.tail_max), &stop);
            let watcher = Watcher::new(app.clone(), wanted, frames);
            let watching = tokio::spawn(watcher.run(news));
            let end = send(&mut socket, waiting, limits, &place.watch).await;
            watching.abort();
            match end {
                End::Gone => End::Gone,
                End::Told(code, text) if !text.is_empty() => End::Told(code, text),
                End::Told(..) => match watching.await {
                    Ok(Err(problem)) => End::Told(close_code::ERROR, problem.message().to_owned()),
                    _ => End::Told(close_code::AWAY, "the server is stopping".to_owned()),
                },
            }
        }
    };
    if let End::Told(code, text) = end {
        let frame = CloseFrame {
            code,
            reason: reason(&text).into(),
        };
        let closing = socket.send(Message::Close(Some(frame)));
        // Whether it arrives is the reader's to notice.
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }
}

/// What fits into a close frame.
fn reason(text: &str) -> String {
    const BYTES_MAX: usize = 120;
    let mut end = text.len().min(BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Sends frames until the reader goes away or there will be no more.
async fn send(
    socket: &mut WebSocket,
    mut frames: mpsc::Receiver<Frame>,
    limits: &LogLimits,
    watch: &Watch,
) -> End {
    let begun = Instant::now();
    let mut ping = interval_at(begun + PING, PING);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        if watch.is_stopped() {
            return End::Told(close_code::AWAY, "an administrator has ended it".to_owned());
        }
        let mut lines = 0;
        let message = tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                Some(Ok(_)) => continue,
            },
            frame = frames.recv() => match frame {
                Some(frame) => {
                    lines = frame.lines;
                    Message::Text(frame.text.into())
                }
                None => return End::Told(close_code::ERROR, String::new()),
            },
            _ = ping.tick() => match begun.elapsed() > limits.tail_max {
                true => {
                    let why = "reached tail max duration limit";
                    return End::Told(close_code::NORMAL, why.to_owned());
                }
                false => Message::Ping(axum::body::Bytes::new()),
            },
        };
        match timeout(limits.tail_send_timeout, socket.send(message)).await {
            Ok(Ok(())) => watch.add(lines),
            _ => return End::Gone,
        }
    }
}
