//! How long entries are kept: the rules of one run, for the engine as limits and for the model as a
//! horizon of each series. They do not change while a run lasts, so what has expired stays so.

use std::time::Duration;

use chronolith_engine::{Limits, RetentionRule};
use chronolith_tests::Random;

use super::pick::Pick;
use super::shelf::Shape;

const MINUTE_MS: i64 = 60_000;
const NANOS: i64 = 1_000_000;

/// Rules of retention, in milliseconds; `None` keeps for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    rules: Vec<(Pick, Option<i64>)>,
    default: Option<i64>,
}

impl Keep {
    /// Half of the runs keep everything.
    pub fn choose(dice: &mut Random) -> Self {
        if dice.below(2) == 0 {
            return Keep::default();
        }
        let duration = |dice: &mut Random| match dice.below(4) {
            0 => None,
            _ => Some((20 + dice.below(500) as i64) * MINUTE_MS),
        };
        let count = dice.below(3);
        let rules = (0..count).map(|_| (Pick::choose(dice), duration(dice)));
        Keep {
            rules: rules.collect(),
            default: duration(dice),
        }
    }

    pub fn limits(&self) -> Limits {
        let duration = |keep: Option<i64>| keep.map(|ms| Duration::from_millis(ms as u64));
        let rules = self.rules.iter().map(|(pick, keep)| RetentionRule {
            matchers: pick.matchers(),
            keep: duration(*keep),
        });
        Limits {
            retention_rules: rules.collect(),
            retention: duration(self.default),
            ..Limits::default()
        }
    }

    /// Whether an entry is too old for anybody to see. Exemplars tell milliseconds, and their store
    /// counts nanoseconds.
    pub fn is_expired(&self, shape: Shape, series: usize, time: i64, now_nanos: i64) -> bool {
        let rule = self.rules.iter().find(|(pick, _)| pick.accepts(series));
        let Some(keep_ms) = rule.map_or(self.default, |(_, keep)| *keep) else {
            return false;
        };
        match shape {
            Shape::Samples => time < now_nanos / NANOS - keep_ms,
            Shape::Lines => time < now_nanos - keep_ms * NANOS,
            Shape::Exemplars => time * NANOS < now_nanos - keep_ms * NANOS,
            Shape::Notes => false,
        }
    }
}
