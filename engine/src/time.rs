//! Time as the kinds tick it: milliseconds for metrics, nanoseconds for logs, and `Ticks` for the
//! rooms that carry either without knowing which. A bare `i64` is a time only inside the codecs.

use std::fmt;
use std::time::Duration;

/// A point in time in the tick of a kind that this room does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Ticks(pub i64);

/// Milliseconds since the Unix epoch: when a sample was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Millis(pub i64);

/// Nanoseconds since the Unix epoch: when a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Nanos(pub i64);

/// A time newtype of one kind, convertible to and from kind-erased [`Ticks`].
pub trait Moment:
    Copy + Ord + fmt::Debug + Send + Sync + From<Ticks> + Into<Ticks> + 'static
{
    /// How many ticks make a second.
    const PER_SECOND: i64;
}

macro_rules! moment {
    ($name:ident, $per_second:expr) => {
        impl From<Ticks> for $name {
            fn from(ticks: Ticks) -> Self {
                $name(ticks.0)
            }
        }
        impl From<$name> for Ticks {
            fn from(time: $name) -> Self {
                Ticks(time.0)
            }
        }
        impl Moment for $name {
            const PER_SECOND: i64 = $per_second;
        }
    };
}
moment!(Millis, 1_000);
moment!(Nanos, 1_000_000_000);

/// An inclusive range of ticks; empty where `start > end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TickRange {
    /// The first tick inside.
    pub start: Ticks,
    /// The last tick inside.
    pub end: Ticks,
}

impl TickRange {
    /// Every representable tick.
    pub const ALL: TickRange = TickRange {
        start: Ticks(i64::MIN),
        end: Ticks(i64::MAX),
    };

    /// The range from `start` to `end`, both inside.
    pub fn new(start: impl Into<Ticks>, end: impl Into<Ticks>) -> Self {
        TickRange {
            start: start.into(),
            end: end.into(),
        }
    }

    /// Whether `ticks` lies inside.
    pub fn contains(&self, ticks: Ticks) -> bool {
        self.start <= ticks && ticks <= self.end
    }

    /// Whether the two ranges share a tick.
    pub fn overlaps(&self, other: &TickRange) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

/// How long entries are kept, in ticks of a kind; without a number, for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keep(Option<i64>);

impl Keep {
    /// A duration in ticks, rounded down; `None` is for ever.
    pub(crate) fn new(duration: Option<Duration>, ticks_per_second: i64) -> Keep {
        Keep(duration.map(|duration| ticks_of(duration, ticks_per_second)))
    }

    /// The oldest tick that is still kept at `now`.
    pub(crate) fn horizon(self, now: Ticks) -> Ticks {
        let ticks = |ticks| now.0.saturating_sub(ticks);
        Ticks(self.0.map_or(i64::MIN, ticks))
    }
}

/// A duration in ticks, rounded down.
pub(crate) fn ticks_of(duration: Duration, ticks_per_second: i64) -> i64 {
    let ticks = duration.as_nanos() * ticks_per_second as u128 / 1_000_000_000;
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

/// Where the engine asks what time it is.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Nanoseconds since the Unix epoch.
    fn now(&self) -> Nanos;
}

/// The operating system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Nanos {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock before 1970 is a broken clock: zero then refuses nothing that is real.
        Nanos(since.map_or(0, |since| {
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        }))
    }
}
