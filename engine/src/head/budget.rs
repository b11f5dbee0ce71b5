//! What all heads of one engine may hold together: series and entry bytes, counted apart.

use std::sync::atomic::{AtomicU64, Ordering};

/// Shared counters with their caps.
pub(crate) struct Budget {
    series: AtomicU64,
    bytes: AtomicU64,
    pub(crate) series_max: u64,
    pub(crate) bytes_max: u64,
}

impl Budget {
    pub(crate) fn new(series_max: u64, bytes_max: u64) -> Self {
        Budget {
            series: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            series_max,
            bytes_max,
        }
    }

    /// Takes room for one more series, or says that there is none.
    pub(crate) fn take_series(&self) -> bool {
        let raise = |series: u64| (series < self.series_max).then_some(series + 1);
        self.series
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, raise)
            .is_ok()
    }

    /// Counts a series that recovery found: it is there whatever the cap says.
    pub(crate) fn recovered_series(&self) {
        self.series.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn return_series(&self, count: u64) {
        self.series.fetch_sub(count, Ordering::AcqRel);
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(crate) fn return_bytes(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(crate) fn series(&self) -> u64 {
        self.series.load(Ordering::Acquire)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }
}
