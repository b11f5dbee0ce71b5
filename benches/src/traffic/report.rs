//! What a run has found: a table for people, and faults.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::Compared;

/// What a run has found.
#[derive(Default)]
pub struct Report {
    /// What should not have happened: none, if all is well.
    pub faults: Vec<String>,
    /// What was asked back in the end.
    pub compared: Compared,
    /// Kills while the clients were at work, and those of a server that still opened its directory.
    pub kills: u64,
    /// See `kills`.
    pub early_kills: u64,
    /// Requests that were sent again because of these.
    pub repeated: u64,
    /// Questions for the newest acknowledged entry that were answered rightly.
    pub confirmed: u64,
    pub(super) took: BTreeMap<&'static str, Vec<Duration>>,
    pub(super) statuses: BTreeMap<(&'static str, u16), u64>,
    pub(super) ready: Vec<Duration>,
    pub(super) peak_bytes: u64,
    pub(super) memory_bytes_max: u64,
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

impl Report {
    /// Whether nothing was lost, doubled or answered wrongly.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty() && self.compared.differences == 0
    }

    /// How many requests were answered 429.
    pub fn limited(&self) -> u64 {
        let all = self.statuses.iter();
        all.filter(|((_, status), _)| *status == 429)
            .map(|(_, count)| *count)
            .sum()
    }

    /// The report as lines.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = vec![row("", "count", "p50 ms", "p99 ms", "max ms")];
        for (what, took) in &mut self.took {
            took.sort();
            let at = |percent| format!("{:.1}", millis(percentile(took, percent)));
            let count = took.len().to_string();
            lines.push(row(what, &count, &at(50), &at(99), &at(100)));
        }
        let refused = self
            .statuses
            .iter()
            .filter(|((_, status), _)| *status >= 300);
        for ((what, status), count) in refused {
            lines.push(format!("{what} was answered {status}: {count} times"));
        }
        let answers: u64 = self.statuses.values().sum();
        lines.push(format!(
            "{answers} answers in {:.0} s; core time of the server {:.0} s",
            self.wall.as_secs_f64(),
            self.cpu.as_secs_f64()
        ));
        lines.push(format!(
            "memory: VmHWM {} MiB, at most {} MiB are allowed",
            self.peak_bytes >> 20,
            self.memory_bytes_max >> 20
        ));
        if self.kills > 0 {
            self.ready.sort();
            lines.push(format!(
                "{} kills, {} more while the directory was being opened; {} requests sent again; \
                 ready after {:.0} ms at p50, {:.0} at most",
                self.kills,
                self.early_kills,
                self.repeated,
                millis(percentile(&self.ready, 50)),
                millis(percentile(&self.ready, 100)),
            ));
        }
        lines.push(format!(
            "asked back: {} samples and {} lines are there as acknowledged, {} differences; {} \
             times the newest was asked for at once",
            self.compared.samples, self.compared.lines, self.compared.differences, self.confirmed
        ));
        lines.extend(self.compared.examples.iter().cloned());
        let faults = self.faults.iter().map(|fault| format!("fault: {fault}"));
        lines.extend(faults);
        lines
    }
}

fn row(what: &str, count: &str, p50: &str, p99: &str, max: &str) -> String {
    format!("{what:28} {count:>9} {p50:>9} {p99:>9} {max:>9}")
}

/// The time that so many percent did not exceed; of none it is zero.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times, 100), Duration::from_millis(200));
        assert_eq!(percentile(&times[..1], 1), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn a_difference_or_a_fault_spoils_a_run() {
        let mut report = Report::default();
        assert!(report.is_good());
        report.compared.differences = 1;
        assert!(!report.is_good());
        report.compared.differences = 0;
        report.faults.push("a push is answered 500".into());
        assert!(!report.is_good());
    }
}
