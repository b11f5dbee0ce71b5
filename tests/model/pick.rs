//! Which series: what a delete and a rule of retention ask for, for the engine as matchers and for
//! the model as a plain test of a series' number.

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_tests::Random;

use super::show::SERIES;

/// A set of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    Everything,
    Host(usize),
    /// All but one host.
    NotHost(usize),
    East,
    /// Without the label.
    NoZone,
    /// The names that end in 0 or 2, by a regular expression.
    Even,
}

impl Pick {
    pub fn choose(dice: &mut Random) -> Self {
        let host = dice.below(SERIES.div_ceil(2));
        match dice.below(8) {
            0 => Pick::Everything,
            1..4 => Pick::Host(host),
            4 => Pick::NotHost(host),
            5 => Pick::East,
            6 => Pick::NoZone,
            _ => Pick::Even,
        }
    }

    /// Whether a series is meant, told by its number alone.
    pub fn accepts(self, series: usize) -> bool {
        match self {
            Pick::Everything => true,
            Pick::Host(host) => series / 2 == host,
            Pick::NotHost(host) => series / 2 != host,
            Pick::East => series % 4 == 1,
            Pick::NoZone => series.is_multiple_of(2),
            Pick::Even => series % 3 != 1,
        }
    }

    pub fn matchers(self) -> Vec<Matcher> {
        let matcher = |op, name, value: &str| vec![Matcher::new(op, name, value).unwrap()];
        match self {
            Pick::Everything => Vec::new(),
            Pick::Host(host) => matcher(MatchOp::Equal, "host", &format!("host-{host}")),
            Pick::NotHost(host) => matcher(MatchOp::NotEqual, "host", &format!("host-{host}")),
            Pick::East => matcher(MatchOp::Equal, "zone", "east"),
            Pick::NoZone => matcher(MatchOp::Equal, "zone", ""),
            Pick::Even => matcher(MatchOp::Regex, "__name__", ".*_(0|2)"),
        }
    }
}

#[test]
fn a_pick_accepts_by_number_what_its_matchers_accept_by_label() {
    use super::shelf::SHAPES;
    use super::show;
    let host = 1;
    let picks = [
        Pick::Everything,
        Pick::Host(host),
        Pick::NotHost(host),
        Pick::East,
        Pick::NoZone,
        Pick::Even,
    ];
    for (pick, shape) in picks.into_iter().flat_map(|pick| SHAPES.map(|s| (pick, s))) {
        for series in 0..SERIES {
            let labels = show::labels(shape, series);
            let value = |matcher: &Matcher| labels.as_labels().value(matcher.name()).unwrap_or("");
            let matchers = pick.matchers();
            let is_meant = matchers.iter().all(|m| m.matches(value(m)));
            assert_eq!(
                pick.accepts(series),
                is_meant,
                "{pick:?} {shape:?} {series}"
            );
        }
    }
}
