//! Whether a result is the one that was expected.

use chronolith_engine::metrics::STALE_NAN_BITS;

use crate::promql::histogram::{Buckets, Histogram};
use crate::promql::script::Result;
use crate::promql::script::parse::Eval;
use crate::promql::script::series::{Item, SeriesLine};
use crate::promql::value::{Point, ResultSeries, Sample, Value};

/// How far apart equal numbers may be, as a part of their sum.
const TOLERANCE: f64 = 1e-6;

/// Checks the value of an instant evaluation.
pub(super) fn check_instant(eval: &Eval, value: &Value) -> Result<()> {
    if let Some(wanted) = &eval.text {
        return match value {
            Value::Text(text) if text == wanted => Ok(()),
            other => Err(format!("expected string {wanted:?}, got {other:?}")),
        };
    }
    match value {
        Value::Scalar(_, value) => check_scalar(eval, *value),
        Value::Vector(series) => check_vector(eval, series),
        Value::Matrix(series) => match eval.range {
            Some((from, _, step)) => check_matrix(eval, series, from, step),
            None => Err("got a range vector where none was expected".to_owned()),
        },
        Value::Text(text) => Err(format!("got string {text:?} where none was expected")),
    }
}

fn check_scalar(eval: &Eval, value: f64) -> Result<()> {
    match eval.scalar {
        Some(wanted) if same_number(wanted, value) => Ok(()),
        wanted => Err(format!("expected {wanted:?}, got scalar {value}")),
    }
}

/// Checks series with one sample each.
pub(super) fn check_vector(eval: &Eval, series: &[ResultSeries]) -> Result<()> {
    if eval.scalar.is_some() {
        return Err("expected a scalar, got a vector".to_owned());
    }
    for (index, got) in series.iter().enumerate() {
        let place = place_of(&eval.expected, got)?;
        if eval.ordered && place != index {
            return Err(format!(
                "expected {} at {place}, it is at {index}",
                got.labels.as_labels()
            ));
        }
        let wanted = eval.expected[place].items.first().and_then(Option::as_ref);
        let wanted =
            wanted.ok_or_else(|| format!("{} was not expected", got.labels.as_labels()))?;
        let sample = got.points.first().map(|point| &point.sample);
        let sample = sample.ok_or_else(|| format!("{} has no sample", got.labels.as_labels()))?;
        check_sample(wanted, sample)
            .map_err(|what| format!("{}: {what}", got.labels.as_labels()))?;
    }
    check_all_there(&eval.expected, series)
}

/// Checks the series of a range.
pub(super) fn check_matrix(
    eval: &Eval,
    series: &[ResultSeries],
    from: i64,
    step: i64,
) -> Result<()> {
    check_sorted(series)?;
    for got in series {
        let wanted = &eval.expected[place_of(&eval.expected, got)?];
        check_points(wanted, &got.points, from, step)
            .map_err(|what| format!("{}: {what}", got.labels.as_labels()))?;
    }
    check_all_there(&eval.expected, series)
}

/// Whether the series come in label order.
pub(super) fn check_sorted(series: &[ResultSeries]) -> Result<()> {
    if series
        .windows(2)
        .all(|pair| pair[0].labels <= pair[1].labels)
    {
        Ok(())
    } else {
        Err("the series are not in label order".to_owned())
    }
}

fn check_points(wanted: &SeriesLine, points: &[Point], from: i64, step: i64) -> Result<()> {
    let mut wanted_points = Vec::new();
    let mut time = from;
    for item in &wanted.items {
        if let Some(item) = item {
            wanted_points.push((time, item));
        }
        time += step;
    }
    for (point, (time, item)) in points.iter().zip(&wanted_points) {
        if point.time != *time {
            let got = point.time;
            return Err(format!(
                "expected a sample at {time} ms, the next is at {got} ms"
            ));
        }
        check_sample(item, &point.sample).map_err(|what| format!("at {time} ms: {what}"))?;
    }
    let (got, wanted) = (points.len(), wanted_points.len());
    if got != wanted {
        return Err(format!("expected {wanted} samples, got {got}: {points:?}"));
    }
    Ok(())
}

fn place_of(expected: &[SeriesLine], got: &ResultSeries) -> Result<usize> {
    let mut places = expected.iter().enumerate();
    let place = places.rfind(|(_, line)| line.labels == got.labels);
    place.map(|(place, _)| place).ok_or_else(|| {
        format!(
            "unexpected series {}: {:?}",
            got.labels.as_labels(),
            got.points
        )
    })
}

fn check_all_there(expected: &[SeriesLine], got: &[ResultSeries]) -> Result<()> {
    for wanted in expected {
        let has_samples = wanted.items.iter().any(Option::is_some);
        let found = got
            .iter()
            .filter(|series| series.labels == wanted.labels)
            .count();
        if has_samples && found == 0 {
            return Err(format!(
                "expected {}, which is not there",
                wanted.labels.as_labels()
            ));
        }
        if found > 1 {
            return Err(format!(
                "{} is there {found} times",
                wanted.labels.as_labels()
            ));
        }
    }
    Ok(())
}

fn check_sample(wanted: &Item, got: &Sample) -> Result<()> {
    let same = match (wanted, got) {
        (Item::Float(wanted), Sample::Float(got)) => same_number(*wanted, *got),
        (Item::Histogram(wanted, hinted), Sample::Histogram(got)) => {
            same_histogram(wanted, got) && (!hinted || wanted.hint == got.hint)
        }
        _ => false,
    };
    if same {
        Ok(())
    } else {
        Err(format!("expected {wanted:?}, got {got:?}"))
    }
}

/// Whether two numbers are the same but for rounding.
#[expect(clippy::float_cmp)] // Equal is near enough.
fn same_number(wanted: f64, got: f64) -> bool {
    let is_stale = |value: f64| value.to_bits() == STALE_NAN_BITS;
    if is_stale(wanted) || is_stale(got) {
        return is_stale(wanted) && is_stale(got);
    }
    if (wanted.is_nan() && got.is_nan()) || wanted == got {
        return true;
    }
    let (sum, difference) = (wanted.abs() + got.abs(), (wanted - got).abs());
    if wanted == 0.0 || got == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn same_histogram(wanted: &Histogram, got: &Histogram) -> bool {
    let (mut wanted, mut got) = (wanted.clone(), got.clone());
    wanted.compact();
    got.compact();
    let same_buckets = |one: &Buckets, two: &Buckets| {
        one.len() == two.len()
            && one
                .iter()
                .zip(two.iter())
                .all(|(one, two)| one.0 == two.0 && same_number(one.1, two.1))
    };
    wanted.schema == got.schema
        && same_number(wanted.count, got.count)
        && same_number(wanted.sum, got.sum)
        && (wanted.is_custom()
            || (wanted.zero_threshold.to_bits() == got.zero_threshold.to_bits()
                && same_number(wanted.zero_count, got.zero_count)))
        && (!wanted.is_custom() || wanted.custom == got.custom)
        && same_buckets(&wanted.positive, &got.positive)
        && same_buckets(&wanted.negative, &got.negative)
}
