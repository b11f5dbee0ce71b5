//! [`Workers`]: the threads that share the series of a query among them.
//!
//! The thread of the caller always works; others help as far as they are free, and nothing ever
//! waits for one that is not. What comes out does not depend on who did it.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use rayon::ThreadPool;

use crate::promql::error::Result;

/// Items that one thread takes at once.
const ITEMS_A_PART: usize = 32;

/// With fewer items than this nobody is asked for help.
const ITEMS_WORTH_HELP: usize = 2 * ITEMS_A_PART;

/// The threads that work on queries. Clones are the same threads, which end with the last clone.
///
/// The default is one pool for all queries of the process with a thread for each core, that of the
/// caller counted. It starts when a query first has work for it.
///
/// ```
/// use chronolith_query::promql::{Options, Workers};
///
/// // On the caller's thread alone.
/// let options = Options { workers: Workers::new(1), ..Options::default() };
/// assert_eq!(options.workers.threads(), 1);
/// ```
#[derive(Clone)]
pub struct Workers(Threads);

#[derive(Clone)]
enum Threads {
    Shared,
    Own(Arc<Pool>),
}

/// Threads that help callers.
struct Pool {
    helpers: usize,
    free: AtomicUsize,
    /// Started when first needed; nothing where the system gives no threads.
    pool: OnceLock<Option<ThreadPool>>,
}

impl Pool {
    fn of(threads: usize) -> Pool {
        let helpers = threads.max(1) - 1;
        Pool {
            helpers,
            free: AtomicUsize::new(helpers),
            pool: OnceLock::new(),
        }
    }

    fn started(&self) -> Option<&ThreadPool> {
        let start = || {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(self.helpers)
                .thread_name(|place| format!("chronolith-query-{place}"));
            pool.build().ok()
        };
        self.pool.get_or_init(start).as_ref()
    }

    /// Takes at most so many helpers that have nothing to do.
    fn take(&self, most: usize) -> usize {
        let mut taken = 0;
        let take = |free: usize| {
            taken = free.min(most);
            Some(free - taken)
        };
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        // Always stores, so it cannot fail.
        let _ = self.free.fetch_update(set, fetch, take);
        taken
    }
}

impl Default for Workers {
    fn default() -> Self {
        Workers(Threads::Shared)
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workers({})", self.threads())
    }
}

impl Workers {
    /// So many threads, that of the caller counted; with 1 there are no others.
    pub fn new(threads: usize) -> Workers {
        Workers(Threads::Own(Arc::new(Pool::of(threads))))
    }

    /// How many threads work on a query at most.
    pub fn threads(&self) -> usize {
        self.pool().helpers + 1
    }

    fn pool(&self) -> &Pool {
        static SHARED: OnceLock<Pool> = OnceLock::new();
        match &self.0 {
            Threads::Own(pool) => pool,
            Threads::Shared => SHARED
                .get_or_init(|| Pool::of(available_parallelism().map_or(1, NonZeroUsize::get))),
        }
    }

    /// Works on all parts of `items`, which are the same whoever is there, and gives the results to
    /// `take` in the order of the parts, one at a time. After an error nobody begins another part,
    /// and the first one is told.
    pub(crate) fn each<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(Vec<T>) -> Result<R> + Sync,
        take: impl FnMut(R) -> Result<()> + Send,
    ) -> Result<()> {
        let wants_help = items.len() >= ITEMS_WORTH_HELP;
        let parts = parts(items);
        let next = AtomicUsize::new(0);
        let line = Line::new(take);
        let run = || {
            while !line.has_failed() {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(part) = parts.get(place) else { return };
                let Some(part) = locked(part).take() else {
                    return;
                };
                line.hand_in(place, work(part));
            }
        };
        match wants_help {
            true => self.pool().help(parts.len() - 1, &run),
            false => run(),
        }
        line.outcome()
    }
}

/// Results that are taken in the order of their parts, by whichever thread is there.
struct Line<R, F> {
    state: Mutex<LineState<R, F>>,
    failed: AtomicBool,
}

struct LineState<R, F> {
    /// The part whose result is taken next.
    next: usize,
    /// Results that came before it was their turn: no more than other threads make meanwhile.
    early: HashMap<usize, Result<R>>,
    /// Not here while a thread is taking, which then looks for the results of others.
    take: Option<F>,
    outcome: Result<()>,
}

impl<R, F: FnMut(R) -> Result<()>> Line<R, F> {
    fn new(take: F) -> Self {
        Line {
            state: Mutex::new(LineState {
                next: 0,
                early: HashMap::new(),
                take: Some(take),
                outcome: Ok(()),
            }),
            failed: AtomicBool::new(false),
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Takes the result of a part if it is its turn, and those that wait behind it.
    fn hand_in(&self, place: usize, result: Result<R>) {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        let mut state = locked(&self.state);
        state.early.insert(place, result);
        while let Some(mut take) = state.take.take() {
            let next = state.next;
            let Some(result) = state.early.remove(&next) else {
                state.take = Some(take);
                return;
            };
            drop(state);
            let outcome = result.and_then(&mut take);
            state = locked(&self.state);
            state.next += 1;
            if outcome.is_err() {
                // Nothing behind an error is taken.
                self.failed.store(true, Ordering::Relaxed);
                state.outcome = outcome;
                return;
            }
            state.take = Some(take);
        }
    }

    fn outcome(self) -> Result<()> {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).outcome
    }
}

impl Pool {
    /// Has the caller and at most so many others run this.
    fn help(&self, most: usize, run: &(impl Fn() + Sync)) {
        let helpers = match self.helpers {
            0 => 0,
            _ => self.take(most),
        };
        let Some(pool) = (helpers > 0).then(|| self.started()).flatten() else {
            self.free.fetch_add(helpers, Ordering::AcqRel);
            return run();
        };
        pool.in_place_scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| {
                    let _back = GiveBack(&self.free);
                    run();
                });
            }
            run();
        });
    }
}

/// Counts a helper as free again, even if it panics.
struct GiveBack<'a>(&'a AtomicUsize);

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

fn parts<T>(items: Vec<T>) -> Vec<Mutex<Option<Vec<T>>>> {
    let mut parts = Vec::with_capacity(items.len().div_ceil(ITEMS_A_PART));
    let mut items = items.into_iter();
    loop {
        let part: Vec<T> = items.by_ref().take(ITEMS_A_PART).collect();
        if part.is_empty() {
            return parts;
        }
        parts.push(Mutex::new(Some(part)));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::error::Error;

    /// What comes of all parts.
    fn all<T: Send, R: Send>(
        workers: &Workers,
        items: Vec<T>,
        work: impl Fn(Vec<T>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let mut found = Vec::new();
        let take = |result| {
            found.push(result);
            Ok(())
        };
        workers.each(items, work, take)?;
        Ok(found)
    }

    #[test]
    fn parts_come_back_in_order_whoever_worked_on_them() {
        let items: Vec<usize> = (0..1000).collect();
        let whole = |threads: usize| {
            let parts = all(&Workers::new(threads), items.clone(), Ok).unwrap();
            parts.concat()
        };
        for threads in [1, 2, 7] {
            assert_eq!(whole(threads), items);
        }
    }

    #[test]
    fn threads_that_are_busy_are_not_waited_for() {
        let workers = Workers::new(2);
        let items: Vec<usize> = (0..1000).collect();
        // Within each part the only helper may be taken, or the other thread is it.
        let sums = all(&workers, items.clone(), |part| {
            let parts = all(&workers, items.clone(), Ok)?;
            Ok((part.len(), parts.concat().len()))
        });
        let sums = sums.unwrap();
        assert_eq!(sums.iter().map(|sum| sum.0).sum::<usize>(), 1000);
        assert!(sums.iter().all(|sum| sum.1 == 1000));
        assert_eq!(workers.pool().free.load(Ordering::Acquire), 1);
    }

    #[test]
    fn the_first_error_is_told_and_ends_the_work() {
        let worked = AtomicUsize::new(0);
        let outcome = all(
            &Workers::new(1),
            (0..10_000).collect(),
            |part: Vec<usize>| {
                worked.fetch_add(1, Ordering::Relaxed);
                match part.contains(&40) {
                    true => Err(Error::execution("forty")),
                    false => Ok(()),
                }
            },
        );
        assert_eq!(outcome.unwrap_err().to_string(), "forty");
        assert_eq!(worked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_is_taken_is_taken_in_order_up_to_the_first_error() {
        for threads in [1, 2, 7] {
            let mut taken = Vec::new();
            let take = |part: Vec<usize>| {
                taken.extend(part);
                match taken.len() < 320 {
                    true => Ok(()),
                    false => Err(Error::execution("enough")),
                }
            };
            let outcome = Workers::new(threads).each((0..10_000).collect(), Ok, take);
            assert_eq!(outcome.unwrap_err().to_string(), "enough");
            assert_eq!(taken, (0..320).collect::<Vec<usize>>());
        }
    }
}
