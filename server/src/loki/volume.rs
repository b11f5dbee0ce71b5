//! How much there is: streams, lines and bytes of a selection, by label and over time.
//!
//! Bytes are those of lines and of what stands beside them. Of a long stream they are reckoned from
//! its first lines and the number of all, which the indexes tell. Those of each stream are told in
//! KiB, as Loki's index keeps them.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chronolith_engine::labels::{Labels, MatchOp, Matcher};
use chronolith_engine::logs::{LineRun, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Selector, Series, Snapshot, Wanted};

use crate::app::{Scope, Sort, Watch};
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;

use super::answer::{Answer, Fault, bad};
use super::params::{self, MS};
use super::query;

/// Lines of one stream that are looked at to reckon the bytes of all.
const LINES_LOOKED_AT: usize = 10_000;

/// Bytes that the place of a label of structured metadata counts beside its text.
const LABEL_BYTES: u64 = 8;

/// Bytes of lines that Loki packs together, by which chunks are counted.
const CHUNK_BYTES: u64 = 6 << 20;

/// What the bytes of a stream are rounded to.
const KIB: u64 = 1 << 10;

/// Volumes of an answer if the request does not say.
const LIMIT: usize = 100;

/// The lines of one stream in a range, and their bytes.
struct Measure {
    lines: u64,
    bytes: u64,
    /// Times and bytes of each line, where all were looked at.
    each: Option<Vec<(i64, u64)>>,
}

impl Measure {
    /// Lines that were read for it.
    fn looked_at(&self) -> usize {
        self.each.as_ref().map_or(LINES_LOOKED_AT, Vec::len)
    }
}

/// Streams, chunks, lines and bytes of a selection.
pub(super) async fn stats(app: Scope, asked: Params) -> Answer {
    let text = measured(app, &asked).await?;
    Ok(stream::response(format!("{text}\n").into()))
}

/// The parts into which a selection may be split: nothing is gained by more than one.
pub(super) async fn shards(app: Scope, asked: Params) -> Answer {
    let stats = measured(app, &asked).await?;
    let bounds = format!("{{\"min\":0,\"max\":{}}}", u64::MAX);
    let text = format!("{{\"shards\":[{{\"bounds\":{bounds},\"stats\":{stats}}}]}}\n");
    Ok(stream::response(text.into()))
}

async fn measured(app: Scope, asked: &Params) -> Result<String, Fault> {
    let selector = selector(&app, asked)?;
    let store = app.logs()?;
    let place = app.list(Sort::STATS, asked.value("query"));
    let watch = place.watch.clone();
    let work = app.queries.run(move || {
        watch.go_on()?;
        let (mut streams, mut chunks, mut lines, mut bytes) = (0u64, 0, 0, 0);
        for series in store.snapshot().select(&selector)? {
            watch.go_on()?;
            let measure = measure(&series)?;
            watch.add(measure.looked_at());
            if measure.lines > 0 {
                streams += 1;
                chunks += measure.bytes / CHUNK_BYTES + 1;
                lines += measure.lines;
                bytes += whole_kib(measure.bytes);
            }
        }
        Ok(format!(
            "{{\"streams\":{streams},\"chunks\":{chunks},\"bytes\":{bytes},\"entries\":{lines}}}"
        ))
    });
    Ok(work.await?)
}

fn selector(app: &Scope, asked: &Params) -> Result<Selector, Fault> {
    let matchers = params::required_matchers(asked.value("query"))?;
    let (start, end) = query::length_within(app, params::range(asked)?)?;
    Ok(Selector::new(matchers).between(Nanos(start), Nanos(end)))
}

/// Bytes to the nearest KiB, and one at least: what is there has a volume.
fn whole_kib(bytes: u64) -> u64 {
    (bytes.saturating_add(KIB / 2) / KIB).max(1) * KIB
}

fn measure(series: &Series<Lines>) -> Result<Measure, Problem> {
    let (mut each, mut bytes, mut seen) = (Vec::new(), 0, HashSet::new());
    for run in series.cursor()? {
        let run = run?;
        for place in 0..run.len() {
            let line = line_bytes(&run, place, &mut seen);
            bytes += line;
            each.push((run.times()[place], line));
        }
        if each.len() > LINES_LOOKED_AT {
            let lines = series.count()?;
            let (known, looked_at) = (u128::from(bytes), each.len() as u128);
            let reckoned = known * u128::from(lines) / looked_at;
            return Ok(Measure {
                lines,
                bytes: u64::try_from(reckoned).unwrap_or(u64::MAX),
                each: None,
            });
        }
    }
    Ok(Measure {
        lines: each.len() as u64,
        bytes,
        each: Some(each),
    })
}

/// Bytes of a line and of its labels; a text that the stream has had already costs its place only.
fn line_bytes(run: &LineRun, place: usize, seen: &mut HashSet<u64>) -> u64 {
    let mut bytes = run.line(place).len() as u64;
    for (name, value) in run.metadata(place).iter() {
        bytes += LABEL_BYTES;
        for text in [name, value] {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                bytes += text.len() as u64;
            }
        }
    }
    bytes
}

/// By what volumes are told apart.
enum By {
    /// By the values of these labels, or of all where there are none.
    Labels(Vec<String>),
    /// By the names of these, or of all where there are none.
    Names(Vec<String>),
}

impl By {
    fn read(asked: &Params, matchers: &[Matcher]) -> Result<By, super::answer::Fault> {
        let targets = asked.value("targetLabels").split(',').map(str::trim);
        let targets = targets.filter(|label| !label.is_empty());
        let mut targets: Vec<String> = targets.map(str::to_owned).collect();
        match asked.value("aggregateBy") {
            "labels" => Ok(By::Names(targets)),
            "" | "series" => {
                if targets.is_empty() {
                    targets = matchers.iter().map(|it| it.name().to_owned()).collect();
                }
                Ok(By::Labels(targets))
            }
            other => Err(bad(format!("invalid aggregation option: {other:?}"))),
        }
    }

    /// Matchers that select streams with all labels that were named: one that lacks any of them
    /// adds to no volume. About which a matcher of the query decides, it does by itself.
    fn narrowed(&self, mut matchers: Vec<Matcher>) -> Result<Vec<Matcher>, Fault> {
        let (By::Labels(targets) | By::Names(targets)) = self;
        for target in targets {
            if !matchers.iter().any(|matcher| matcher.name() == target) {
                matchers.push(Matcher::new(MatchOp::NotEqual, target, "")?);
            }
        }
        Ok(matchers)
    }

    /// The volumes that a stream adds to.
    fn keys(&self, labels: Labels<'_>) -> Vec<Key> {
        match self {
            By::Labels(targets) => {
                let all = || {
                    labels
                        .iter()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                };
                let pair = |name: &String| Some((name.clone(), labels.value(name)?.to_owned()));
                let key: Key = match targets.is_empty() {
                    // Nothing was named: each stream by itself.
                    true => all().collect(),
                    false => targets.iter().filter_map(pair).collect(),
                };
                match key.is_empty() {
                    true => Vec::new(),
                    false => vec![key],
                }
            }
            By::Names(targets) => {
                let is_target =
                    |name: &str| targets.is_empty() || targets.iter().any(|it| it == name);
                let names = labels.iter().filter(|(name, _)| is_target(name));
                names
                    .map(|(name, _)| Key::from([(name.to_owned(), String::new())]))
                    .collect()
            }
        }
    }
}

/// The labels of a volume.
type Key = BTreeMap<String, String>;

/// Bytes by label.
pub(super) async fn volume(app: Scope, asked: Params) -> Answer {
    answered(app, &asked, None).await
}

/// Bytes by label and time.
pub(super) async fn volume_range(app: Scope, asked: Params) -> Answer {
    let step = params::step(&asked, params::range(&asked)?)?;
    answered(app, &asked, Some(step)).await
}

async fn answered(app: Scope, asked: &Params, step: Option<i64>) -> Answer {
    let matchers = match asked.value("query").trim() {
        "{}" => Vec::new(),
        text => params::required_matchers(text)?,
    };
    let (start, end) = query::length_within(&app, params::range(asked)?)?;
    let limit = match asked.value("limit") {
        "0" => LIMIT,
        _ => params::limit(asked, LIMIT)?,
    };
    let by = By::read(asked, &matchers)?;
    let matchers = by.narrowed(matchers)?;
    let buckets = Buckets {
        start,
        end,
        step: step.unwrap_or_else(|| end.saturating_sub(start).max(1)),
    };
    let selector = Selector::new(matchers).between(Nanos(start), Nanos(end));
    let volumes_max = app.settings().logs.volumes_max;
    let store = app.logs()?;
    let place = app.list(Sort::VOLUME, asked.value("query"));
    let watch = place.watch.clone();
    let work = app.queries.run(move || {
        watch.go_on()?;
        let volumes = volumes(&store.snapshot(), &selector, &by, &buckets, &watch)?;
        if volumes.len() > volumes_max {
            return Err(Problem::bad_data(format!(
                "the query hit the max number of series limit (limit: {volumes_max} series)"
            )));
        }
        Ok(written(volumes, &buckets, limit))
    });
    Ok(stream::response(work.await?.into()))
}

/// Parts of a range of time, of equal length but for the last one.
struct Buckets {
    start: i64,
    end: i64,
    step: i64,
}

impl Buckets {
    fn place(&self, time: i64) -> i64 {
        time.saturating_sub(self.start) / self.step
    }

    fn is_one(&self) -> bool {
        self.place(self.end.saturating_sub(1)) == 0
    }

    /// The time of a bucket in milliseconds: its last one, or the end of the range.
    fn stamp(&self, place: i64) -> i64 {
        let behind = place.saturating_add(1).saturating_mul(self.step);
        let behind = self.start.saturating_add(behind);
        match behind >= self.end {
            true => self.end / MS,
            false => behind / MS - 1,
        }
    }
}

type Volumes = BTreeMap<Key, BTreeMap<i64, u64>>;

fn volumes(
    snapshot: &Snapshot<Lines>,
    selector: &Selector,
    by: &By,
    buckets: &Buckets,
    watch: &Watch,
) -> Result<Volumes, Problem> {
    let mut volumes = Volumes::new();
    let times = selector.clone().wanting(Wanted::Times);
    let mut of_times = snapshot.select(&times)?.into_iter();
    for series in snapshot.select(selector)? {
        watch.go_on()?;
        // One snapshot and the same matchers: the same series in the same order.
        let counted = of_times.next();
        let keys = by.keys(series.labels());
        if keys.is_empty() {
            continue;
        }
        let measure = measure(&series)?;
        watch.add(measure.looked_at());
        if measure.lines == 0 {
            continue;
        }
        for (place, bytes) in by_bucket(&measure, counted.as_ref(), buckets)? {
            for key in &keys {
                let volume = volumes.entry(key.clone()).or_default();
                *volume.entry(place).or_default() += whole_kib(bytes);
            }
        }
    }
    Ok(volumes)
}

fn by_bucket(
    measure: &Measure,
    times: Option<&Series<Lines>>,
    buckets: &Buckets,
) -> Result<BTreeMap<i64, u64>, Problem> {
    // What stands at the very end belongs to the last bucket.
    let last = buckets.place(buckets.end.saturating_sub(1)).max(0);
    let place = |time| buckets.place(time).min(last);
    let mut found = BTreeMap::new();
    match (&measure.each, times) {
        (Some(each), _) => {
            for (time, bytes) in each {
                *found.entry(place(*time)).or_default() += bytes;
            }
        }
        (None, Some(times)) if !buckets.is_one() => {
            let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
            for run in times.cursor()? {
                for time in run?.times() {
                    *counts.entry(place(*time)).or_default() += 1;
                }
            }
            for (place, count) in counts {
                let share = u128::from(count) * u128::from(measure.bytes);
                let share = share / u128::from(measure.lines.max(1));
                found.insert(place, u64::try_from(share).unwrap_or(u64::MAX));
            }
        }
        (None, _) => {
            found.insert(0, measure.bytes);
        }
    }
    Ok(found)
}

/// The largest volumes first, in the shape of a vector where each has one value.
fn written(volumes: Volumes, buckets: &Buckets, limit: usize) -> Vec<u8> {
    let mut volumes: Vec<(u64, Key, BTreeMap<i64, u64>)> = volumes
        .into_iter()
        .map(|(key, values)| (values.values().sum(), key, values))
        .collect();
    volumes.sort_by(|one, two| two.0.cmp(&one.0).then_with(|| one.1.cmp(&two.1)));
    volumes.truncate(limit);
    let is_vector = volumes.iter().all(|(_, _, values)| values.len() <= 1);
    let mut json = Json::whole();
    json.raw("{\"status\":\"success\",\"data\":{\"resultType\":\"");
    json.raw(if is_vector { "vector" } else { "matrix" });
    json.raw("\",\"result\":");
    json.array(&volumes, |json, (_, key, values)| {
        json.raw("{\"metric\":");
        json.object(
            key.iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        json.raw(if is_vector {
            ",\"value\":"
        } else {
            ",\"values\":["
        });
        for (place, (bucket, bytes)) in values.iter().enumerate() {
            if place > 0 {
                json.raw(",");
            }
            json.raw("[");
            json.seconds(buckets.stamp(*bucket));
            json.raw(&format!(",\"{bytes}\"]"));
        }
        json.raw(if is_vector { "}" } else { "]}" });
    });
    json.raw("}}\n");
    json.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_stamped_with_its_last_millisecond_and_the_last_one_with_the_end() {
        let buckets = Buckets {
            start: 0,
            end: 2500 * MS,
            step: 1000 * MS,
        };
        assert_eq!(
            [0, 1, 2].map(|place| buckets.stamp(place)),
            [999, 1999, 2500]
        );
        assert!(!buckets.is_one());
    }

    #[test]
    fn a_stream_as_a_whole_is_told_in_the_nearest_kib_and_one_at_least() {
        let told = [1, 511, 1535, 1536, 4768, 96772, u64::MAX].map(whole_kib);
        let kib = [1, 1, 1, 2, 5, 95, u64::MAX / KIB];
        assert_eq!(told, kib.map(|kib| kib * KIB));
    }

    #[test]
    fn the_largest_volume_comes_first() {
        let key = |value: &str| Key::from([("a".to_owned(), value.to_owned())]);
        let volumes = Volumes::from([
            (key("x"), BTreeMap::from([(0, 5)])),
            (key("y"), BTreeMap::from([(0, 7)])),
        ]);
        let buckets = Buckets {
            start: 0,
            end: 1000 * MS,
            step: 1000 * MS,
        };
        let text = String::from_utf8(written(volumes, &buckets, 1)).unwrap();
        assert_eq!(
            text,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":\
             [{\"metric\":{\"a\":\"y\"},\"value\":[1,\"7\"]}]}}\n"
        );
    }
}
