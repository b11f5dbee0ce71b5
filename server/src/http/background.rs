//! Threads for queries: where cores are scarce they get less of them than the threads that take
//! pushes.
//!
//! A query that takes somewhat longer bothers its reader; a push that waits bothers its sender,
//! whose queue grows meanwhile, and everybody who is to see what it brings.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// A runtime for blocking work alone, on up to so many threads. Each takes `nice` steps back behind
/// other threads of the process, as far as the system knows that of threads.
pub(crate) fn runtime(threads: usize, nice: i32) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        // Nothing runs on it but what blocks; one is the least.
        .worker_threads(1)
        .max_blocking_threads(threads)
        .thread_name("chronolith-query")
        .on_thread_start(move || step_back(nice))
        .build()
}

/// On Linux each thread has a place of its own in the line; elsewhere it is the process that has.
#[cfg(target_os = "linux")]
fn step_back(nice: i32) {
    // Stepping back is always allowed, and nothing depends on it.
    let _ = rustix::process::nice(nice);
}

#[cfg(not(target_os = "linux"))]
fn step_back(_: i32) {}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// The place of the calling thread in the line, as the system tells it.
    fn place() -> i32 {
        let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let behind_name = text.rsplit(") ").next().unwrap();
        // State is the third field, the place the nineteenth.
        behind_name.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn threads_step_back_behind_the_one_that_asks_and_so_do_those_that_they_start() {
        let before = place();
        let threads = runtime(1, 5).unwrap();
        let job = threads.spawn_blocking(|| {
            let started = std::thread::spawn(place).join().unwrap();
            (place(), started)
        });
        let (own, started) = threads.block_on(job).unwrap();
        let expected = (before + 5).min(19);
        assert_eq!((own, started), (expected, expected));
        assert_eq!(place(), before);
    }
}
