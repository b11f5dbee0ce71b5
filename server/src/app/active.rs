//! Queries that are being answered: who asked what, since when, and how far it is.
//!
//! A query is in the list from the moment it is asked, waiting for its turn counted, until its
//! answer begins or its client goes away; leaving the list tells it to stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use chronolith_query::promql::CancelFlag;

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
    pub(crate) language: &'static str,
    pub(crate) text: String,
    pub(crate) since: SystemTime,
    begun: Instant,
    timeout: Duration,
    flag: CancelFlag,
}

impl Query {
    /// For how long it has been asked.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// When its time-out will end it.
    pub(crate) fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.age())
    }

    /// Samples or lines that it has read.
    pub(crate) fn read(&self) -> usize {
        self.flag.read()
    }
}

/// A place in the list. Left when this is dropped, which tells the query to stop.
pub(crate) struct Place {
    list: Active,
    number: u64,
    flag: CancelFlag,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.flag.cancel();
        self.list.lock().remove(&self.number);
    }
}

/// What is known of a query when it is asked.
pub(crate) struct Question<'a> {
    pub(crate) tenant: &'a Arc<str>,
    pub(crate) client: &'a str,
    pub(crate) language: &'static str,
    pub(crate) text: &'a str,
    pub(crate) timeout: Duration,
}

impl Active {
    /// Enters a query that is told to stop by this flag.
    pub(crate) fn enter(&self, question: Question<'_>, flag: &CancelFlag) -> Place {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let cut = |text: &str| text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
        let query = Query {
            number,
            tenant: Arc::clone(question.tenant),
            client: cut(question.client),
            language: question.language,
            text: cut(question.text),
            since: SystemTime::now(),
            begun: Instant::now(),
            timeout: question.timeout,
            flag: flag.clone(),
        };
        self.lock().insert(number, query);
        Place {
            list: self.clone(),
            number,
            flag: flag.clone(),
        }
    }

    /// The queries in the list, the oldest first.
    pub(crate) fn list(&self) -> Vec<Query> {
        self.lock().values().cloned().collect()
    }

    /// Tells a query to stop. Whether there is one of this number.
    pub(crate) fn cancel(&self, number: u64) -> bool {
        let found = self.lock().get(&number).map(|query| query.flag.clone());
        if let Some(flag) = &found {
            flag.cancel();
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
            "Queries that run or wait for their turn.",
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
                language: "promql",
                text,
                timeout: Duration::from_secs(1000),
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
        assert!(!active.cancel(99) && !first.is_raised());
        drop(place);
        assert!(first.is_raised() && active.list().len() == 1);
        drop(other);
        assert!(active.list().is_empty());
    }
}
