//! Functions that take no range.

use std::collections::BTreeMap;

use chronolith_engine::labels::MatchOp;
use chronolith_query::promql::signatures::{ValueType, signature};
use chronolith_query::promql::syntax::{Call, Expr, ExprKind};

use super::{Element, Labels, Outcome, Sample, Twin, Value, metric, no_twins};

impl Twin<'_> {
    pub fn call(&self, call: &Call, times: &[i64]) -> Outcome<Value> {
        let args = &call.args;
        let known = signature(&call.name).unwrap();
        if let Some(place) = known
            .args
            .iter()
            .position(|kind| *kind == ValueType::Matrix)
        {
            return self.over_range(call, place, times);
        }
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let constant = |value: f64| Ok(Value::Scalar(vec![value; times.len()]));
        match call.name.as_str() {
            "time" => Ok(Value::Scalar(
                times.iter().map(|time| seconds(*time)).collect(),
            )),
            "pi" => constant(std::f64::consts::PI),
            "start" => constant(seconds(self.start)),
            "end" => constant(seconds(self.end)),
            "step" => constant(seconds(self.step)),
            "range" => constant(seconds(self.end - self.start)),
            "scalar" => {
                let steps = self.vector(&args[0], times)?;
                Ok(Value::Scalar(
                    steps.iter().map(|elements| only_float(elements)).collect(),
                ))
            }
            "min_of" | "max_of" => {
                let (one, two) = (self.scalar(&args[0], times)?, self.scalar(&args[1], times)?);
                let pairs = one.iter().zip(&two);
                let choose = if call.name == "min_of" {
                    lesser
                } else {
                    greater
                };
                Ok(Value::Scalar(
                    pairs.map(|(one, two)| choose(*one, *two)).collect(),
                ))
            }
            "vector" => {
                let values = self.scalar(&args[0], times)?;
                let element = |value: &f64| vec![plain(Labels::new(), *value)];
                Ok(Value::Vector(values.iter().map(element).collect()))
            }
            "absent" => {
                let steps = self.vector(&args[0], times)?;
                let labels = absent_labels(&args[0]);
                let absent = |elements: &Vec<Element>| match elements.is_empty() {
                    true => vec![plain(labels.clone(), 1.0)],
                    false => Vec::new(),
                };
                Ok(Value::Vector(steps.iter().map(absent).collect()))
            }
            "timestamp" => self.timestamp(&args[0], times),
            "sort" | "sort_desc" => self.sorted(call, times),
            "label_replace" | "label_join" => self.relabelled(call, times),
            "histogram_quantile" | "histogram_fraction" => self.of_buckets(call, times),
            name if name.starts_with("histogram_") => {
                let steps = self.vector(&args[0], times)?;
                self.mapped(steps, |element| {
                    let Sample::Bars(bars) = &element.sample else {
                        return None;
                    };
                    Some(Sample::Float(match name {
                        "histogram_count" => bars.count,
                        "histogram_sum" => bars.sum,
                        _ => bars.sum / bars.count,
                    }))
                })
            }
            _ => self.of_floats(call, times),
        }
    }

    /// Functions that make one number of another.
    fn of_floats(&self, call: &Call, times: &[i64]) -> Outcome<Value> {
        let name = call.name.as_str();
        let dates = [
            "minute",
            "hour",
            "day_of_week",
            "day_of_month",
            "month",
            "year",
        ];
        if call.args.is_empty() && dates.contains(&name) {
            let value = |time: &i64| vec![plain(Labels::new(), date(name, time.div_euclid(1000)))];
            return Ok(Value::Vector(times.iter().map(value).collect()));
        }
        let steps = self.vector(&call.args[0], times)?;
        let mut params = Vec::new();
        for arg in &call.args[1..] {
            params.push(self.scalar(arg, times)?);
        }
        let mut out = Vec::new();
        for (step, elements) in steps.into_iter().enumerate() {
            let param = |place: usize| params.get(place).map(|values| values[step]);
            if name == "clamp" && param(1) < param(0) {
                out.push(Vec::new());
                continue;
            }
            let map = |value: f64| match name {
                "clamp" => greater(param(0).unwrap(), lesser(param(1).unwrap(), value)),
                "clamp_min" => greater(param(0).unwrap(), value),
                "clamp_max" => lesser(param(0).unwrap(), value),
                "round" => {
                    let inverse = 1.0 / param(0).unwrap_or(1.0);
                    (value * inverse + 0.5).floor() / inverse
                }
                name if dates.contains(&name) => date(name, value as i64),
                _ => of_number(name, value),
            };
            let mapped = self.mapped(vec![elements], |element| {
                Some(Sample::Float(map(element.sample.float()?)))
            })?;
            let Value::Vector(mut mapped) = mapped else {
                panic!("a vector was mapped");
            };
            out.append(&mut mapped);
        }
        Ok(Value::Vector(out))
    }

    fn timestamp(&self, arg: &Expr, times: &[i64]) -> Outcome<Value> {
        let mut inside = arg;
        while let ExprKind::Paren(expr) = &inside.kind {
            inside = expr;
        }
        let mut out = Vec::new();
        let steps = match &inside.kind {
            ExprKind::Selector(selector) => {
                let found = times.iter().map(|time| self.newest_times(selector, *time));
                found.collect()
            }
            _ => {
                let steps = self.vector(arg, times)?.into_iter().zip(times);
                let timed = steps.map(|(elements, time)| {
                    let elements = elements.into_iter();
                    elements.map(|element| (*time, element)).collect()
                });
                timed.collect::<Vec<Vec<(i64, Element)>>>()
            }
        };
        for elements in steps {
            let elements = elements.into_iter().map(|(taken, element)| {
                self.unnamed(&element, Sample::Float(taken as f64 / 1000.0))
            });
            let elements: Vec<Element> = elements.collect();
            no_twins(&elements)?;
            out.push(elements);
        }
        Ok(Value::Vector(out))
    }

    fn sorted(&self, call: &Call, times: &[i64]) -> Outcome<Value> {
        let mut steps = self.vector(&call.args[0], times)?;
        for elements in &mut steps {
            elements.retain(|element| element.sample.float().is_some());
        }
        if self.step != 0 {
            self.note(
                "PromQL warning: sort is ineffective for range queries since results are always \
                 ordered by labels"
                    .to_owned(),
            );
            return Ok(Value::Vector(steps));
        }
        for elements in &mut steps {
            let (numbers, mut odd): (Vec<_>, Vec<_>) = std::mem::take(elements)
                .into_iter()
                .partition(|element| !element.sample.float().unwrap().is_nan());
            *elements = numbers;
            elements.sort_by(|one, two| {
                let (one, two) = (one.sample.float().unwrap(), two.sample.float().unwrap());
                let order = one.partial_cmp(&two).unwrap();
                if call.name == "sort" {
                    order
                } else {
                    order.reverse()
                }
            });
            elements.append(&mut odd);
        }
        Ok(Value::Vector(steps))
    }

    fn relabelled(&self, call: &Call, times: &[i64]) -> Outcome<Value> {
        let mut texts = Vec::new();
        for arg in &call.args[1..] {
            match self.eval(arg, times)? {
                Value::Text(text) => texts.push(text),
                _ => panic!("labels are named by texts"),
            }
        }
        let mut steps = self.vector(&call.args[0], times)?;
        for elements in &mut steps {
            for element in elements.iter_mut() {
                let value = |name: &String| element.labels.get(name).cloned().unwrap_or_default();
                let new = match call.name.as_str() {
                    "label_join" => {
                        let parts: Vec<String> = texts[2..].iter().map(value).collect();
                        Some(parts.join(&texts[1]))
                    }
                    _ => replaced(&value(&texts[2]), &texts[3], &texts[1]),
                };
                let Some(new) = new else {
                    continue;
                };
                element.labels.remove(&texts[0]);
                if !new.is_empty() {
                    element.labels.insert(texts[0].clone(), new);
                }
                element.drops_name &= texts[0] != "__name__";
            }
            no_twins(elements)?;
        }
        Ok(Value::Vector(steps))
    }

    /// `histogram_quantile` and `histogram_fraction` of classic histograms.
    fn of_buckets(&self, call: &Call, times: &[i64]) -> Outcome<Value> {
        let mut params = Vec::new();
        let (vector, scalars) = call.args.split_last().unwrap();
        for arg in scalars {
            params.push(self.scalar(arg, times)?);
        }
        let is_quantile = call.name == "histogram_quantile";
        for q in params[0]
            .iter()
            .filter(|q| is_quantile && !(0.0..=1.0).contains(*q))
        {
            let q = super::short(*q);
            self.note(format!(
                "PromQL warning: quantile value should be between 0 and 1, got {q}"
            ));
        }
        let steps = self.vector(vector, times)?;
        let mut out = Vec::new();
        for (step, elements) in steps.iter().enumerate() {
            let param = |place: usize| params[place][step];
            let mut found = Vec::new();
            for (labels, (drops_name, buckets)) in self.buckets_of(elements) {
                let value = match is_quantile {
                    true => bucket_quantile(param(0), buckets),
                    false => bucket_fraction(param(0), param(1), buckets),
                };
                let element = Element {
                    labels,
                    sample: Sample::Float(value),
                    drops_name,
                };
                found.push(self.unnamed(&element, element.sample.clone()));
            }
            no_twins(&found)?;
            out.push(found);
        }
        Ok(Value::Vector(out))
    }

    fn buckets_of(&self, elements: &[Element]) -> BTreeMap<Labels, (bool, Vec<(f64, f64)>)> {
        let mut found: BTreeMap<Labels, (bool, Vec<(f64, f64)>)> = BTreeMap::new();
        for element in elements {
            let Some(count) = element.sample.float() else {
                panic!("classic histograms are of floats");
            };
            let mut labels = element.labels.clone();
            let le = labels.remove("le").unwrap_or_default();
            let Ok(bound) = le.parse::<f64>() else {
                let name = match metric(&element.labels) {
                    name if self.delays_names && !name.is_empty() => {
                        format!(" for metric name {name:?}")
                    }
                    _ => String::new(),
                };
                self.note(format!(
                    "PromQL warning: bucket label \"le\" is missing or has a malformed value of \
                     {le:?}{name}"
                ));
                continue;
            };
            let place = found
                .entry(labels)
                .or_insert((element.drops_name, Vec::new()));
            place.1.push((bound, count));
        }
        found
    }
}

/// The buckets in order, those of one border as one, and nothing falling; none if the last one is
/// not open.
fn in_order(mut buckets: Vec<(f64, f64)>) -> Option<Vec<(f64, f64)>> {
    buckets.sort_by(|one, two| one.0.partial_cmp(&two.0).unwrap());
    if buckets.last()?.0 != f64::INFINITY {
        return None;
    }
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (bound, count) in buckets {
        match joined.last_mut() {
            Some(last) if last.0 == bound => last.1 += count,
            _ => joined.push((bound, count)),
        }
    }
    Some(joined)
}

fn bucket_quantile(q: f64, buckets: Vec<(f64, f64)>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let Some(mut buckets) = in_order(buckets) else {
        return f64::NAN;
    };
    let mut before = buckets[0].1;
    for bucket in &mut buckets[1..] {
        let apart = (bucket.1 - before).abs() / (bucket.1.abs() + before.abs());
        let is_close = bucket.1 != 0.0 && before != 0.0 && apart < 1e-12;
        if bucket.1 < before || is_close {
            bucket.1 = before;
        } else {
            before = bucket.1;
        }
    }
    let last = buckets.len() - 1;
    if last == 0 || buckets[last].1 == 0.0 {
        return f64::NAN;
    }
    let rank = q * buckets[last].1;
    // Go's search by halves, which NaN leads to the end.
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = (low + high) / 2;
        if buckets[middle].1 >= rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if low == last {
        return buckets[last - 1].0;
    }
    if low == 0 && buckets[0].0 <= 0.0 {
        return buckets[0].0;
    }
    let (from, below) = if low > 0 {
        buckets[low - 1]
    } else {
        (0.0, 0.0)
    };
    let (to, count) = buckets[low];
    from + (to - from) * ((rank - below) / (count - below))
}

fn bucket_fraction(lower: f64, upper: f64, buckets: Vec<(f64, f64)>) -> f64 {
    let Some(buckets) = in_order(buckets) else {
        return f64::NAN;
    };
    let all = buckets[buckets.len() - 1].1;
    if all == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank_of = |value: f64| {
        let mut rank = 0.0;
        let mut from = if buckets[0].0 > 0.0 {
            0.0
        } else {
            f64::NEG_INFINITY
        };
        for (to, count) in &buckets {
            if from >= value {
                return Some(rank);
            }
            if *to > value {
                return Some(match from.is_infinite() {
                    true => *count,
                    false => rank + (count - rank) * (value - from) / (to - from),
                });
            }
            (rank, from) = (*count, *to);
        }
        None
    };
    let capped = |rank: Option<f64>| rank.filter(|rank| *rank <= all).unwrap_or(all);
    (capped(rank_of(upper)) - capped(rank_of(lower))) / all
}

fn plain(labels: Labels, value: f64) -> Element {
    Element {
        labels,
        sample: Sample::Float(value),
        drops_name: false,
    }
}

fn only_float(elements: &[Element]) -> f64 {
    let floats: Vec<f64> = elements
        .iter()
        .filter_map(|element| element.sample.float())
        .collect();
    match floats[..] {
        [value] => value,
        _ => f64::NAN,
    }
}

/// The greater of two as Go has it: infinity before NaN before numbers.
fn greater(one: f64, two: f64) -> f64 {
    match () {
        () if one == f64::INFINITY || two == f64::INFINITY => f64::INFINITY,
        () if one.is_nan() || two.is_nan() => f64::NAN,
        () if one == 0.0 && two == 0.0 => {
            if one.is_sign_negative() {
                two
            } else {
                one
            }
        }
        () => {
            if one > two {
                one
            } else {
                two
            }
        }
    }
}

fn lesser(one: f64, two: f64) -> f64 {
    -greater(-one, -two)
}

fn of_number(name: &str, value: f64) -> f64 {
    match name {
        "abs" => value.abs(),
        "ceil" => value.ceil(),
        "floor" => value.floor(),
        "exp" => value.exp(),
        "sqrt" => value.sqrt(),
        "ln" => value.ln(),
        "log2" => value.log2(),
        "log10" => value.log10(),
        "sin" => value.sin(),
        "deg" => value * 180.0 / std::f64::consts::PI,
        "rad" => value * std::f64::consts::PI / 180.0,
        "sgn" if value > 0.0 => 1.0,
        "sgn" if value < 0.0 => -1.0,
        "sgn" => value,
        other => panic!("{other} is not known to the twin"),
    }
}

/// A part of the date of a second since 1970, found by counting days.
fn date(name: &str, second: i64) -> f64 {
    let (mut day, rest) = (second.div_euclid(86_400), second.rem_euclid(86_400));
    let value = match name {
        "minute" => rest / 60 % 60,
        "hour" => rest / 3_600,
        "day_of_week" => (day + 4).rem_euclid(7),
        _ => {
            let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let days = |year: i64| if leap(year) { 366 } else { 365 };
            if !(-800_000..800_000).contains(&day) {
                panic!("the twin counts days, and {day} are too many");
            }
            let mut year = 1970;
            while day < 0 {
                year -= 1;
                day += days(year);
            }
            while day >= days(year) {
                day -= days(year);
                year += 1;
            }
            let february = if leap(year) { 29 } else { 28 };
            let mut month = 1;
            for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                if day < length {
                    break;
                }
                day -= length;
                month += 1;
            }
            match name {
                "year" => year,
                "month" => month,
                _ => day + 1,
            }
        }
    };
    value as f64
}

/// `label_replace` for the patterns that random queries have: `(.*)`, `(.+)`, or a plain text.
fn replaced(value: &str, pattern: &str, replacement: &str) -> Option<String> {
    let fits = match pattern {
        "(.*)" => true,
        "(.+)" => !value.is_empty(),
        plain => plain == value,
    };
    fits.then(|| replacement.replace("$1", if pattern.starts_with('(') { value } else { "" }))
}

/// What a selector says with `=`, unless it says something else about the same label.
pub fn absent_labels(arg: &Expr) -> Labels {
    let matchers = match &arg.kind {
        ExprKind::Paren(inside) => return absent_labels(inside),
        ExprKind::Selector(selector) => &selector.matchers,
        ExprKind::Range(range) => &range.selector.matchers,
        _ => return Labels::new(),
    };
    let mut labels = Labels::new();
    for matcher in matchers
        .iter()
        .filter(|matcher| matcher.name() != "__name__")
    {
        let about = matchers
            .iter()
            .filter(|other| other.name() == matcher.name());
        if matcher.op() == MatchOp::Equal && about.count() == 1 && !matcher.value().is_empty() {
            labels.insert(matcher.name().to_owned(), matcher.value().to_owned());
        }
    }
    labels
}
