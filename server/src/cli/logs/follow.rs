//! Lines as they are stored: a live tail that comes back after its server has been away.

use std::time::{Duration, Instant};

use crate::cli::output::{Found, Out, Stop};
use crate::cli::say;
use crate::reach::{Failure, Reach, Tail};

use super::Asked;
use super::border::{Border, entries};
use super::lines::Writer;

/// How long a server may be away.
const AWAY_MAX: Duration = Duration::from_secs(5 * 60);

/// How long to wait before the server is looked for again; each time longer, up to the last.
const REST: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(5);

/// Lines of the past that a tail begins with where nobody wants another number.
const PAST: u64 = 30;

/// Shows lines until interrupted.
pub(super) fn follow(
    reach: &Reach,
    asked: &Asked<'_>,
    writer: &mut Writer,
    out: &mut Out,
) -> Result<Found, Stop> {
    let mut border = Border::default();
    let mut tail = open(reach, asked, &border)?;
    loop {
        let frame = match tail.next() {
            Ok(frame) => frame,
            Err(failure) => {
                say(&format!("chronolith: {failure}; connecting again\n"));
                tail = again(reach, asked, &border)?;
                continue;
            }
        };
        let mut page = entries(frame.streams)?;
        page.sort_by(|one, other| {
            let order = one.time.cmp(&other.time);
            order.then_with(|| one.labels.cmp(&other.labels))
        });
        // Lines that come late are new, and no place to go on from.
        let newest = border.time().unwrap_or(i64::MIN);
        let (late, page): (Vec<_>, Vec<_>) =
            page.into_iter().partition(|entry| entry.time < newest);
        for entry in late.into_iter().chain(border.pass(page)) {
            writer.write(out, &entry)?;
        }
        let dropped = frame.dropped_entries.map_or(0, |dropped| dropped.len());
        if dropped > 0 {
            say(&format!(
                "chronolith: {dropped} lines were left out: they came faster than they were read\n"
            ));
        }
        out.flush()?;
    }
}

/// Opens a tail at the border, or in the past that is asked for.
fn open(reach: &Reach, asked: &Asked<'_>, border: &Border) -> Result<Tail, Failure> {
    let start = border.time().unwrap_or(asked.period.from).to_string();
    // After a while away everything is wanted that came meanwhile.
    let limit = match border.time() {
        Some(_) => asked.batch.max(border.count()),
        None => asked.limit.unwrap_or(PAST),
    };
    let limit = limit.to_string();
    reach.tail(&[("query", asked.expr), ("start", &start), ("limit", &limit)])
}

/// Opens a tail as soon as the server is there again.
fn again(reach: &Reach, asked: &Asked<'_>, border: &Border) -> Result<Tail, Failure> {
    let (began, mut rest) = (Instant::now(), REST);
    loop {
        std::thread::sleep(rest);
        rest = (rest * 2).min(REST_MAX);
        match open(reach, asked, border) {
            Err(failure) if failure.is_passing() && began.elapsed() < AWAY_MAX => {}
            opened => return opened,
        }
    }
}
