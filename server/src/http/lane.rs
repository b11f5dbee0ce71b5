//! Lanes: how much blocking work of one sort runs at once, and how much may wait for it.
//!
//! The engine blocks, the runtime must not: all work on the engine goes through a lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::problem::{Cause, Problem};
use crate::meters::Limit;

/// Bounded room for blocking work.
pub(crate) struct Lane {
    name: &'static str,
    /// What it counts as when somebody may not even wait.
    limit: Limit,
    slots: Arc<Semaphore>,
    running_max: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
    /// Whose threads do the work, where it is not those of whoever asks.
    threads: Option<Handle>,
}

/// A place in a lane. Given back when it is dropped.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    threads: Option<Handle>,
}

/// Takes one from the number of those who wait, also where the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    /// A lane on which `running_max` jobs run and `waiting_max` more may wait.
    pub(crate) fn new(
        name: &'static str,
        limit: Limit,
        running_max: usize,
        waiting_max: usize,
    ) -> Self {
        Lane {
            name,
            limit,
            slots: Arc::new(Semaphore::new(running_max)),
            running_max,
            waiting: AtomicUsize::new(0),
            waiting_max,
            threads: None,
        }
    }

    /// Has the work done by threads of their own.
    pub(crate) fn run_on(&mut self, threads: &Handle) {
        self.threads = Some(threads.clone());
    }

    /// How many jobs run, and how many wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let running = self.running_max - self.slots.available_permits().min(self.running_max);
        let waiting = self.waiting.load(Ordering::Relaxed);
        (running, waiting)
    }

    /// Waits for a place. Refused at once where too many wait already.
    pub(crate) async fn enter(&self) -> Result<Slot, Problem> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.waiting_max {
            let why = format!("{before} more {} wait already: try again later", self.name);
            return Err(Problem::new(Cause::Unavailable, why).limited(self.limit));
        }
        match Arc::clone(&self.slots).acquire_owned().await {
            Ok(permit) => Ok(Slot {
                _permit: permit,
                threads: self.threads.clone(),
            }),
            Err(_) => Err(Problem::new(Cause::Unavailable, "the server is stopping")),
        }
    }

    /// Runs blocking work when there is room for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let slot = self.enter().await?;
        joined(spawn(slot, work)).await
    }
}

/// Runs blocking work in a place that it gives back when it is done.
pub(crate) fn spawn<T: Send + 'static>(
    slot: Slot,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> JoinHandle<Result<T, Problem>> {
    let threads = slot.threads.clone();
    let work = move || {
        let _slot = slot;
        work()
    };
    match threads {
        Some(threads) => threads.spawn_blocking(work),
        None => tokio::task::spawn_blocking(work),
    }
}

/// What a job gave; a panic in it is the server's failure and ends this request only.
pub(crate) async fn joined<T>(job: JoinHandle<Result<T, Problem>>) -> Result<T, Problem> {
    match job.await {
        Ok(result) => result,
        Err(error) => Err(Problem::new(
            Cause::Internal,
            format!("the request could not be carried out: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    /// Polls once: whoever enters waits from then on.
    async fn begin_to_wait(entering: &mut (impl Future + Unpin)) {
        tokio::select! {
            biased;
            _ = entering => panic!("the lane is full"),
            () = std::future::ready(()) => {}
        }
    }

    #[test]
    fn who_finds_too_many_waiting_is_turned_away() {
        let lane = Lane::new("queries", Limit::WaitingQueries, 1, 1);
        runtime().block_on(async {
            let held = lane.enter().await.unwrap();
            let waiter = lane.enter();
            tokio::pin!(waiter);
            begin_to_wait(&mut waiter).await;
            assert_eq!(
                lane.enter().await.err().unwrap().cause(),
                Cause::Unavailable
            );
            drop(held);
            assert!(waiter.await.is_ok());
        });
    }

    #[test]
    fn a_wait_that_is_given_up_counts_no_more() {
        let lane = Lane::new("queries", Limit::WaitingQueries, 1, 1);
        runtime().block_on(async {
            let held = lane.enter().await.unwrap();
            {
                let waiter = lane.enter();
                tokio::pin!(waiter);
                begin_to_wait(&mut waiter).await;
            }
            assert_eq!(lane.waiting.load(Ordering::Relaxed), 0);
            drop(held);
        });
    }

    #[test]
    fn work_is_done_by_threads_of_its_own_where_there_are_some() {
        let name = || std::thread::current().name().map(str::to_owned);
        let threads = super::super::background::runtime(1, 0).unwrap();
        let mut lane = Lane::new("queries", Limit::WaitingQueries, 1, 1);
        lane.run_on(threads.handle());
        let done = runtime().block_on(lane.run(move || Ok(name())));
        assert_eq!(done.unwrap().as_deref(), Some("chronolith-query"));
    }

    #[test]
    fn a_panic_in_a_job_is_one_failed_request() {
        let lane = Lane::new("queries", Limit::WaitingQueries, 1, 1);
        runtime().block_on(async {
            let failed = lane
                .run(|| -> Result<(), Problem> { panic!("on purpose") })
                .await;
            assert_eq!(failed.unwrap_err().cause(), Cause::Internal);
            assert_eq!(lane.run(|| Ok(7)).await.unwrap(), 7);
        });
    }
}
