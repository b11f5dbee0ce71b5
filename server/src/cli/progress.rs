//! Signs of life: after two seconds a line on the terminal says what is being done and how far.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::say;

/// What is done sooner needs no sign.
const SILENCE: Duration = Duration::from_secs(2);

/// How often the line changes.
const BEAT: Duration = Duration::from_millis(200);

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Takes the cursor to the beginning of an empty line.
const CLEAR: &str = "\r\x1b[2K";

/// A line that tells of something, until it is dropped. There is none where nobody would see it.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    what: String,
    unit: &'static str,
    count: AtomicU64,
    /// How many there will be, 0 where that is not known.
    total: AtomicU64,
    is_hidden: AtomicBool,
    ended: Mutex<bool>,
    end: Condvar,
}

impl Progress {
    /// Begins to tell of `what`, counted in `unit`.
    pub(crate) fn start(what: &str, unit: &'static str) -> Progress {
        let shared = Arc::new(Shared {
            what: what.to_owned(),
            unit,
            count: AtomicU64::new(0),
            total: AtomicU64::new(0),
            is_hidden: AtomicBool::new(false),
            ended: Mutex::new(false),
            end: Condvar::new(),
        });
        let thread = std::io::stderr().is_terminal().then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.tell())
        });
        Progress { shared, thread }
    }

    /// That many more are done.
    pub(crate) fn add(&self, count: u64) {
        self.shared.count.fetch_add(count, Ordering::Relaxed);
    }

    /// So many there will be.
    pub(crate) fn expect(&self, total: u64) {
        self.shared.total.store(total, Ordering::Relaxed);
    }

    /// Says nothing any more: results are being written to the same terminal.
    pub(crate) fn hide(&self) {
        if !self.shared.is_hidden.swap(true, Ordering::Relaxed) && self.thread.is_some() {
            say(CLEAR);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Ok(mut ended) = self.shared.ended.lock() {
            *ended = true;
        }
        self.shared.end.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn tell(&self) {
        let began = Instant::now();
        let mut wait = SILENCE;
        for beat in 0.. {
            let Ok(ended) = self.ended.lock() else {
                return;
            };
            let waited = self.end.wait_timeout_while(ended, wait, |ended| !*ended);
            let has_ended = waited.map_or(true, |(ended, _)| *ended);
            if has_ended {
                let was_shown = beat > 0 && !self.is_hidden.load(Ordering::Relaxed);
                say(if was_shown { CLEAR } else { "" });
                return;
            }
            if !self.is_hidden.load(Ordering::Relaxed) {
                let spinner = SPINNER[beat % SPINNER.len()];
                say(&format!("{CLEAR}{}", self.line(spinner, began.elapsed())));
            }
            wait = BEAT;
        }
    }

    fn line(&self, spinner: char, elapsed: Duration) -> String {
        let (what, unit) = (&self.what, self.unit);
        let count = self.count.load(Ordering::Relaxed);
        let seconds = elapsed.as_secs();
        match self.total.load(Ordering::Relaxed) {
            0 if count == 0 => format!("{spinner} {what}, {seconds} s"),
            0 => format!("{spinner} {what}: {count} {unit}, {seconds} s"),
            total => {
                let done = usize::try_from(count.min(total) * 20 / total).unwrap_or(0);
                let bar = "█".repeat(done) + &"░".repeat(20 - done);
                format!("{spinner} {what} {bar} {count}/{total} {unit}, {seconds} s")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_how_many_and_how_long() {
        let progress = Progress::start("reading", "lines");
        let line = || progress.shared.line('*', Duration::from_secs(3));
        assert_eq!(line(), "* reading, 3 s");
        progress.add(5);
        assert_eq!(line(), "* reading: 5 lines, 3 s");
        progress.expect(10);
        assert!(line().contains("██████████░░░░░░░░░░ 5/10 lines"));
    }
}
