//! Asks everything back over the APIs for queries and compares it: what was acknowledged is there,
//! once and exactly, and nothing is there that was not sent.

use serde_json::Value;

use super::data::Data;
use super::stage::{Client, Door, Reply, Request, Stage};
use super::writer::{Fate, Push, Written};
use crate::compare::http::escaped;

/// Samples in one answer, about.
const SAMPLES_PER_PAGE: usize = 50_000;

/// Lines in one answer: what the server gives at most unless it is told otherwise.
const LINES_PER_PAGE: usize = 5_000;

/// Before the first push and behind the last one nothing may be either.
const MARGIN_MS: i64 = 60 * 60 * 1_000;

/// Differences that are told one by one.
const EXAMPLES_MAX: usize = 10;

const MILLIS_PER_SECOND: i64 = 1_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// How much was found as it must be, and what was not.
#[derive(Default)]
pub struct Compared {
    /// Samples that are there as they were acknowledged.
    pub samples: u64,
    /// Lines that are there as they were acknowledged.
    pub lines: u64,
    /// Entries that are missing, too many or not what was sent.
    pub differences: u64,
    /// The first of these.
    pub examples: Vec<String>,
}

impl Compared {
    fn differ(&mut self, what: impl FnOnce() -> String) {
        self.differences += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(what());
        }
    }

    /// Takes over what another one has found.
    pub(super) fn add(&mut self, other: Compared) {
        self.samples += other.samples;
        self.lines += other.lines;
        self.differences += other.differences;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
    }
}

/// A time as the Prometheus API takes it.
pub(super) fn seconds(time_ms: i64) -> String {
    let (seconds, millis) = (time_ms / MILLIS_PER_SECOND, time_ms % MILLIS_PER_SECOND);
    format!("{seconds}.{millis:03}")
}

/// Compares all that one writer has sent. `None` if the server did not answer.
pub(super) fn check(stage: &Stage, data: &Data, written: &Written) -> Option<Compared> {
    let mut compared = Compared::default();
    check_samples(stage, data, &written.samples, &mut compared)?;
    check_lines(stage, data, &written.lines, &mut compared)?;
    Some(compared)
}

fn check_samples(
    stage: &Stage,
    data: &Data,
    pushes: &[Push],
    compared: &mut Compared,
) -> Option<()> {
    let mut client = Client::new(stage, Door::Prometheus);
    let page = (SAMPLES_PER_PAGE / data.series()).max(1);
    let mut from = pushes.first()?.time_ms - MARGIN_MS;
    for (place, pushes) in pushes.chunks(page).enumerate() {
        let to = pushes.last()?.time_ms;
        // A range holds its end and not its start: pages meet without a gap.
        let query = format!("{}[{}ms]", data.selector(), to - from);
        let path = format!(
            "/api/v1/query?query={}&time={}",
            escaped(&query),
            seconds(to)
        );
        let answer = ask(&mut client, "samples asked back", path)?;
        let first = (place * page) as u64;
        compare_samples(data, first, pushes, &answer, compared);
        from = to;
    }
    Some(())
}

/// Compares a page with the pushes that it must hold, the first of which has the number `first`.
fn compare_samples(
    data: &Data,
    first: u64,
    pushes: &[Push],
    answer: &Value,
    compared: &mut Compared,
) {
    let stored = || {
        let numbered = (first..).zip(pushes);
        numbered.filter(|(_, push)| push.fate == Fate::Stored)
    };
    let mut is_there = vec![false; data.series()];
    for found in answer["data"]["result"].as_array().into_iter().flatten() {
        let series = found["metric"]["series"].as_str();
        let series = series.and_then(|text| text.parse::<usize>().ok());
        let Some(series) = series.filter(|series| *series < data.series()) else {
            compared.differ(|| format!("a series that nobody sent: {}", found["metric"]));
            continue;
        };
        if std::mem::replace(&mut is_there[series], true) {
            compared.differ(|| format!("series {series} is there twice"));
        }
        let values = found["values"].as_array().map_or(&[][..], Vec::as_slice);
        let mut values = values.iter().map(sample).peekable();
        for (number, push) in stored() {
            while let Some((time_ms, value)) = values.next_if(|found| found.0 < push.time_ms) {
                compared.differ(|| {
                    format!("series {series} has {value} at {time_ms}, which nobody sent there")
                });
            }
            let expected = (push.time_ms, data.value(series, number));
            match values.next_if(|found| found.0 == push.time_ms) {
                Some(found) if found == expected => compared.samples += 1,
                found => compared.differ(|| {
                    format!("push {number}, series {series}: {expected:?}, there is {found:?}")
                }),
            }
        }
        for (time_ms, value) in values {
            compared.differ(|| format!("series {series} has {value} at {time_ms} once more"));
        }
    }
    let expected = stored().count() as u64;
    for (series, _) in is_there.iter().enumerate().filter(|(_, there)| !**there) {
        if expected > 0 {
            compared.differ(|| format!("series {series} misses {expected} pushes from {first} on"));
        }
    }
}

/// A pair of the API: seconds, and the value as text. What is none compares with nothing.
fn sample(pair: &Value) -> (i64, f64) {
    let seconds = pair[0].as_f64().unwrap_or(f64::NAN);
    let value = pair[1].as_str().and_then(|text| text.parse().ok());
    let time_ms = (seconds * MILLIS_PER_SECOND as f64).round() as i64;
    (time_ms, value.unwrap_or(f64::NAN))
}

fn check_lines(stage: &Stage, data: &Data, pushes: &[Push], compared: &mut Compared) -> Option<()> {
    let mut client = Client::new(stage, Door::Loki);
    let query = escaped(&data.selector());
    let mut expected = Expected::new(data, pushes);
    let mut start = (pushes.first()?.time_ms - MARGIN_MS) * NANOS_PER_MILLI;
    let end = (pushes.last()?.time_ms + MARGIN_MS) * NANOS_PER_MILLI;
    loop {
        let path = format!(
            "/loki/api/v1/query_range?query={query}&start={start}&end={end}&direction=forward\
             &limit={LINES_PER_PAGE}"
        );
        let answer = ask(&mut client, "lines asked back", path)?;
        let page = lines(&answer);
        for (time_ns, stream, line) in &page {
            expected.compare(*time_ns, stream, line, compared);
        }
        match page.last() {
            // No two lines of a writer have one time, so the next page begins behind it.
            Some((last, ..)) if page.len() >= LINES_PER_PAGE => start = *last as i64 + 1,
            _ => break,
        }
    }
    expected.finish(compared);
    Some(())
}

/// The lines of an answer in order of time, each with its label `stream`.
fn lines(answer: &Value) -> Vec<(u64, &str, &str)> {
    let mut all = Vec::new();
    for stream in answer["data"]["result"].as_array().into_iter().flatten() {
        let label = stream["stream"]["stream"].as_str().unwrap_or("");
        for pair in stream["values"].as_array().into_iter().flatten() {
            let time = pair[0].as_str().and_then(|text| text.parse().ok());
            all.push((time.unwrap_or(0), label, pair[1].as_str().unwrap_or("")));
        }
    }
    all.sort_by_key(|(time, ..)| *time);
    all
}

/// The lines that must be there, in order, as far as they were not found yet.
struct Expected<'a> {
    data: &'a Data,
    pushes: &'a [Push],
    /// The next line: number of its push, and its place there.
    number: usize,
    place: usize,
}

impl<'a> Expected<'a> {
    fn new(data: &'a Data, pushes: &'a [Push]) -> Self {
        Expected {
            data,
            pushes,
            number: 0,
            place: 0,
        }
    }

    fn next_time(&self) -> Option<u64> {
        let push = self.pushes.get(self.number)?;
        Some(self.data.line_time_ns(self.place, push.time_ms))
    }

    fn advance(&mut self) {
        self.place += 1;
        if self.place == self.data.lines() {
            (self.number, self.place) = (self.number + 1, 0);
        }
    }

    /// Passes a line over. It is missing if its push was acknowledged.
    fn miss(&mut self, compared: &mut Compared) {
        let (number, place) = (self.number, self.place);
        if self.pushes[number].fate == Fate::Stored {
            compared.differ(|| format!("line {place} of push {number} is missing"));
        }
        self.advance();
    }

    fn compare(&mut self, time_ns: u64, stream: &str, line: &str, compared: &mut Compared) {
        while self.next_time().is_some_and(|next| next < time_ns) {
            self.miss(compared);
        }
        let (number, place) = (self.number, self.place);
        if self.next_time() != Some(time_ns) {
            compared.differ(|| format!("a line at {time_ns} too many: {line}"));
            return;
        }
        let selector = self.data.stream_of(place);
        let is_right = line == self.data.line(number as u64, place)
            && selector.contains(&format!("stream=\"{stream}\""));
        match is_right {
            true => compared.lines += 1,
            false => compared.differ(|| {
                format!("line {place} of push {number} reads, in stream {stream}: {line}")
            }),
        }
        self.advance();
    }

    fn finish(&mut self, compared: &mut Compared) {
        while self.next_time().is_some() {
            self.miss(compared);
        }
    }
}

fn ask(client: &mut Client<'_>, what: &'static str, path: String) -> Option<Value> {
    match client.ask(what, &Request::asking(path))? {
        Reply::Good(body, _) => serde_json::from_str(&body).ok(),
        Reply::Limited => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STORED: Fate = Fate::Stored;

    fn pushes(fates: &[Fate]) -> Vec<Push> {
        let times = (1..).map(|number| number * 1_000);
        let pairs = times.zip(fates);
        pairs
            .map(|(time_ms, fate)| Push {
                time_ms,
                fate: *fate,
            })
            .collect()
    }

    fn samples_of(data: &Data, numbers: &[u64]) -> Value {
        let series = (0..data.series()).map(|series| {
            let values = numbers.iter().map(|number| {
                let value = data.value(series, *number).to_string();
                json!([*number as f64 + 1.0, value])
            });
            json!({"metric": {"series": series.to_string()}, "values": values.collect::<Vec<_>>()})
        });
        json!({"data": {"result": series.collect::<Vec<_>>()}})
    }

    fn differences_of_samples(fates: &[Fate], there: &[u64]) -> (u64, u64) {
        let data = Data::new(0, 3, 1).unwrap();
        let (mut compared, pushes) = (Compared::default(), pushes(fates));
        let answer = samples_of(&data, there);
        compare_samples(&data, 0, &pushes, &answer, &mut compared);
        (compared.samples, compared.differences)
    }

    #[test]
    fn samples_must_be_there_once_and_exactly() {
        let all = [STORED; 3];
        assert_eq!(differences_of_samples(&all, &[0, 1, 2]), (9, 0));
        assert_eq!(differences_of_samples(&all, &[0, 2]), (6, 3));
        assert_eq!(differences_of_samples(&all, &[0, 1, 1, 2]), (9, 3));
        assert_eq!(differences_of_samples(&all, &[0, 1, 2, 3]), (9, 3));
        assert_eq!(differences_of_samples(&all, &[]), (0, 9));
        let limited = [STORED, Fate::Limited, STORED];
        assert_eq!(differences_of_samples(&limited, &[0, 2]), (6, 0));
        assert_eq!(differences_of_samples(&limited, &[0, 1, 2]), (6, 3));
    }

    #[test]
    fn a_wrong_value_and_an_absent_series_are_noticed() {
        let data = Data::new(0, 2, 1).unwrap();
        let mut answer = samples_of(&data, &[0]);
        answer["data"]["result"][0]["values"][0][1] = "123".into();
        let mut compared = Compared::default();
        compare_samples(&data, 0, &pushes(&[STORED]), &answer, &mut compared);
        assert_eq!((compared.samples, compared.differences), (1, 1));
        answer["data"]["result"].as_array_mut().unwrap().remove(0);
        let mut compared = Compared::default();
        compare_samples(&data, 0, &pushes(&[STORED]), &answer, &mut compared);
        assert_eq!((compared.samples, compared.differences), (1, 1));
    }

    fn differences_of_lines(fates: &[Fate], there: &[(u64, usize)]) -> (u64, u64) {
        let data = Data::new(0, 1, 2).unwrap();
        let pushes = pushes(fates);
        let (mut compared, mut expected) = (Compared::default(), Expected::new(&data, &pushes));
        for (number, place) in there {
            let time = data.line_time_ns(*place, (*number as i64 + 1) * 1_000);
            let line = data.line(*number, *place);
            expected.compare(time, &place.to_string(), &line, &mut compared);
        }
        expected.finish(&mut compared);
        (compared.lines, compared.differences)
    }

    #[test]
    fn lines_must_be_there_once_and_exactly() {
        let all = [STORED; 2];
        let whole = [(0, 0), (0, 1), (1, 0), (1, 1)];
        assert_eq!(differences_of_lines(&all, &whole), (4, 0));
        assert_eq!(differences_of_lines(&all, &whole[1..]), (3, 1));
        assert_eq!(differences_of_lines(&all, &whole[..3]), (3, 1));
        let twice = [(0, 0), (0, 1), (0, 1), (1, 0), (1, 1)];
        assert_eq!(differences_of_lines(&all, &twice), (4, 1));
        // Of a push that met a limit, known streams are stored.
        let limited = [STORED, Fate::Limited];
        assert_eq!(differences_of_lines(&limited, &whole), (4, 0));
        assert_eq!(differences_of_lines(&limited, &whole[..3]), (3, 0));
        assert_eq!(differences_of_lines(&limited, &whole[..1]), (1, 1));
    }
}
