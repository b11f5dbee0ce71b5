//! Retention classes: from the labels of a series to how long its entries are kept.
//!
//! The first rule whose matchers all accept the labels counts. Compiled once: one walk over the
//! labels finds all values that any rule asks for. Knows no store and no clock; which number a
//! class has is told by `store/retention.rs`.

use crate::codec::bytes::Cursor;
use crate::labels::matcher::Matcher;
use crate::labels::set::Labels;
use crate::time::Keep;

/// Values looked for without taking memory for them.
const NAMES_ON_STACK: usize = 16;

/// Which rule a series falls under: its place among the rules, counted from 1; 0 is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleNumber(pub(crate) u8);

impl RuleNumber {
    pub(crate) const NONE: RuleNumber = RuleNumber(0);
}

/// What the entries of a class have in common: which series they are of, and how long they are
/// kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The rule's matchers as text; never read as matchers again.
    pub(crate) matchers: Box<str>,
    /// Nanoseconds; without a number, for ever.
    pub(crate) keep_nanos: Option<u64>,
}

/// A rule before it is compiled.
pub(crate) struct Rule {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) keep: Keep,
    pub(crate) class: u8,
    pub(crate) terms: Terms,
}

/// The rules of one store and kind, compiled.
#[derive(Default)]
pub(crate) struct Classes {
    /// The label names that some rule asks for, in order.
    names: Vec<Box<str>>,
    rules: Vec<Compiled>,
    /// For the series that no rule accepts.
    default: Keep,
}

struct Compiled {
    /// Matchers, each with the place of its label among the names.
    conditions: Vec<(usize, Matcher)>,
    keep: Keep,
    class: u8,
    terms: Terms,
}

impl Classes {
    /// Compiles the rules; `default` is for the series that none of them accepts.
    pub(crate) fn new(default: Keep, rules: Vec<Rule>) -> Self {
        let all = rules.iter().flat_map(|rule| &rule.matchers);
        let mut names: Vec<Box<str>> = all.map(|matcher| matcher.name().into()).collect();
        names.sort_unstable();
        names.dedup();
        let place = |matcher: Matcher| {
            let place = names.binary_search_by(|name| (**name).cmp(matcher.name()));
            (place.expect("the names are those of the matchers"), matcher)
        };
        let compile = |rule: Rule| Compiled {
            conditions: rule.matchers.into_iter().map(place).collect(),
            keep: rule.keep,
            class: rule.class,
            terms: rule.terms,
        };
        let rules: Vec<Compiled> = rules.into_iter().map(compile).collect();
        assert!(rules.len() < usize::from(u8::MAX), "rules are few");
        Classes {
            names,
            rules,
            default,
        }
    }

    /// Whether there is more than the default.
    pub(crate) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The rule that a series falls under.
    pub(crate) fn rule_of(&self, labels: Labels<'_>) -> RuleNumber {
        if self.rules.is_empty() {
            return RuleNumber::NONE;
        }
        let (mut stack, mut heap) = ([""; NAMES_ON_STACK], Vec::new());
        let values = match self.names.len() {
            few @ ..=NAMES_ON_STACK => &mut stack[..few],
            many => {
                heap.resize(many, "");
                &mut heap[..]
            }
        };
        self.find_values(labels, values);
        let accepts = |rule: &Compiled| {
            let mut conditions = rule.conditions.iter();
            conditions.all(|(place, matcher)| matcher.matches(values[*place]))
        };
        let first = self.rules.iter().position(accepts);
        // Rules are fewer than 255, see `new`.
        RuleNumber(first.map_or(0, |place| place as u8 + 1))
    }

    /// Finds the values of all names that some rule asks for; those that the labels lack stay as
    /// they are. Only what is found is looked at as text.
    fn find_values<'a>(&self, labels: Labels<'a>, values: &mut [&'a str]) {
        let mut names = self.names.iter().zip(values).peekable();
        let mut cursor = Cursor::new(labels.as_bytes());
        while !cursor.is_empty() && names.peek().is_some() {
            let (Ok(name), Ok(value)) = (cursor.prefixed(), cursor.prefixed()) else {
                return;
            };
            while names
                .next_if(|(wanted, _)| wanted.as_bytes() < name)
                .is_some()
            {}
            if let Some((_, place)) = names.next_if(|(wanted, _)| wanted.as_bytes() == name) {
                *place = std::str::from_utf8(value).unwrap_or_default();
            }
        }
    }

    /// How long entries of series under this rule are kept.
    pub(crate) fn keep(&self, rule: RuleNumber) -> Keep {
        self.compiled(rule).map_or(self.default, |rule| rule.keep)
    }

    /// The class in which entries of series under this rule are stored.
    pub(crate) fn class(&self, rule: RuleNumber) -> u8 {
        self.compiled(rule).map_or(0, |rule| rule.class)
    }

    /// The class in which the entries of a series are stored.
    pub(crate) fn class_of(&self, labels: Labels<'_>) -> u8 {
        self.class(self.rule_of(labels))
    }

    /// All rules, first that of the series that no other accepts.
    pub(crate) fn rules(&self) -> impl Iterator<Item = RuleNumber> + use<> {
        (0..=self.rules.len() as u8).map(RuleNumber)
    }

    /// The classes that rules have, each with its terms.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (u8, &Terms)> {
        self.rules.iter().map(|rule| (rule.class, &rule.terms))
    }

    fn compiled(&self, rule: RuleNumber) -> Option<&Compiled> {
        self.rules.get(usize::from(rule.0).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::labels::matcher::MatchOp;
    use crate::labels::set::LabelSet;
    use crate::time::Ticks;

    fn rule(class: u8, matchers: &[(&str, MatchOp, &str)]) -> Rule {
        let matcher = |(name, op, value): &(&str, MatchOp, &str)| {
            Matcher::new(*op, name, value).expect("a sound matcher")
        };
        let terms = Terms {
            matchers: "{}".into(),
            keep_nanos: None,
        };
        Rule {
            matchers: matchers.iter().map(matcher).collect(),
            keep: Keep::new(Some(Duration::from_secs(u64::from(class))), 1000),
            class,
            terms,
        }
    }

    fn class_of(classes: &Classes, pairs: &[(&str, &str)]) -> u8 {
        let set = LabelSet::from_pairs(pairs.iter().copied()).unwrap();
        classes.class_of(set.as_labels())
    }

    #[test]
    fn the_first_rule_that_accepts_all_labels_counts() {
        use MatchOp::{Equal, NotEqual, Regex};
        let classes = Classes::new(
            Keep::default(),
            vec![
                rule(9, &[("app", Equal, "a"), ("level", Regex, "debug|trace")]),
                rule(4, &[("app", Equal, "a")]),
                rule(7, &[("zone", Equal, ""), ("host", NotEqual, "")]),
                rule(2, &[("app", Equal, "a"), ("never", Equal, "reached")]),
            ],
        );
        let cases: [(&[(&str, &str)], u8); 8] = [
            (&[("app", "a"), ("level", "debug")], 9),
            (&[("app", "a"), ("level", "info")], 4),
            (&[("app", "a")], 4),
            (&[("app", "a"), ("never", "reached")], 4),
            (&[("aaa", "1"), ("host", "h"), ("zzz", "2")], 7),
            (&[("host", "h"), ("zone", "z")], 0),
            (&[("level", "debug")], 0),
            (&[], 0),
        ];
        for (pairs, class) in cases {
            assert_eq!(class_of(&classes, pairs), class, "{pairs:?}");
        }
        assert!(classes.has_rules());
        assert_eq!(classes.rules().count(), 5);
    }

    #[test]
    fn a_rule_without_matchers_accepts_every_series() {
        let classes = Classes::new(Keep::default(), vec![rule(3, &[])]);
        assert_eq!(class_of(&classes, &[]), 3);
        assert_eq!(class_of(&classes, &[("a", "b")]), 3);
        assert_eq!(class_of(&Classes::default(), &[("a", "b")]), 0);
    }

    #[test]
    fn rules_may_ask_for_many_labels() {
        let names: Vec<String> = (0..40).map(|number| format!("l{number:02}")).collect();
        let all: Vec<_> = names
            .iter()
            .map(|name| (&**name, MatchOp::Equal, "x"))
            .collect();
        let classes = Classes::new(Keep::default(), vec![rule(1, &all)]);
        let mut pairs: Vec<_> = names.iter().map(|name| (&**name, "x")).collect();
        assert_eq!(class_of(&classes, &pairs), 1);
        pairs.pop();
        assert_eq!(class_of(&classes, &pairs), 0);
    }

    #[test]
    fn each_rule_has_its_own_horizon_and_the_others_the_default() {
        let default = Keep::new(Some(Duration::from_millis(1500)), 1000);
        let classes = Classes::new(default, vec![rule(1, &[]), rule(2, &[])]);
        let now = Ticks(10_000);
        let horizons = classes.rules().map(|rule| classes.keep(rule).horizon(now));
        assert_eq!(
            horizons.collect::<Vec<_>>(),
            [Ticks(8_500), Ticks(9_000), Ticks(8_000)]
        );
        assert_eq!(Keep::default().horizon(now), Ticks(i64::MIN));
        let ages = Keep::new(Some(Duration::MAX), 1_000_000_000);
        assert_eq!(ages.horizon(Ticks(-10)), Ticks(i64::MIN));
    }
}
