//! What an import has read, what became of it, and why some of it was not taken.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Reasons that are told apart; what comes beyond is counted under one.
const REASONS_MAX: usize = 20;
const OTHER_REASONS: &str = "other reasons";
/// Notes that are told.
const NOTES_MAX: usize = 8;

/// Counts of entries: samples, histograms and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) accepted: u64,
    /// The same entry was there already.
    pub(crate) duplicates: u64,
    refused: BTreeMap<String, u64>,
    /// Example events that were read and kept.
    pub(crate) exemplars_read: u64,
    pub(crate) exemplars: u64,
    /// Metric families that were not kept.
    pub(crate) families_refused: u64,
    /// What does not hold a sample and could not be used, or does not add up.
    notes: Vec<String>,
    /// Notes that mean that something may be missing.
    is_doubted: bool,
}

impl Tally {
    /// Notes entries that were not taken.
    pub(crate) fn refuse(&mut self, why: &str, count: u64) {
        if count == 0 {
            return;
        }
        let is_known = self.refused.contains_key(why) || self.refused.len() < REASONS_MAX;
        let reason = if is_known { why } else { OTHER_REASONS };
        *self.refused.entry(reason.to_owned()).or_default() += count;
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Entries that the store has.
    pub(crate) fn stored(&self) -> u64 {
        self.accepted + self.duplicates
    }

    /// Tells the operator something that makes nothing wrong.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.notes.len() < NOTES_MAX && !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }

    /// Tells the operator why the import is not known to be whole.
    pub(crate) fn doubt(&mut self, why: impl Into<String>) {
        self.is_doubted = true;
        self.note(why);
    }

    /// Whether everything that was read is stored.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_doubted && self.refused.is_empty() && self.read == self.stored()
    }

    /// The counts, line by line.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "read       {}\nstored     {}\nduplicates {}\nrefused    {}\n",
            self.read,
            self.accepted,
            self.duplicates,
            self.refused()
        );
        for (why, count) in &self.refused {
            text += &format!("  {count} because: {why}\n");
        }
        if self.exemplars_read > 0 {
            let (kept, read) = (self.exemplars, self.exemplars_read);
            text += &format!("exemplars  {kept} of {read}\n");
        }
        if self.families_refused > 0 {
            text += &format!("metadata of {} families not kept\n", self.families_refused);
        }
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "read": self.read,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "exemplars_read": self.exemplars_read,
            "exemplars": self.exemplars,
            "families_refused": self.families_refused,
            "notes": self.notes,
            "is_doubted": self.is_doubted,
        })
    }

    pub(crate) fn from_json(json: &Value) -> Tally {
        let count = |key: &str| json[key].as_u64().unwrap_or(0);
        let refused = json["refused"].as_object().into_iter().flatten();
        let notes = json["notes"].as_array().into_iter().flatten();
        Tally {
            read: count("read"),
            accepted: count("accepted"),
            duplicates: count("duplicates"),
            refused: refused
                .filter_map(|(why, count)| Some((why.clone(), count.as_u64()?)))
                .collect(),
            exemplars_read: count("exemplars_read"),
            exemplars: count("exemplars"),
            families_refused: count("families_refused"),
            notes: notes
                .filter_map(|note| note.as_str().map(str::to_owned))
                .collect(),
            is_doubted: json["is_doubted"] == true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_and_reasons_are_bounded() {
        let mut tally = Tally {
            read: 45,
            accepted: 10,
            duplicates: 5,
            ..Tally::default()
        };
        for reason in 0..30 {
            tally.refuse(&format!("reason {reason}"), 1);
        }
        tally.note("a note");
        tally.doubt("a doubt");
        assert_eq!(
            (tally.refused(), tally.refused.len()),
            (30, REASONS_MAX + 1)
        );
        assert_eq!(Tally::from_json(&tally.to_json()), tally);
        assert!(!tally.is_whole());
        assert!(
            tally.text().contains("10 because: other reasons"),
            "{}",
            tally.text()
        );
    }

    #[test]
    fn an_import_is_whole_if_all_that_was_read_is_stored() {
        let mut tally = Tally {
            read: 3,
            accepted: 2,
            duplicates: 1,
            ..Tally::default()
        };
        assert!(tally.is_whole());
        tally.read = 4;
        assert!(!tally.is_whole());
    }
}
