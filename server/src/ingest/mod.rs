//! From decoded columns to the store, and what became of each entry.
//!
//! Knows the rules of the senders' protocols: what is refused whole, and what in parts. Knows no
//! HTTP and no wire format. Blocks.

mod families;
pub(crate) mod logs;
pub(crate) mod pace;

pub(crate) use families::Families;

use std::time::Instant;

use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::metrics::Exemplar;
use chronolith_engine::time::Millis;
use chronolith_engine::{BatchMode, Refusal, Refused, Report, Tenant};

use crate::http::problem::{Cause, Problem};
use crate::meters::{Limit, Meters, add};
use crate::settings::IngestLimits;
use crate::wire::columns::{Columns, EXEMPLAR_CHARS_MAX, EntrySort, Faults, WireExemplar};

use pace::{Load, Paces};

/// What was taken of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) samples: u64,
    pub(crate) histograms: u64,
    pub(crate) exemplars: u64,
}

/// Where requests are stored, and what is counted meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Intake<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) families: &'a Families,
    pub(crate) meters: &'a Meters,
    pub(crate) paces: &'a Paces,
    /// What the tenant may push.
    pub(crate) limits: &'a IngestLimits,
}

/// Stores all of a request or nothing, but for series whose labels are not valid: those are left
/// out, as Prometheus does for remote write 1.0.
pub(crate) fn whole(intake: Intake<'_>, columns: &Columns<'_>) -> Result<(), Problem> {
    admit(intake, columns)?;
    let store = intake.tenant.metrics()?;
    let mut left_out = Vec::new();
    loop {
        let report = store.append(&columns.batch(BatchMode::AllOrNothing, &left_out))?;
        if report.refused.is_empty() {
            let (samples, histograms) = columns.counts();
            add(&intake.meters.samples, samples as u64);
            add(&intake.meters.histograms, histograms as u64);
            add(
                &intake.meters.skipped_series,
                columns.skipped + left_out.len() as u64,
            );
            beside(intake, columns, &mut Faults::default());
            return Ok(());
        }
        let kept = kept_series(columns, &left_out);
        let of_labels = |refused: &Refused| matches!(refused.why, Refusal::Labels(_));
        let invalid = match report.refused.iter().any(of_labels) {
            true => invalid_series(columns, &kept),
            false => Vec::new(),
        };
        // Once they are left out none is found again.
        if invalid.is_empty() {
            let entries = report
                .refused
                .iter()
                .map(|refused| (kept[refused.series], refused));
            return Err(refusal(intake.meters, columns, entries));
        }
        left_out = invalid;
    }
}

/// Stores what can be stored of a request. Gives what was, and what is wrong with the rest.
pub(crate) fn in_parts(
    intake: Intake<'_>,
    columns: &mut Columns<'_>,
) -> (Written, Result<(), Problem>) {
    match try_in_parts(intake, columns) {
        Ok((written, result)) => (written, result),
        Err(problem) => (Written::default(), Err(problem)),
    }
}

fn try_in_parts(
    intake: Intake<'_>,
    columns: &mut Columns<'_>,
) -> Result<(Written, Result<(), Problem>), Problem> {
    admit(intake, columns)?;
    let report = intake
        .tenant
        .metrics()?
        .append(&columns.batch(BatchMode::Each, &[]))?;
    let mut faults = std::mem::take(&mut columns.faults);
    let mut written = written(columns, &report);
    add(&intake.meters.samples, written.samples);
    add(&intake.meters.histograms, written.histograms);
    written.exemplars = beside(intake, columns, &mut faults);
    let is_only_limited = faults.count() == 0
        && report
            .refused
            .iter()
            .all(|refused| refused.why == Refusal::SeriesLimit);
    if !report.refused.is_empty() {
        let kept = kept_series(columns, &[]);
        for refused in &report.refused {
            faults.add(|| entry_text(columns, kept[refused.series], &refused.why));
        }
    }
    if faults.count() == 0 {
        return Ok((written, Ok(())));
    }
    add(&intake.meters.refused, faults.count());
    let cause = if is_only_limited {
        Cause::Limit
    } else {
        Cause::BadData
    };
    let text = format!("{} entries or series were not taken: ", faults.count());
    let problem = Problem::new(cause, text + &faults.text());
    Ok((written, Err(of_series(problem))))
}

/// Refuses a request of a tenant that pushes faster than it may.
fn admit(intake: Intake<'_>, columns: &Columns<'_>) -> Result<(), Problem> {
    let (samples, histograms) = columns.counts();
    let count = (samples + histograms) as u64;
    let pace = intake.paces.of(intake.tenant.name());
    let admitted = pace.admit(intake.limits, Instant::now(), &[(Load::Samples, count)]);
    admitted.map_err(|excess| {
        add(&intake.meters.refused, count);
        excess.problem(format!(
            "nothing was stored: tenant {:?} may push {} samples a second, and has pushed more of \
             late",
            intake.tenant.name(),
            excess.rate
        ))
    })
}

/// How many entries of each sort the store has.
fn written(columns: &Columns<'_>, report: &Report) -> Written {
    let (samples, histograms) = columns.counts();
    let mut written = Written {
        samples: samples as u64,
        histograms: histograms as u64,
        exemplars: 0,
    };
    if !report.refused.is_empty() {
        let entries = columns.entries();
        for refused in &report.refused {
            match entries[refused.entry].1 {
                EntrySort::Float => written.samples -= 1,
                EntrySort::Histogram => written.histograms -= 1,
            }
        }
    }
    written
}

/// The series of a batch by their place in the columns.
fn kept_series(columns: &Columns<'_>, left_out: &[usize]) -> Vec<usize> {
    let mut kept: Vec<usize> = columns
        .entries()
        .into_iter()
        .map(|(series, _)| series)
        .collect();
    kept.dedup();
    kept.retain(|series| left_out.binary_search(series).is_err());
    kept
}

/// Those of some series whose labels are not valid, whatever the limits.
fn invalid_series(columns: &Columns<'_>, among: &[usize]) -> Vec<usize> {
    let is_invalid = |series: &usize| Labels::from_bytes(columns.labels(*series)).is_err();
    among.iter().copied().filter(is_invalid).collect()
}

fn refusal<'r>(
    meters: &Meters,
    columns: &Columns<'_>,
    refused: impl Iterator<Item = (usize, &'r Refused)>,
) -> Problem {
    let (mut faults, mut is_only_limited) = (Faults::default(), true);
    for (series, refused) in refused {
        is_only_limited &= refused.why == Refusal::SeriesLimit;
        faults.add(|| entry_text(columns, series, &refused.why));
    }
    add(&meters.refused, faults.count());
    let cause = if is_only_limited {
        Cause::Limit
    } else {
        Cause::BadData
    };
    of_series(Problem::new(
        cause,
        format!("nothing was stored: {}", faults.text()),
    ))
}

/// Counts what is refused for now: that is new series beyond the limit.
fn of_series(problem: Problem) -> Problem {
    match problem.cause() {
        Cause::Limit => problem.limited(Limit::Series),
        _ => problem,
    }
}

/// What is wrong with an entry, with the words of Prometheus in it: senders look for those.
fn entry_text(columns: &Columns<'_>, series: usize, why: &Refusal) -> String {
    let known = match why {
        Refusal::Conflict => "duplicate sample for timestamp: ",
        Refusal::OutOfOrder => "out of order sample: ",
        Refusal::OutOfBounds | Refusal::TooFarAhead => "out of bounds: ",
        Refusal::TooOld => "too old sample: ",
        _ => "",
    };
    match Labels::from_bytes(columns.labels(series)) {
        Ok(labels) => format!("series {labels}: {known}{why}"),
        Err(_) => format!("series {series} of the request: {known}{why}"),
    }
}

/// Stores what goes beside samples. None of it is a reason to refuse samples, so what fails is
/// counted. Gives how many exemplars the store has.
fn beside(intake: Intake<'_>, columns: &Columns<'_>, faults: &mut Faults) -> u64 {
    let refused = intake.families.store(intake.tenant, columns.families());
    add(&intake.meters.refused_metadata, refused);
    let exemplars = columns.exemplars();
    if exemplars.is_empty() {
        return 0;
    }
    let mut taken = Vec::with_capacity(exemplars.len());
    for exemplar in exemplars {
        let Ok(series) = Labels::from_bytes(columns.labels(exemplar.series)) else {
            continue;
        };
        match read_exemplar(exemplar) {
            Ok(exemplar) => taken.push((series, exemplar)),
            Err(why) => faults.add(|| format!("an exemplar of series {series}: {why}")),
        }
    }
    let stored = match intake.tenant.append_exemplars(&taken) {
        Ok(report) => report.accepted + report.duplicates,
        Err(error) => {
            faults.add(|| format!("exemplars: {error}"));
            0
        }
    };
    add(&intake.meters.exemplars, stored);
    add(&intake.meters.refused, exemplars.len() as u64 - stored);
    stored
}

/// An exemplar as the engine takes it, or why it does not.
pub(crate) fn read_exemplar(wire: &WireExemplar<'_>) -> Result<Exemplar, String> {
    let (mut pairs, mut chars) = (Vec::with_capacity(wire.labels.len()), 0);
    for (name, value) in &wire.labels {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "a label is not UTF-8");
        let (name, value) = (text(name)?, text(value)?);
        chars += name.chars().count() + value.chars().count();
        pairs.push((name, value));
    }
    if chars > EXEMPLAR_CHARS_MAX {
        return Err(format!(
            "its labels have {chars} characters, at most {EXEMPLAR_CHARS_MAX} are taken"
        ));
    }
    Ok(Exemplar {
        time: Millis(wire.time),
        value: wire.value,
        labels: LabelSet::from_pairs(pairs).map_err(|error| error.to_string())?,
    })
}
