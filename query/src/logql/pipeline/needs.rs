//! Which labels a stage must provide, since a later one or somebody behind the pipeline looks at
//! them. Worked out from the last stage to the first.

use std::collections::BTreeSet;

use super::LabelsWanted;
use super::filter::LabelTest;
use super::labels::{ERROR_DETAILS_LABEL, ERROR_LABEL, EXTRACTED, LineLabels};
use crate::logql::syntax::ast::Named;

/// The labels that are looked at behind a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// Their names; all if absent.
    names: Option<Vec<String>>,
    /// Whether a parser must notice errors though it is asked for no label.
    pub(super) errors: bool,
}

impl Needs {
    /// What is needed behind the last stage.
    pub(super) fn new(wanted: &LabelsWanted) -> Needs {
        match wanted {
            LabelsWanted::All => Needs {
                names: None,
                errors: true,
            },
            LabelsWanted::Names(names) => {
                let mut needs = Needs {
                    names: Some(Vec::new()),
                    errors: false,
                };
                names.iter().for_each(|name| needs.add(name));
                needs
            }
        }
    }

    pub(super) fn add(&mut self, name: &str) {
        self.errors |= matches!(name, ERROR_LABEL | ERROR_DETAILS_LABEL);
        match &mut self.names {
            Some(names) if !names.iter().any(|known| known == name) => {
                names.push(name.to_owned());
            }
            _ => {}
        }
    }

    pub(super) fn add_all(&mut self) {
        self.names = None;
        self.errors = true;
    }

    pub(super) fn add_filter(&mut self, filter: &LabelTest) {
        let mut names = BTreeSet::new();
        filter.add_names(&mut names);
        names.iter().for_each(|name| self.add(name));
    }

    /// In front of `drop`: its conditions look at labels.
    pub(super) fn add_conditions(&mut self, named: &[Named]) {
        for named in named {
            if let Named::Matching(matcher) = named {
                self.add(matcher.name());
            }
        }
    }

    /// In front of `keep`: nobody sees other labels behind it than those it names.
    pub(super) fn restrict(&mut self, named: &[Named]) {
        if self.names.is_none() {
            self.names = Some(Vec::new());
            for named in named {
                match named {
                    Named::Name(name) => self.add(name),
                    Named::Matching(matcher) => self.add(matcher.name()),
                }
            }
        }
        self.add_conditions(named);
    }

    /// Whether a parser should set a label of this name. It may end up as `name_extracted`.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        names.iter().any(|wanted| {
            let wanted = wanted.as_bytes();
            // Lengths and first letters tell nearly all names apart.
            let rest = wanted.len().wrapping_sub(name.len());
            (rest == 0 || rest == EXTRACTED.len())
                && wanted.first() == name.first()
                && wanted.starts_with(name)
                && (rest == 0 || wanted.ends_with(EXTRACTED.as_bytes()))
        })
    }

    /// Whether a line that has these labels needs no further parsing: a parser has set all that is
    /// looked at, and nobody asks what is wrong with the rest. A label of the stream is none that a
    /// parser finds, so where one is looked at lines are read to their end, as Loki does it.
    pub(super) fn are_met_by(&self, labels: &LineLabels<'_>) -> bool {
        let names = self.names.as_ref().filter(|_| !self.errors);
        names.is_some_and(|names| names.iter().all(|name| labels.is_parsed(name)))
    }

    /// Whether every label is looked at.
    pub(super) fn are_all(&self) -> bool {
        self.names.is_none()
    }

    /// Whether a label that begins with this byte may be one that a parser should set.
    pub(super) fn may_begin(&self, byte: u8) -> bool {
        let begins = |name: &String| name.as_bytes().first() == Some(&byte);
        self.names
            .as_ref()
            .is_none_or(|names| names.iter().any(begins))
    }

    /// Whether a parser has anything to do for lines of a stream with these labels, which keep
    /// their names whatever is parsed.
    pub(super) fn is_parser_needed(&self, is_of_stream: impl Fn(&str) -> bool) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        self.errors || names.iter().any(|name| !is_of_stream(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> LabelsWanted {
        LabelsWanted::Names(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_parser_is_asked_for_what_is_looked_at_and_its_other_name() {
        let needs = Needs::new(&names(&["status", "pod_extracted"]));
        for (name, wanted) in [
            ("status", true),
            ("pod_extracted", true),
            ("pod", true),
            ("status_", false),
            ("stat", false),
        ] {
            assert_eq!(needs.wants(name.as_bytes()), wanted, "{name}");
        }
        assert!(!needs.errors);
        assert!(needs.is_parser_needed(|name| name == "status"));
        assert!(!needs.is_parser_needed(|_| true));
        assert!(Needs::new(&LabelsWanted::All).is_parser_needed(|_| true));
        assert!(Needs::new(&names(&["__error__"])).is_parser_needed(|_| true));
    }

    #[test]
    fn keep_restricts_what_is_looked_at() {
        let mut needs = Needs::new(&LabelsWanted::All);
        needs.restrict(&[Named::Name("a".to_owned())]);
        assert!(needs.wants(b"a") && !needs.wants(b"b") && needs.errors);
    }
}
