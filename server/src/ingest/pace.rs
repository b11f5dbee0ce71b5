//! How fast each tenant may push, and what is counted of those who pushed faster.
//!
//! A bucket for each sort of load fills at the rate that is allowed, up to what a burst may be. A
//! request is taken while there is anything in it and takes out all that it brings, so the bucket
//! may owe something afterwards: a request that is larger than a burst is taken once, and then
//! waited for, where it would be refused for ever otherwise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::http::problem::{Cause, Problem};
use crate::meters::{Limit, Text, add};
use crate::settings::IngestLimits;

/// The longest that a sender is told to wait. Who asks again too early is told again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    Samples,
    Lines,
    LineBytes,
}

impl Load {
    const ALL: [(Load, &'static str); 3] = [
        (Load::Samples, "samples"),
        (Load::Lines, "lines"),
        (Load::LineBytes, "line_bytes"),
    ];

    /// How much of it there may be a second.
    fn rate(self, limits: &IngestLimits) -> Option<u64> {
        match self {
            Load::Samples => limits.samples_per_second.map(|rate| rate as u64),
            Load::Lines => limits.lines_per_second.map(|rate| rate as u64),
            Load::LineBytes => limits.line_bytes_per_second,
        }
    }
}

/// A load that came too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) load: Load,
    /// How much a second is allowed.
    pub(crate) rate: u64,
    wait: Duration,
}

impl Excess {
    /// The answer, in the caller's words.
    pub(crate) fn problem(&self, text: String) -> Problem {
        let seconds = self.wait.as_secs_f64().ceil().max(1.0);
        let problem = Problem::new(Cause::Limit, text).again_in(seconds as u32);
        problem.limited(Limit::Rate)
    }
}

/// How much of one load may still come.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// What is in it, or is owed; and when that was so.
    seen: Option<(f64, Instant)>,
}

impl Bucket {
    /// What is in it at this moment.
    fn level(&self, now: Instant, rate: f64, size: f64) -> f64 {
        match self.seen {
            None => size,
            Some((level, at)) => {
                let grown = rate * now.saturating_duration_since(at).as_secs_f64();
                (level + grown).min(size)
            }
        }
    }
}

/// The buckets of one tenant.
#[derive(Default)]
pub(crate) struct Pace {
    buckets: Mutex<[Bucket; Load::ALL.len()]>,
    refused: [AtomicU64; Load::ALL.len()],
}

impl Pace {
    /// Takes loads out of their buckets: all of them, or none if one has come too fast.
    pub(crate) fn admit(
        &self,
        limits: &IngestLimits,
        now: Instant,
        loads: &[(Load, u64)],
    ) -> Result<(), Excess> {
        let mut buckets = match self.buckets.lock() {
            Ok(buckets) => buckets,
            Err(poisoned) => poisoned.into_inner(),
        };
        let mut levels = Vec::with_capacity(loads.len());
        for (load, amount) in loads {
            let Some(rate) = load.rate(limits) else {
                continue;
            };
            let size = rate as f64 * limits.burst.as_secs_f64();
            let level = buckets[*load as usize].level(now, rate as f64, size);
            if level <= 0.0 && *amount > 0 {
                add(&self.refused[*load as usize], 1);
                return Err(Excess {
                    load: *load,
                    rate,
                    wait: wait(-level, rate),
                });
            }
            levels.push((*load, level - *amount as f64));
        }
        for (load, level) in levels {
            buckets[load as usize].seen = Some((level, now));
        }
        Ok(())
    }
}

/// How long it takes until what is owed has come in.
fn wait(owed: f64, rate: u64) -> Duration {
    let wait = Duration::try_from_secs_f64(owed / rate as f64);
    wait.map_or(WAIT_MAX, |wait| wait.min(WAIT_MAX))
}

/// The paces of all tenants. Only those are asked for that exist, so there are no more of them than
/// tenants may be.
#[derive(Default)]
pub(crate) struct Paces {
    of_each: Mutex<BTreeMap<Box<str>, Arc<Pace>>>,
}

impl Paces {
    /// The pace of a tenant that exists.
    pub(crate) fn of(&self, tenant: &str) -> Arc<Pace> {
        let mut of_each = match self.of_each.lock() {
            Ok(of_each) => of_each,
            Err(poisoned) => poisoned.into_inner(),
        };
        match of_each.get(tenant) {
            Some(pace) => Arc::clone(pace),
            None => Arc::clone(of_each.entry(tenant.into()).or_default()),
        }
    }

    /// Writes how many pushes came too fast, of each tenant where there are several.
    pub(crate) fn write(&self, out: &mut Text, tells_tenants: bool) {
        const ALL: &str = "chronolith_rate_limited_pushes_total";
        const EACH: &str = "chronolith_tenant_rate_limited_pushes_total";
        const HELP: &str = "Pushes that were refused because their tenant pushed too fast.";
        let Ok(of_each) = self.of_each.lock() else {
            return;
        };
        let count = |pace: &Pace, load: Load| pace.refused[load as usize].load(Ordering::Relaxed);
        out.family(ALL, "counter", HELP);
        for (load, name) in Load::ALL {
            let all: u64 = of_each.values().map(|pace| count(pace, load)).sum();
            out.sample(ALL, &format!("{{limit=\"{name}\"}}"), all as f64);
        }
        if !tells_tenants {
            return;
        }
        out.family(EACH, "counter", HELP);
        for (tenant, pace) in of_each.iter() {
            for (load, name) in Load::ALL {
                // Names of tenants need no escapes.
                let labels = format!("{{tenant=\"{tenant}\",limit=\"{name}\"}}");
                out.sample(EACH, &labels, count(pace, load) as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> IngestLimits {
        IngestLimits {
            samples_per_second: Some(10),
            lines_per_second: Some(5),
            line_bytes_per_second: Some(100),
            burst: 2 * SECOND,
            ..IngestLimits::default()
        }
    }

    #[test]
    fn a_burst_is_taken_and_then_no_more_than_the_rate() {
        let (pace, limits, start) = (Pace::default(), limits(), Instant::now());
        let push = |at: Duration, count| pace.admit(&limits, start + at, &[(Load::Samples, count)]);
        assert_eq!(push(Duration::ZERO, 20), Ok(()));
        let excess = push(Duration::ZERO, 1).unwrap_err();
        assert_eq!((excess.load, excess.rate), (Load::Samples, 10));
        let mut taken = 0;
        for tenth in 1..=100 {
            taken += u64::from(push(SECOND * tenth / 10, 1).is_ok());
        }
        assert!(
            (99..=100).contains(&taken),
            "{taken} in ten seconds at ten a second"
        );
        // A rest fills the bucket no higher than a burst.
        assert_eq!(push(1000 * SECOND, 20), Ok(()));
        assert!(push(1000 * SECOND, 1).is_err());
    }

    #[test]
    fn a_request_that_is_larger_than_a_burst_is_taken_once_and_waited_for() {
        let (pace, limits, start) = (Pace::default(), limits(), Instant::now());
        let push = |at: Duration, count| pace.admit(&limits, start + at, &[(Load::Samples, count)]);
        assert_eq!(push(Duration::ZERO, 120), Ok(()));
        assert_eq!(push(Duration::ZERO, 1).unwrap_err().wait, 10 * SECOND);
        assert_eq!(push(4 * SECOND, 1).unwrap_err().wait, 6 * SECOND);
        assert_eq!(push(11 * SECOND, 1), Ok(()));
    }

    #[test]
    fn of_two_loads_both_are_taken_or_none() {
        let (pace, limits, now) = (Pace::default(), limits(), Instant::now());
        let push = |lines, bytes| {
            pace.admit(
                &limits,
                now,
                &[(Load::Lines, lines), (Load::LineBytes, bytes)],
            )
        };
        assert_eq!(push(1, 200), Ok(()));
        for _ in 0..20 {
            assert_eq!(push(1, 1).unwrap_err().load, Load::LineBytes);
        }
        // What was refused has taken no lines.
        assert_eq!(push(9, 0), Ok(()));
        assert_eq!(push(1, 0).unwrap_err().load, Load::Lines);
    }

    #[test]
    fn without_a_limit_everything_is_taken_and_with_one_of_nothing_no_wait_is_endless() {
        let (pace, now) = (Pace::default(), Instant::now());
        let many = [(Load::Samples, u64::MAX)];
        assert_eq!(pace.admit(&IngestLimits::default(), now, &many), Ok(()));
        let nothing = IngestLimits {
            samples_per_second: Some(0),
            ..IngestLimits::default()
        };
        let excess = pace.admit(&nothing, now, &[(Load::Samples, 1)]);
        assert_eq!(excess.unwrap_err().wait, WAIT_MAX);
    }
}
