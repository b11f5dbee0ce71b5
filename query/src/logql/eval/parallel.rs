//! Streams shared out among threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::logql::source::LineStream;
use crate::logql::{Error, ErrorKind, Result};

/// The streams of a source.
pub(super) type Streams<'s> = Vec<Box<dyn LineStream + 's>>;

/// Has every stream worked on by one of some workers, each with a state of its own; the states, in
/// no order. A stream is told by its place among the streams. The first error ends it all.
pub(super) fn work<S: Send>(
    streams: &Streams<'_>,
    workers: usize,
    state: impl Fn() -> Result<S> + Sync,
    work: impl Fn(&mut S, usize, &dyn LineStream) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let next = AtomicUsize::new(0);
    let run = || -> Result<S> {
        let mut state = state()?;
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(stream) = streams.get(place) else {
                return Ok(state);
            };
            if let Err(error) = work(&mut state, place, stream.as_ref()) {
                // Nothing is left for the others.
                next.store(streams.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
    };
    let workers = workers.clamp(1, streams.len().max(1));
    if workers == 1 {
        return Ok(vec![run()?]);
    }
    thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        let join = |handle: thread::ScopedJoinHandle<'_, Result<S>>| {
            handle.join().unwrap_or_else(|_| {
                let message = "a worker of the query has panicked";
                Err(Error::new(ErrorKind::Execution, message))
            })
        };
        // All are joined before the first error is told.
        let states: Vec<Result<S>> = handles.into_iter().map(join).collect();
        states.into_iter().collect()
    })
}
