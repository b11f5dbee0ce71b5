//! Functions over ranges, one window at a time.

use std::collections::BTreeMap;
use std::rc::Rc;

use chronolith_query::promql::syntax::{Call, Expr, ExprKind};

use super::{
    Bars, Careful, Element, Labels, Outcome, SAME_LABELS, Sample, Stored, Twin, Value, length,
    mean, metric, quantile,
};

/// The samples of one series that a window shows.
pub struct Window<'w> {
    /// The time of the step.
    time: i64,
    start: i64,
    end: i64,
    floats: Vec<(i64, f64)>,
    bars: Vec<(i64, Rc<Bars>)>,
    params: Vec<f64>,
    metric: &'w str,
}

impl Window<'_> {
    fn values(&self) -> Vec<f64> {
        self.floats.iter().map(|(_, value)| *value).collect()
    }

    /// All samples in order of time.
    fn samples(&self) -> Vec<(i64, Sample)> {
        let floats = self
            .floats
            .iter()
            .map(|(time, value)| (*time, Sample::Float(*value)));
        let bars = self
            .bars
            .iter()
            .map(|(time, bars)| (*time, Sample::Bars(bars.clone())));
        let mut samples: Vec<(i64, Sample)> = floats.chain(bars).collect();
        samples.sort_by_key(|(time, _)| *time);
        samples
    }
}

impl Twin<'_> {
    /// The series of a range, how long it is, and where it ends when it is a time.
    fn range(&self, arg: &Expr, times: &[i64]) -> Outcome<(Vec<Stored>, i64, Vec<i64>)> {
        match &arg.kind {
            ExprKind::Paren(inside) => self.range(inside, times),
            ExprKind::Range(range) => {
                let selector = &range.selector;
                let series = self.chosen(selector).into_iter().cloned().collect();
                let reference =
                    |time: &i64| self.reference(selector.at, selector.shift.as_ref(), *time);
                Ok((
                    series,
                    length(&range.range),
                    times.iter().map(reference).collect(),
                ))
            }
            ExprKind::Subquery(subquery) => {
                let series = self.subquery(subquery, times)?;
                let reference =
                    |time: &i64| self.reference(subquery.at, subquery.shift.as_ref(), *time);
                Ok((
                    series,
                    length(&subquery.range),
                    times.iter().map(reference).collect(),
                ))
            }
            other => panic!("{other:?} is no range"),
        }
    }

    /// The call of a function that takes a range.
    pub fn over_range(&self, call: &Call, place: usize, times: &[i64]) -> Outcome<Value> {
        let mut params = Vec::new();
        let (series, range, ends) = self.range(&call.args[place], times)?;
        for (other, arg) in call.args.iter().enumerate() {
            if other != place {
                params.push(self.scalar(arg, times)?);
            }
        }
        if call.name == "absent_over_time" {
            return self.absent_over_time(&call.args[place], &series, range, &ends);
        }
        let mut steps: Vec<Vec<Element>> = vec![Vec::new(); times.len()];
        let mut seen: BTreeMap<Labels, Labels> = BTreeMap::new();
        for series in &series {
            let mut has_float = false;
            for (step, time) in times.iter().enumerate() {
                let params = params.iter().map(|values| values[step]).collect();
                let window = window(series, (ends[step] - range, ends[step]), *time, params);
                if window.floats.is_empty() && window.bars.is_empty() {
                    continue;
                }
                let Some(sample) = self.of_window(&call.name, &window)? else {
                    continue;
                };
                has_float |= sample.float().is_some();
                let element = Element {
                    labels: series.labels.clone(),
                    sample,
                    drops_name: false,
                };
                let keeps = ["last_over_time", "first_over_time"].contains(&call.name.as_str());
                let element = match keeps {
                    true => element,
                    false => self.unnamed(&element, element.sample.clone()),
                };
                let owner = seen
                    .entry(element.labels.clone())
                    .or_insert(series.labels.clone());
                if *owner != series.labels {
                    return Err(SAME_LABELS.to_owned());
                }
                steps[step].push(element);
            }
            self.note_name(&call.name, metric(&series.labels), has_float);
        }
        Ok(Value::Vector(steps))
    }

    fn note_name(&self, function: &str, metric: &str, has_float: bool) {
        let ends = ["_total", "_sum", "_count", "_bucket"];
        let is_rate = ["rate", "increase"].contains(&function);
        if is_rate && has_float && !metric.is_empty() && !ends.iter().any(|e| metric.ends_with(e)) {
            self.note(format!(
                "PromQL info: metric might not be a counter, name does not end in \
                 _total/_sum/_count/_bucket: {metric:?}"
            ));
        }
    }

    fn absent_over_time(
        &self,
        arg: &Expr,
        series: &[Stored],
        range: i64,
        ends: &[i64],
    ) -> Outcome<Value> {
        let labels = super::calls::absent_labels(arg);
        let mut steps = Vec::new();
        for end in ends {
            let is_there = series.iter().any(|series| {
                let window = window(series, (end - range, *end), *end, Vec::new());
                !window.floats.is_empty() || !window.bars.is_empty()
            });
            let element = Element {
                labels: labels.clone(),
                sample: Sample::Float(1.0),
                drops_name: true,
            };
            steps.push(if is_there { Vec::new() } else { vec![element] });
        }
        Ok(Value::Vector(steps))
    }

    fn of_window(&self, name: &str, window: &Window<'_>) -> Outcome<Option<Sample>> {
        let (floats, bars) = (&window.floats, &window.bars);
        let samples = window.samples();
        let number = |value: f64| Ok(Some(Sample::Float(value)));
        match name {
            "rate" | "increase" | "delta" => return Ok(self.extrapolated(name, window)),
            "irate" | "idelta" => return Ok(self.instant_change(name, window)),
            "sum_over_time" | "avg_over_time" => return Ok(self.total(name, window)),
            "count_over_time" => return number(samples.len() as f64),
            "present_over_time" => return number(1.0),
            "last_over_time" => return Ok(samples.last().map(|(_, sample)| sample.clone())),
            "first_over_time" => return Ok(samples.first().map(|(_, sample)| sample.clone())),
            "ts_of_last_over_time" => return number(samples[samples.len() - 1].0 as f64 / 1000.0),
            "ts_of_first_over_time" => return number(samples[0].0 as f64 / 1000.0),
            "changes" | "resets" => return number(turns(name, &samples)),
            _ => {}
        }
        let is_line = ["deriv", "predict_linear", "double_exponential_smoothing"].contains(&name);
        if name == "double_exponential_smoothing" {
            for (factor, word) in window.params.iter().zip(["smoothing", "trend"]) {
                if *factor <= 0.0 || *factor >= 1.0 {
                    let short = ["sf", "tf"][usize::from(word == "trend")];
                    return Err(format!(
                        "invalid {word} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
                    ));
                }
            }
        }
        if floats.is_empty() {
            return Ok(None);
        }
        if !bars.is_empty() {
            self.note(format!(
                "PromQL info: ignored histograms in a range containing both floats and histograms \
                 for metric name {:?}",
                window.metric
            ));
        }
        if is_line && floats.len() < 2 {
            return Ok(None);
        }
        number(match name {
            "quantile_over_time" => {
                let q = window.params[0];
                if !(0.0..=1.0).contains(&q) {
                    self.note(format!(
                        "PromQL warning: quantile value should be between 0 and 1, got {}",
                        super::short(q)
                    ));
                }
                quantile(q, &window.values())
            }
            _ => of_floats(name, window),
        })
    }

    fn mixed(&self, window: &Window<'_>) -> bool {
        let is_mixed = !window.floats.is_empty() && !window.bars.is_empty();
        if is_mixed {
            self.note(format!(
                "PromQL warning: encountered a mix of histograms and floats for metric name {:?}",
                window.metric
            ));
        }
        is_mixed
    }

    fn total(&self, name: &str, window: &Window<'_>) -> Option<Sample> {
        if self.mixed(window) {
            return None;
        }
        if let Some(((_, first), others)) = window.bars.split_first() {
            let mut sum = (**first).clone();
            others.iter().for_each(|(_, bars)| sum = sum.plus(bars));
            let sum = match name {
                "avg_over_time" => sum.times(1.0 / window.bars.len() as f64),
                _ => sum,
            };
            return Some(Sample::Bars(Rc::new(sum)));
        }
        let values = window.values();
        if name == "avg_over_time" {
            return Some(Sample::Float(mean(&values)));
        }
        let mut sum = Careful::default();
        values.iter().for_each(|value| sum.add(*value));
        let sum = if sum.sum.is_infinite() {
            sum.sum
        } else {
            sum.total()
        };
        Some(Sample::Float(sum))
    }

    fn extrapolated(&self, name: &str, window: &Window<'_>) -> Option<Sample> {
        if self.mixed(window) {
            return None;
        }
        let is_counter = name != "delta";
        let seconds = (window.end - window.start) as f64 / 1000.0;
        let (floats, bars) = (&window.floats, &window.bars);
        if bars.len() > 1 {
            if !is_counter {
                self.note(format!(
                    "PromQL warning: this native histogram metric is not a gauge: {:?}",
                    window.metric
                ));
            }
            let times: Vec<i64> = bars.iter().map(|(time, _)| *time).collect();
            let mut result = bars[bars.len() - 1].1.plus(&bars[0].1.times(-1.0));
            if is_counter {
                for pair in bars.windows(2) {
                    if pair[1].1.is_less_than(&pair[0].1) {
                        result = result.plus(&pair[0].1);
                    }
                }
            }
            let first = (is_counter && result.count > 0.0).then_some(bars[0].1.count);
            let factor = stretch(window, &times, first.map(|first| first / result.count));
            let factor = if name == "rate" {
                factor / seconds
            } else {
                factor
            };
            return Some(Sample::Bars(Rc::new(result.times(factor))));
        }
        if floats.len() < 2 {
            return None;
        }
        let times: Vec<i64> = floats.iter().map(|(time, _)| *time).collect();
        let mut result = floats[floats.len() - 1].1 - floats[0].1;
        if is_counter {
            for pair in floats.windows(2) {
                if pair[1].1 < pair[0].1 {
                    result += pair[0].1;
                }
            }
        }
        let to_zero = is_counter && result > 0.0 && floats[0].1 >= 0.0;
        let factor = stretch(window, &times, to_zero.then(|| floats[0].1 / result));
        let factor = if name == "rate" {
            factor / seconds
        } else {
            factor
        };
        Some(Sample::Float(result * factor))
    }

    fn instant_change(&self, name: &str, window: &Window<'_>) -> Option<Sample> {
        let samples = window.samples();
        let [.., (before, old), (now, new)] = &samples[..] else {
            return None;
        };
        let seconds = (now - before) as f64 / 1000.0;
        let is_rate = name == "irate";
        match (old, new) {
            (Sample::Float(old), Sample::Float(new)) => {
                let change = if is_rate && new < old {
                    *new
                } else {
                    new - old
                };
                Some(Sample::Float(if is_rate {
                    change / seconds
                } else {
                    change
                }))
            }
            (Sample::Bars(old), Sample::Bars(new)) => {
                if !is_rate {
                    self.note(format!(
                        "PromQL warning: this native histogram metric is not a gauge: {:?}",
                        window.metric
                    ));
                }
                let change = match is_rate && new.is_less_than(old) {
                    true => (**new).clone(),
                    false => new.plus(&old.times(-1.0)),
                };
                let change = if is_rate {
                    change.times(1.0 / seconds)
                } else {
                    change
                };
                Some(Sample::Bars(Rc::new(change)))
            }
            _ => {
                self.note(format!(
                    "PromQL warning: encountered a mix of histograms and floats for metric name \
                     {:?}",
                    window.metric
                ));
                None
            }
        }
    }
}

/// By how much the change between the first and the last sample is stretched to the whole window.
/// `to_zero` is how many times the sampled time it takes a counter to come from zero.
fn stretch(window: &Window<'_>, times: &[i64], to_zero: Option<f64>) -> f64 {
    let (first, last) = (times[0], times[times.len() - 1]);
    let sampled = (last - first) as f64 / 1000.0;
    let apart = sampled / (times.len() - 1) as f64;
    let mut before = (first - window.start) as f64 / 1000.0;
    let mut after = (window.end - last) as f64 / 1000.0;
    if before >= apart * 1.1 {
        before = apart / 2.0;
    }
    if let Some(to_zero) = to_zero
        && sampled * to_zero < before
    {
        before = sampled * to_zero;
    }
    if after >= apart * 1.1 {
        after = apart / 2.0;
    }
    (sampled + before + after) / sampled
}

fn window(series: &Stored, (start, end): (i64, i64), time: i64, params: Vec<f64>) -> Window<'_> {
    let mut window = Window {
        time,
        start,
        end,
        floats: Vec::new(),
        bars: Vec::new(),
        params,
        metric: metric(&series.labels),
    };
    for (taken, sample) in &series.samples {
        if *taken <= start || *taken > end || sample.is_stale() {
            continue;
        }
        match sample {
            Sample::Float(value) => window.floats.push((*taken, *value)),
            Sample::Bars(bars) => window.bars.push((*taken, bars.clone())),
        }
    }
    window
}

fn turns(name: &str, samples: &[(i64, Sample)]) -> f64 {
    let mut count = 0.0;
    for pair in samples.windows(2) {
        let turned = match (&pair[0].1, &pair[1].1) {
            (Sample::Float(old), Sample::Float(new)) => match name {
                "resets" => new < old,
                _ => new != old && !(new.is_nan() && old.is_nan()),
            },
            (Sample::Bars(old), Sample::Bars(new)) => match name {
                "resets" => new.is_less_than(old),
                _ => !new.is_like(old),
            },
            _ => true,
        };
        count += f64::from(u8::from(turned));
    }
    count
}

/// Functions of floats alone.
fn of_floats(name: &str, window: &Window<'_>) -> f64 {
    let (floats, values) = (&window.floats, window.values());
    let better = |wins: fn(f64, f64) -> bool| {
        let mut best = floats[0];
        for candidate in floats {
            if wins(candidate.1, best.1) || best.1.is_nan() {
                best = *candidate;
            }
        }
        best
    };
    match name {
        "max_over_time" => better(|new, best| new > best).1,
        "min_over_time" => better(|new, best| new < best).1,
        "ts_of_max_over_time" => better(|new, best| new >= best).0 as f64 / 1000.0,
        "ts_of_min_over_time" => better(|new, best| new <= best).0 as f64 / 1000.0,
        // Where the middle is cannot be told among what is no number.
        "mad_over_time" if values.iter().any(|value| value.is_nan()) => f64::NAN,
        "mad_over_time" => {
            let middle = quantile(0.5, &values);
            let away: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
            quantile(0.5, &away)
        }
        "stdvar_over_time" => variance(&values),
        "stddev_over_time" => variance(&values).sqrt(),
        "deriv" => line(floats, floats[0].0).0,
        "predict_linear" => {
            let (slope, intercept) = line(floats, window.time);
            slope * window.params[0] + intercept
        }
        "double_exponential_smoothing" => smoothed(&values, window.params[0], window.params[1]),
        other => panic!("{other} is not known to the twin"),
    }
}

fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares, mut count) = (Careful::default(), Careful::default(), 0.0);
    for value in values {
        count += 1.0;
        let away = value - mean.total();
        mean.add(away / count);
        squares.add(away * (value - mean.total()));
    }
    squares.total() / count
}

/// Slope, and height at a time.
fn line(floats: &[(i64, f64)], at: i64) -> (f64, f64) {
    if floats.iter().all(|(_, value)| *value == floats[0].1) || floats.len() == 1 {
        return match floats[0].1.is_infinite() {
            true => (f64::NAN, f64::NAN),
            false => (0.0, floats[0].1),
        };
    }
    let [mut x, mut y, mut xy, mut xx] = [Careful::default(); 4];
    for (time, value) in floats {
        let seconds = (time - at) as f64 / 1000.0;
        x.add(seconds);
        y.add(*value);
        xy.add(seconds * value);
        xx.add(seconds * seconds);
    }
    let n = floats.len() as f64;
    let [x, y, xy, xx] = [x, y, xy, xx].map(Careful::total);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

fn smoothed(values: &[f64], factor: f64, trend: f64) -> f64 {
    let (mut old, mut level, mut slope) = (0.0, values[0], values[1] - values[0]);
    for (place, value) in values.iter().enumerate().skip(1) {
        if place > 1 {
            slope = trend * (level - old) + (1.0 - trend) * slope;
        }
        let next = factor * value + (1.0 - factor) * (level + slope);
        (old, level) = (level, next);
    }
    level
}
