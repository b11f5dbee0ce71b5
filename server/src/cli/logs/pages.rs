//! All lines of a range, page by page.

use crate::cli::output::{self, Found, Out, Stop};
use crate::cli::period::{self, Period};
use crate::cli::progress::Progress;
use crate::cli::samples::{self, Samples};
use crate::cli::{query, query_range};
use crate::reach::{Answer, Cause, Door, Element, Failure, Item, Reach, read_items};

use super::border::{Border, entries};
use super::lines::Writer;
use super::{Asked, form_of_numbers};

/// What a page has.
enum Page {
    Lines(Vec<Element>),
    /// It was no page but numbers, which have been shown.
    Numbers(Found),
}

/// Shows what a query answers over its range.
pub(super) fn pages(
    reach: &Reach,
    asked: &Asked<'_>,
    writer: &mut Writer,
    out: &mut Out,
    progress: &Progress,
) -> Result<Found, Stop> {
    let mut border = Border::default();
    // What the server answers at most, once it has said so.
    let mut limit_max = u64::MAX;
    let (mut rest, mut shown) = (asked.limit.unwrap_or(u64::MAX), 0);
    while rest > 0 {
        let limit = (asked.batch.min(rest) + border.count()).min(limit_max);
        let answer = match ask(reach, asked, &border, limit) {
            Ok(answer) => answer,
            Err(failure) => {
                limit_max = smaller_limit(&failure, limit, &border)?;
                continue;
            }
        };
        let streams = match page(answer, asked, out)? {
            Page::Lines(streams) => streams,
            Page::Numbers(found) => return Ok(found),
        };
        let mut page = entries(streams)?;
        page.sort_by(|one, other| {
            let order = one.time.cmp(&other.time);
            let order = if asked.is_forward {
                order
            } else {
                order.reverse()
            };
            order.then_with(|| one.labels.cmp(&other.labels))
        });
        let is_last = (page.len() as u64) < limit;
        let mut fresh = border.pass(page);
        if !is_last && fresh.is_empty() {
            return Err(too_many_at_once(&border, limit).into());
        }
        fresh.truncate(usize::try_from(rest).unwrap_or(usize::MAX));
        for entry in &fresh {
            writer.write(out, entry)?;
        }
        (rest, shown) = (rest - fresh.len() as u64, shown + fresh.len() as u64);
        progress.add(fresh.len() as u64);
        if is_last {
            break;
        }
    }
    out.flush()?;
    Ok(Found::from_count(shown))
}

/// Asks for the page behind the border.
fn ask(reach: &Reach, asked: &Asked<'_>, border: &Border, limit: u64) -> Result<Answer, Failure> {
    let Period { mut from, mut to } = asked.period;
    match border.time() {
        Some(time) if asked.is_forward => from = time,
        // The end is not part of a range.
        Some(time) => to = time.saturating_add(1),
        None => {}
    }
    let step = query_range::step(asked.flags, asked.period);
    let (from, to, limit) = (from.to_string(), to.to_string(), limit.to_string());
    let direction = if asked.is_forward {
        "forward"
    } else {
        "backward"
    };
    let parameters = [
        ("query", asked.expr),
        ("start", &from),
        ("end", &to),
        ("limit", &limit),
        ("direction", direction),
        ("step", &step),
    ];
    reach.ask(Door::Loki, "/loki/api/v1/query_range", &parameters)
}

/// Reads lines; numbers are shown as they come.
fn page(answer: Answer, asked: &Asked<'_>, out: &mut Out) -> Result<Page, Stop> {
    let (mut streams, mut numbers) = (Vec::new(), None);
    let notes = read_items::<Stop>(answer, |item| match item {
        Item::Stream(stream) => {
            streams.push(stream);
            Ok(())
        }
        number => {
            let format = form_of_numbers(asked.flags);
            if numbers.is_none() {
                numbers = Some(Samples::begin(out, format, samples::times(asked.flags))?);
            }
            match &mut numbers {
                Some(samples) => samples.show(out, number),
                None => Ok(()),
            }
        }
    })?;
    output::tell(&notes);
    match numbers {
        Some(samples) => Ok(Page::Numbers(Found::from_count(samples.end(out)?))),
        None => Ok(Page::Lines(streams)),
    }
}

/// Shows the numbers of a query at one time.
pub(super) fn instant(reach: &Reach, asked: &Asked<'_>, out: &mut Out) -> Result<Found, Stop> {
    let time = asked.period.to.to_string();
    let parameters = [("query", asked.expr), ("time", &time)];
    let answer = reach.ask(Door::Loki, "/loki/api/v1/query", &parameters)?;
    let progress = Progress::start("querying", "series");
    query::show_on(
        out,
        answer,
        asked.flags,
        form_of_numbers(asked.flags),
        &progress,
    )
}

/// The largest page that the server answers, where it has refused a larger one.
fn smaller_limit(failure: &Failure, limit: u64, border: &Border) -> Result<u64, Failure> {
    let is_refused = matches!(failure.cause(), Cause::Refused(400, _));
    match stated_limit(&failure.to_string()).filter(|max| is_refused && *max < limit) {
        Some(max) if max > border.count() => Ok(max),
        Some(max) => Err(too_many_at_once(border, max)),
        None => Err(failure.clone()),
    }
}

/// The limit in Loki's words: `... limit > max_entries_limit_per_query (6000 > 5000)`.
fn stated_limit(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("max_entries_limit")?;
    let (_, rest) = rest.split_once(" > ")?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|max| *max > 0)
}

fn too_many_at_once(border: &Border, limit: u64) -> Failure {
    let time = period::rfc3339_exact(border.time().unwrap_or_default());
    Failure::broken(format!(
        "{} lines or more have the time {time}, and the server answers {limit} at once: narrow \
         the query, or start the server with a higher --log-entries-max",
        border.count()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_server_is_read_from_its_refusal() {
        let text = "max entries limit per query exceeded, limit > max_entries_limit_per_query \
                    (6000 > 5000) (http://127.0.0.1:3100 answered 400)";
        assert_eq!(stated_limit(text), Some(5000));
        assert_eq!(stated_limit("parse error at line 1 (2 > 1)"), None);
    }
}
