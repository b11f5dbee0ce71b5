//! Those who wait for new lines: each is told what has been stored.
//!
//! A writer never waits for a reader: what a reader has not fetched when the queue is full is lost
//! to it, and the reader learns how much that was.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::logs::{Line, LineRun};
use tokio::sync::broadcast;

/// Pieces of news that wait for the slowest reader.
const NEWS_MAX: usize = 256;

/// Bytes of lines of one piece; a stream with more makes several.
const NEWS_BYTES_MAX: usize = 128 << 10;

/// The queues that readers hang on, one for each tenant that has readers.
#[derive(Default)]
pub(crate) struct Tails {
    queues: RwLock<HashMap<Box<str>, Queue>>,
}

/// The queue of one tenant.
#[derive(Clone)]
pub(crate) struct Queue {
    news: broadcast::Sender<News>,
}

/// What readers are told.
#[derive(Clone)]
pub(crate) enum News {
    /// These lines have been stored.
    Lines(Arc<NewLines>),
    /// There will be no more.
    Stop,
}

/// Lines of one stream that have been stored, in order of time.
pub(crate) struct NewLines {
    pub(crate) labels: LabelSet,
    pub(crate) run: LineRun,
    pub(crate) stored: Instant,
}

impl Tails {
    /// The tenant's queue, if anybody waits for its lines.
    pub(crate) fn watched(&self, tenant: &str) -> Option<Queue> {
        let queues = self.queues.read().ok()?;
        let queue = queues.get(tenant)?;
        (queue.news.receiver_count() > 0).then(|| queue.clone())
    }

    /// What is stored for a tenant from now on, and how many now wait for that.
    pub(crate) fn watch(&self, tenant: &str) -> (broadcast::Receiver<News>, usize) {
        let Ok(mut queues) = self.queues.write() else {
            // Nobody will send, which says that there will be no more.
            return (Queue::default().news.subscribe(), 1);
        };
        // So there are never more queues than readers.
        queues.retain(|_, queue| queue.news.receiver_count() > 0);
        let queue = queues.entry(tenant.into()).or_default();
        let news = queue.news.subscribe();
        (news, queue.news.receiver_count())
    }

    /// Tells that there will be no more lines.
    pub(crate) fn stop(&self) {
        if let Ok(queues) = self.queues.read() {
            // Nobody has to listen.
            let tell = |queue: &Queue| drop(queue.news.send(News::Stop));
            queues.values().for_each(tell);
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            news: broadcast::Sender::new(NEWS_MAX),
        }
    }
}

impl Queue {
    /// Tells of lines of one stream.
    pub(crate) fn publish<'l>(&self, labels: Labels<'_>, lines: impl Iterator<Item = Line<'l>>) {
        let mut lines: Vec<Line<'l>> = lines.collect();
        lines.sort_by_key(|line| line.time);
        let (mut run, mut bytes) = (LineRun::default(), 0);
        for line in &lines {
            run.push(line);
            bytes += line.text.len() + line.metadata.as_bytes().len();
            if bytes >= NEWS_BYTES_MAX {
                self.send(labels, std::mem::take(&mut run));
                bytes = 0;
            }
        }
        if !run.is_empty() {
            self.send(labels, run);
        }
    }

    fn send(&self, labels: Labels<'_>, run: LineRun) {
        let lines = NewLines {
            labels: labels.to_set(),
            run,
            stored: Instant::now(),
        };
        let _ = self.news.send(News::Lines(Arc::new(lines)));
    }
}

#[cfg(test)]
mod tests {
    use chronolith_engine::time::Nanos;

    use super::*;

    fn lines(tails: &Queue, count: usize, length: usize) {
        let labels = LabelSet::from_pairs([("a", "b")]).unwrap();
        let text = "x".repeat(length);
        let lines = (0..count).map(|time| Line::new(Nanos(-(time as i64)), &text));
        tails.publish(labels.as_labels(), lines);
    }

    #[test]
    fn news_come_in_pieces_and_in_order_of_time() {
        let tails = Tails::default();
        assert!(tails.watched("a").is_none());
        let (mut watching, count) = tails.watch("a");
        let (other, of_other) = tails.watch("b");
        assert_eq!((count, of_other, tails.watch("b").1), (1, 1, 2));
        lines(&tails.watched("a").unwrap(), 10, 50_000);
        let (mut pieces, mut times) = (0, Vec::new());
        while let Ok(News::Lines(news)) = watching.try_recv() {
            pieces += 1;
            times.extend_from_slice(news.run.times());
        }
        assert_eq!(pieces, 4);
        assert!(times.is_sorted() && times.len() == 10);
        assert!(other.is_empty(), "lines of one tenant went to another");
        drop(watching);
        assert!(tails.watched("a").is_none());
    }

    #[test]
    fn who_does_not_listen_loses_the_oldest_and_is_told() {
        let tails = Tails::default();
        let (mut watching, _) = tails.watch("a");
        for _ in 0..NEWS_MAX + 3 {
            lines(&tails.watched("a").unwrap(), 1, 1);
        }
        let lost = watching.try_recv().err().unwrap();
        assert_eq!(lost, broadcast::error::TryRecvError::Lagged(3));
        let mut heard = 0;
        while let Ok(News::Lines(_)) = watching.try_recv() {
            heard += 1;
        }
        assert_eq!(heard, NEWS_MAX);
        tails.stop();
        assert!(matches!(watching.try_recv(), Ok(News::Stop)));
    }
}
