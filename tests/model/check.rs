//! Comparing: reports against the model's verdicts, and what is read against what must be there.

use chronolith_engine::{BatchMode, Refusal, Report};

use super::shelf::{Allowed, Content};

/// A violation says what was wrong.
pub type Check<T = ()> = Result<T, String>;

/// Whether a report is one that the model allows.
pub fn report(report: &Report, judged: &[Allowed], mode: BatchMode) -> Check {
    let fail = |what: &str| Err(format!("{what}: {report:?}\nallowed: {judged:?}"));
    for refused in &report.refused {
        let allowed = judged[refused.entry];
        let is_expected = match refused.why {
            Refusal::Conflict => allowed.conflict,
            Refusal::TooFarAhead | Refusal::Labels(_) => allowed.invalid,
            Refusal::TooOld => allowed.expired,
            _ => false,
        };
        if !is_expected {
            return fail("an entry was refused for no reason of the model's");
        }
    }
    let refused = report.refused.len() as u64;
    let must_refuse = judged
        .iter()
        .filter(|allowed| allowed.must_refuse())
        .count() as u64;
    if mode == BatchMode::AllOrNothing && (refused > 0 || must_refuse > 0) {
        return match refused > 0 && report.accepted == 0 {
            true => Ok(()),
            false => fail("part of an all-or-nothing batch was taken"),
        };
    }
    if judged
        .iter()
        .enumerate()
        .any(|(at, a)| a.must_refuse() && report.refusal(at).is_none())
    {
        return fail("an entry that must be refused was taken");
    }
    if report.accepted + report.duplicates + refused != judged.len() as u64 {
        return fail("the report does not add up");
    }
    let only = |accept: bool, duplicate: bool| {
        let wanted = Allowed {
            accept,
            duplicate,
            ..Allowed::default()
        };
        judged.iter().filter(|allowed| **allowed == wanted).count() as u64
    };
    if report.accepted < only(true, false) || report.duplicates < only(false, true) {
        return fail("new entries and repetitions are counted wrongly");
    }
    Ok(())
}

/// Says where two contents differ.
pub fn same(what: &str, read: &Content, expected: &Content) -> Check {
    if read == expected {
        return Ok(());
    }
    let empty = Vec::new();
    for series in read.keys().chain(expected.keys()) {
        let (is, should) = (
            read.get(series).unwrap_or(&empty),
            expected.get(series).unwrap_or(&empty),
        );
        if is == should {
            continue;
        }
        let missing: Vec<_> = should.iter().filter(|entry| !is.contains(entry)).collect();
        let invented: Vec<_> = is.iter().filter(|entry| !should.contains(entry)).collect();
        return Err(format!(
            "{what}: series {series} has {} entries, {} expected;\nmissing {missing:?}\n\
             invented {invented:?}",
            is.len(),
            should.len()
        ));
    }
    Err(format!("{what}: empty series differ"))
}
