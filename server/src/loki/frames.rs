//! What a live tail is told: from stored lines to frames, and which lines were lost to it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chronolith_engine::Wanted as Columns;
use chronolith_engine::labels::Labels;
use chronolith_engine::logs::{Line, LineRun};
use chronolith_engine::time::Nanos;
use chronolith_query::logql::source::Runs;
use chronolith_query::logql::{
    Direction, EngineLines, LabelPairs, LineRequest, LineSource, LineStream, LinesAnswer,
    LinesRequest, LogQuery, Options, ResultEntry,
};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use crate::app::Scope;
use crate::http::json::Json;
use crate::http::problem::Problem;
use crate::ingest::logs::tails::{NewLines, News};
use crate::meters::add;

use super::params;
use super::query::problem;
use super::result::{Flags, write_parts};
use super::tail::Wanted;

/// Lines of one frame.
const LINES_PER_FRAME: usize = 100;

/// Lost lines that are told one by one.
const LOST_TOLD_MAX: usize = 1000;

/// How long to wait before lost lines are told although no new one comes.
const TELL_LOST: Duration = Duration::from_secs(1);

/// Makes frames of what is stored.
pub(super) struct Watcher {
    app: Scope,
    wanted: Arc<Wanted>,
    frames: mpsc::Sender<Frame>,
    lost: Vec<Lost>,
    /// Lines that were told of as history, by their hash.
    known: HashSet<u64>,
}

/// What is sent at once.
pub(super) struct Frame {
    pub(super) text: String,
    /// How many lines it tells.
    pub(super) lines: usize,
}

/// A line that the reader was too slow for.
struct Lost {
    time: i64,
    labels: LabelPairs,
}

/// One line that the query lets through.
struct Told {
    labels: LabelPairs,
    entry: ResultEntry,
}

impl Told {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.entry.time, &self.entry.line, &self.labels).hash(&mut hasher);
        hasher.finish()
    }
}

impl Watcher {
    pub(super) fn new(app: Scope, wanted: Wanted, frames: mpsc::Sender<Frame>) -> Self {
        Watcher {
            app,
            wanted: Arc::new(wanted),
            frames,
            lost: Vec::new(),
            known: HashSet::new(),
        }
    }

    /// Tells of the newest lines that there are, and then of new ones until there will be no more.
    pub(super) async fn run(mut self, mut news: broadcast::Receiver<News>) -> Result<(), Problem> {
        let history = self.history().await?;
        self.known = history.iter().map(Told::hash).collect();
        // Nothing is lost of it: there is nothing yet that could come too late.
        for told in history.chunks(LINES_PER_FRAME) {
            if self
                .frames
                .send(frame(told, &[], &self.wanted.flags))
                .await
                .is_err()
            {
                return Ok(());
            }
        }
        loop {
            let received = match self.lost.is_empty() {
                true => Ok(news.recv().await),
                false => timeout(TELL_LOST, news.recv()).await,
            };
            match received {
                Ok(Ok(News::Lines(lines))) => {
                    sleep_until(Instant::from_std(lines.stored) + self.wanted.delay).await;
                    let told = self.look(lines).await?;
                    self.tell(told);
                }
                Ok(Ok(News::Stop) | Err(RecvError::Closed)) => return Ok(()),
                Ok(Err(RecvError::Lagged(pieces))) => self.lag(pieces),
                Err(_) => self.tell(Vec::new()),
            }
        }
    }

    /// The newest lines of before, oldest first.
    async fn history(&self) -> Result<Vec<Told>, Problem> {
        let (store, wanted) = (self.app.logs()?, Arc::clone(&self.wanted));
        let work = self.app.queries.run(move || {
            let source = EngineLines::new(store.snapshot());
            let request = LinesRequest {
                start: wanted.start,
                end: params::now().saturating_add(1),
                limit: wanted.limit,
                direction: Direction::Backward,
                interval: 0,
            };
            lines(&wanted.query, &source, &request)
        });
        work.await
    }

    /// What the query lets through of new lines.
    async fn look(&mut self, new: Arc<NewLines>) -> Result<Vec<Told>, Problem> {
        let wanted = Arc::clone(&self.wanted);
        let work = self.app.looks.run(move || {
            let times = new.run.times();
            let request = LinesRequest {
                start: times.first().copied().unwrap_or(0),
                end: times.last().map_or(0, |last| last.saturating_add(1)),
                limit: usize::MAX,
                direction: Direction::Forward,
                interval: 0,
            };
            lines(&wanted.query, &Fresh(&new), &request)
        });
        let mut told = work.await?;
        if !self.known.is_empty() {
            told.retain(|told| !self.known.remove(&told.hash()));
        }
        Ok(told)
    }

    /// Pieces of news were lost before they could be looked at. Which lines those had is not known.
    fn lag(&mut self, pieces: u64) {
        let now = params::now();
        add(&self.app.meters.dropped_lines, pieces);
        for _ in 0..pieces.min(LOST_TOLD_MAX as u64) {
            self.note_lost(now, LabelPairs::default());
        }
    }

    fn note_lost(&mut self, time: i64, labels: LabelPairs) {
        if self.lost.len() < LOST_TOLD_MAX {
            self.lost.push(Lost { time, labels });
        }
    }

    /// Puts lines into frames, and what does not fit into the queue among the lost.
    fn tell(&mut self, told: Vec<Told>) {
        let mut rest = told.as_slice();
        while !rest.is_empty() || !self.lost.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(LINES_PER_FRAME));
            let Ok(place) = self.frames.try_reserve() else {
                break;
            };
            place.send(frame(now, &self.lost, &self.wanted.flags));
            self.lost.clear();
            rest = later;
        }
        add(&self.app.meters.dropped_lines, rest.len() as u64);
        for told in rest {
            self.note_lost(told.entry.time, told.labels.clone());
        }
    }
}

/// Runs the query, and gives its lines one by one, oldest first.
fn lines(
    query: &LogQuery,
    source: &dyn LineSource,
    request: &LinesRequest,
) -> Result<Vec<Told>, Problem> {
    let mut options = Options::default();
    options.limits.entries_max = usize::MAX;
    options.limits.length_max = Duration::ZERO;
    let answer: LinesAnswer = query.lines(source, request, &options).map_err(problem)?;
    let mut told = Vec::with_capacity(answer.entries());
    for stream in answer.merged() {
        told.extend(stream.entries.iter().map(|entry| Told {
            labels: stream.labels.clone(),
            entry: (*entry).clone(),
        }));
    }
    told.sort_by_key(|told| told.entry.time);
    Ok(told)
}

/// A frame: one stream for each line, and the lines that were lost.
fn frame(told: &[Told], lost: &[Lost], flags: &Flags) -> Frame {
    let mut json = Json::whole();
    json.raw("{\"streams\":");
    json.array(told, |json, told| {
        json.raw("{\"stream\":");
        match flags.is_categorized() {
            true => json.page_object(stream_labels(told)),
            false => json.page_object(told.labels.iter()),
        }
        json.raw(&format!(",\"values\":[[\"{}\",", told.entry.time));
        json.page_text(&told.entry.line);
        if flags.is_categorized() {
            write_parts(json, &told.entry);
        }
        json.raw("]]}");
    });
    if !lost.is_empty() {
        json.raw(",\"dropped_entries\":");
        json.array(lost, |json, lost| {
            json.raw(&format!("{{\"timestamp\":\"{}\",\"labels\":", lost.time));
            json.page_object(lost.labels.iter());
            json.raw("}");
        });
    }
    flags.write(&mut json);
    json.raw("}");
    Frame {
        text: String::from_utf8_lossy(&json.into_bytes()).into_owned(),
        lines: told.len(),
    }
}

/// The labels that neither structured metadata nor the pipeline gave.
fn stream_labels(told: &Told) -> impl Iterator<Item = (&str, &str)> {
    let (metadata, parsed) = (&told.entry.metadata, &told.entry.parsed);
    let own = told.labels.iter();
    own.filter(|(name, _)| metadata.value(name).is_none() && parsed.value(name).is_none())
}

/// New lines as a source.
struct Fresh<'n>(&'n NewLines);

impl LineSource for Fresh<'_> {
    fn streams<'s>(
        &'s self,
        request: &LineRequest<'_>,
    ) -> chronolith_query::logql::Result<Vec<Box<dyn LineStream + 's>>> {
        let labels = self.0.labels.as_labels();
        let is_selected = request
            .matchers
            .iter()
            .all(|matcher| matcher.matches(labels.value(matcher.name()).unwrap_or("")));
        match is_selected {
            true => Ok(vec![Box::new(FreshStream {
                lines: self.0,
                start: request.start,
                end: request.end,
            })]),
            false => Ok(Vec::new()),
        }
    }
}

struct FreshStream<'n> {
    lines: &'n NewLines,
    start: i64,
    end: i64,
}

impl LineStream for FreshStream<'_> {
    fn labels(&self) -> Labels<'_> {
        self.lines.labels.as_labels()
    }

    fn runs(&self, _: Columns, _: Direction) -> chronolith_query::logql::Result<Runs<'_>> {
        let run = &self.lines.run;
        let is_asked = |time: &i64| (self.start..=self.end).contains(time);
        if run.times().iter().all(is_asked) {
            return Ok(Box::new(std::iter::once(Ok(run.clone()))));
        }
        let mut part = LineRun::default();
        for (place, time) in run.times().iter().enumerate() {
            if is_asked(time) {
                part.push(&Line {
                    time: Nanos(*time),
                    // It was UTF-8 when it was stored.
                    text: std::str::from_utf8(run.line(place)).unwrap_or_default(),
                    metadata: run.metadata(place),
                });
            }
        }
        Ok(Box::new(std::iter::once(Ok(part))))
    }
}
