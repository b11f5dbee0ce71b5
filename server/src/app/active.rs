//! Queries that are being answered, live tails among them: who asked what, since when, and how far
//! it is.
//!
//! A query is in the list from the moment it is asked, waiting for its turn counted, until its
//! answer begins, its tail ends, or its client goes away; leaving the list tells it to stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use chronolith_query::promql::CancelFlag;

use crate::http::problem::{Cause, Problem};
use crate::meters::{Text, add};

/// Bytes of a query's text that are kept.
const TEXT_BYTES_MAX: usize = 4096;

/// The queries of all tenants. A handle: clones are the same list.
#[derive(Clone, Default)]
pub(crate) struct Active(Arc<List>);

#[derive(Default)]
struct List {
    asked: Mutex<BTreeMap<u64, Query>>,
    next: AtomicU64,
    cancelled: AtomicU64,
}

/// One query.
#[derive(Clone)]
pub(crate) struct Query {
    pub(crate) number: u64,
    pub(crate) tenant: Arc<str>,
    /// What the client calls itself.
    pub(crate) client: String,
    pub(crate) sort: Sort,
    pub(crate) text: String,
    pub(crate) since: SystemTime,
    begun: Instant,
    timeout: Option<Duration>,
    watch: Watch,
}

/// What is asked for, and in which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) language: &'static str,
    pub(crate) kind: &'static str,
}

impl Sort {
    pub(crate) const METRICS: Sort = Sort {
        language: "promql",
        kind: "query",
    };
    pub(crate) const LOGS: Sort = Sort::of_logs("query");
    pub(crate) const TAIL: Sort = Sort::of_logs("tail");
    pub(crate) const VOLUME: Sort = Sort::of_logs("volume");
    pub(crate) const STATS: Sort = Sort::of_logs("stats");
    pub(crate) const SERIES: Sort = Sort::of_logs("series");
    pub(crate) const LABELS: Sort = Sort::of_logs("labels");

    const fn of_logs(kind: &'static str) -> Sort {
        Sort {
            language: "logql",
            kind,
        }
    }
}

/// How far a query is, and whether it has been told to stop. A handle.
#[derive(Clone)]
pub(crate) struct Watch {
    flag: CancelFlag,
    /// What is not counted with the flag.
    count: Arc<AtomicUsize>,
}

impl Watch {
    fn new(flag: &CancelFlag) -> Self {
        Watch {
            flag: flag.clone(),
            count: Arc::default(),
        }
    }

    /// Counts lines that were read, or sent by a tail.
    pub(crate) fn add(&self, lines: usize) {
        self.count.fetch_add(lines, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.flag.is_raised()
    }

    /// To be asked now and then by who does not look at the flag otherwise.
    pub(crate) fn go_on(&self) -> Result<(), Problem> {
        match self.is_stopped() {
            true => Err(Problem::new(Cause::Canceled, "the request was cancelled")),
            false => Ok(()),
        }
    }
}

impl Query {
    /// For how long it has been asked.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// When its time-out will end it, if it has one.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        Some(self.timeout?.saturating_sub(self.age()))
    }

    /// Samples or lines that it has read, or sent if it is a tail.
    pub(crate) fn read(&self) -> usize {
        let watch = &self.watch;
        watch.flag.read() + watch.count.load(Ordering::Relaxed)
    }
}

/// A place in the list. Left when this is dropped, which tells the query to stop.
pub(crate) struct Place {
    list: Active,
    number: u64,
    pub(crate) watch: Watch,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.watch.flag.cancel();
        self.list.lock().remove(&self.number);
    }
}

/// What is known of a query when it is asked.
pub(crate) struct Question<'a> {
    pub(crate) tenant: &'a Arc<str>,
    pub(crate) client: &'a str,
    pub(crate) sort: Sort,
    pub(crate) text: &'a str,
    pub(crate) timeout: Option<Duration>,
}

impl Active {
    /// Enters a query that is told to stop by this flag.
    pub(crate) fn enter(&self, question: Question<'_>, flag: &CancelFlag) -> Place {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let watch = Watch::new(flag);
        let cut = |text: &str| text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
        let query = Query {
            number,
            tenant: Arc::clone(question.tenant),
            client: cut(question.client),
            sort: question.sort,
            text: cut(question.text),
            since: SystemTime::now(),
            begun: Instant::now(),
            timeout: question.timeout,
            watch: watch.clone(),
        };
        self.lock().insert(number, query);
        Place {
            list: self.clone(),
            number,
            watch,
        }
    }

    /// The queries in the list, the oldest first.
    pub(crate) fn list(&self) -> Vec<Query> {
        self.lock().values().cloned().collect()
    }

    /// Tells a query to stop. Whether there is one of this number.
    pub(crate) fn cancel(&self, number: u64) -> bool {
        let found = self.lock().get(&number).map(|query| query.watch.clone());
        if let Some(watch) = &found {
            watch.flag.cancel();
            add(&self.0.cancelled, 1);
        }
        found.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Query>> {
        match self.0.asked.lock() {
            Ok(asked) => asked,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Writes how many there are, and how many were cancelled.
    pub(crate) fn write(&self, out: &mut Text) {
        out.gauge(
            "chronolith_active_queries",
            "Queries that run or wait for their turn, and live tails.",
            self.lock().len() as f64,
        );
        out.counter(
            "chronolith_cancelled_queries_total",
            "Queries that an administrator has told to stop.",
            self.0.cancelled.load(Ordering::Relaxed) as f64,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_in_the_list_until_its_place_is_dropped() {
        let active = Active::default();
        let (tenant, long): (Arc<str>, _) = ("a".into(), "\u{fc}".repeat(TEXT_BYTES_MAX));
        let ask = |text: &str, flag: &CancelFlag| {
            let question = Question {
                tenant: &tenant,
                client: "test",
                sort: Sort::METRICS,
                text,
                timeout: None,
            };
            active.enter(question, flag)
        };
        let (first, second) = (CancelFlag::new(), CancelFlag::new());
        let place = ask("up", &first);
        let other = ask(&long, &second);
        let listed = active.list();
        let texts: Vec<&str> = listed.iter().map(|query| &*query.text).collect();
        assert_eq!(texts, ["up", &long[..TEXT_BYTES_MAX]]);
        assert!(active.cancel(listed[1].number) && second.is_raised());
        listed[1].watch.add(7);
        assert_eq!((listed[1].read(), listed[1].time_left()), (7, None));
        assert!(listed[1].watch.go_on().is_err());
        assert!(!active.cancel(99) && !first.is_raised());
        drop(place);
        assert!(first.is_raised() && active.list().len() == 1);
        drop(other);
        assert!(active.list().is_empty());
    }
}
