//! What a load costs the whole process until it is at rest: time on all cores, memory, and bytes
//! written.
//!
//! Work of the load's own, such as making lines, is left out: it is measured by the clock of the
//! thread that does it.

use std::time::{Duration, Instant};

use crate::process::{io_written_bytes, process_cpu, status_bytes, thread_cpu_ns};

/// Runs from the first append until the store is at rest.
pub struct Meter {
    begun: Instant,
    cpu: Duration,
    written_bytes: u64,
    own: Duration,
    log_bytes: u64,
    log_grown_bytes: u64,
}

/// What was spent.
pub struct Spent {
    /// By the clock on the wall, the load's own work included.
    pub wall: Duration,
    /// User and system time of all threads, the load's own work left out.
    pub cpu: Duration,
    /// The load's own work.
    pub own: Duration,
    /// Bytes written to files other than the log.
    pub block_written_bytes: u64,
    /// The process' largest memory until now, the load's tables included.
    pub peak_bytes: u64,
}

/// What a database made of samples.
pub struct Made {
    /// Samples in its blocks.
    pub samples: u64,
    /// Bytes of its blocks.
    pub bytes: u64,
    /// How many blocks there are.
    pub blocks: u64,
    /// User and system seconds until it was at rest.
    pub cpu_seconds: f64,
    /// Its largest memory.
    pub peak_bytes: u64,
}

impl Made {
    /// Bytes of blocks for each sample.
    pub fn bytes_a_sample(&self) -> f64 {
        self.bytes as f64 / self.samples as f64
    }

    /// All of it on one line.
    pub fn describe(&self) -> String {
        format!(
            "{:.3} bytes a sample ({} samples in {} blocks of {} MiB), settled {:.2} M \
             samples/CPU-s ({:.1} s of core time), VmHWM {} MiB",
            self.bytes_a_sample(),
            self.samples,
            self.blocks,
            self.bytes >> 20,
            self.samples as f64 / 1e6 / self.cpu_seconds,
            self.cpu_seconds,
            self.peak_bytes >> 20,
        )
    }
}

impl Meter {
    /// Begins to measure. Fails on systems without `/proc`.
    pub fn start() -> Result<Meter, &'static str> {
        let cpu = process_cpu().ok_or("this system does not tell a process' time")?;
        let written_bytes =
            io_written_bytes().ok_or("this system does not count what is written")?;
        Ok(Meter {
            begun: Instant::now(),
            cpu,
            written_bytes,
            own: Duration::ZERO,
            log_bytes: 0,
            log_grown_bytes: 0,
        })
    }

    /// Does work of the load's own.
    pub fn own<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = thread_cpu_ns();
        let done = work();
        if let (Some(before), Some(after)) = (before, thread_cpu_ns()) {
            self.own += Duration::from_nanos(after - before);
        }
        done
    }

    /// Takes note of the log's size; to be called after each batch, so that growth can be told from
    /// letting go.
    pub fn note_log(&mut self, log_bytes: u64) {
        self.log_grown_bytes += log_bytes.saturating_sub(self.log_bytes);
        self.log_bytes = log_bytes;
    }

    /// What was spent until now.
    pub fn stop(&self) -> Spent {
        let cpu = process_cpu().unwrap_or_default().saturating_sub(self.cpu);
        let written = io_written_bytes().unwrap_or(0) - self.written_bytes;
        Spent {
            wall: self.begun.elapsed(),
            cpu: cpu.saturating_sub(self.own),
            own: self.own,
            block_written_bytes: written.saturating_sub(self.log_grown_bytes),
            peak_bytes: status_bytes("VmHWM").unwrap_or(0),
        }
    }
}
