//! A column of floats as integers of one scale, with the places of those that have none.
//!
//! Exporters divide by a power of ten or multiply by its inverse, and the bits tell which: both are
//! tried. What is returned has been checked for every value; nothing here is approximate but
//! [`Near`], which says by how much.

use super::decimal::{self, Form};

/// How many values are looked at before a scale is chosen.
const SAMPLES: usize = 8;
/// A column with exceptions for more than one value in so many is not a scaled one.
const EXCEPTION_SHARE: usize = 8;
/// Floats between a value and the decimal that it is near, at most.
const NEAR_MAX: i64 = 32;

/// Values as scaled integers.
pub(crate) struct Scaled {
    pub(crate) scale: u8,
    pub(crate) form: Form,
    /// As many as values: where a value has none, the one before stands in.
    pub(crate) integers: Vec<i64>,
    /// The places of values that have none.
    pub(crate) exceptions: Vec<usize>,
}

impl Scaled {
    /// Scales and forms that leave few exceptions, or none; the caller takes the smallest.
    pub(crate) fn candidates(values: &[f64]) -> Vec<Scaled> {
        let mut found = Scaled::sampled(values, Form::Divided);
        if found.iter().all(|scaled| !scaled.exceptions.is_empty()) {
            found.extend(Scaled::sampled(values, Form::Multiplied));
        }
        found
    }

    /// At the scale of a few samples, and at the larger one that exceptions ask for.
    fn sampled(values: &[f64], form: Form) -> Vec<Scaled> {
        let Some(scale) = sampled_scale(values, form) else {
            return Vec::new();
        };
        let first = Scaled::at(values, scale, form);
        let scale_above = |&place: &usize| {
            decimal::scale_of(values[place].to_bits(), form, scale + 1, decimal::SCALE_MAX)
        };
        let larger = first.exceptions.iter().filter_map(scale_above).max();
        let mut found = vec![first];
        found.extend(larger.map(|scale| Scaled::at(values, scale, form)));
        found.retain(|scaled| scaled.exceptions.len() <= values.len() / EXCEPTION_SHARE + 1);
        found
    }

    fn at(values: &[f64], scale: u8, form: Form) -> Scaled {
        let exact = |value: &f64| decimal::exact(value.to_bits(), scale, form);
        let mut last = values.iter().find_map(exact).unwrap_or(0);
        let (mut integers, mut exceptions) = (Vec::with_capacity(values.len()), Vec::new());
        for (place, value) in values.iter().enumerate() {
            match exact(value) {
                Some(integer) => last = integer,
                None => exceptions.push(place),
            }
            integers.push(last);
        }
        Scaled {
            scale,
            form,
            integers,
            exceptions,
        }
    }

    /// Takes another form where it gives the same bits for every integer.
    pub(crate) fn in_form(mut self, form: Form) -> Scaled {
        let same = |&integer: &i64| {
            let wanted = decimal::value(integer, self.scale, self.form);
            decimal::value(integer, self.scale, form).to_bits() == wanted.to_bits()
        };
        if self.scale > 0 && self.form == Form::Divided && self.integers.iter().all(same) {
            self.form = form;
        }
        self
    }
}

/// The scale that most of a few samples have; none if they are no decimals.
fn sampled_scale(values: &[f64], form: Form) -> Option<u8> {
    let step = values.len().div_ceil(SAMPLES).max(1);
    let (mut scale, mut samples, mut misses) = (0, 0, 0);
    for value in values.iter().step_by(step) {
        samples += 1;
        match decimal::scale_of(value.to_bits(), form, scale, decimal::SCALE_MAX) {
            Some(wanted) => scale = wanted,
            None => misses += 1,
        }
    }
    (misses * 2 <= samples).then_some(scale)
}

/// Values near decimals, as sums of decimals are: integers of one scale, and by how many floats
/// each value lies above what its integer says when divided.
pub(crate) struct Near {
    pub(crate) scale: u8,
    pub(crate) integers: Vec<i64>,
    pub(crate) corrections: Vec<i64>,
    /// The places of values that are near nothing.
    pub(crate) exceptions: Vec<usize>,
}

impl Near {
    /// At the scale that most of a few samples are near to.
    pub(crate) fn of(values: &[f64]) -> Option<Near> {
        let step = values.len().div_ceil(SAMPLES).max(1);
        let mut scales: Vec<u8> = values
            .iter()
            .step_by(step)
            .filter_map(|value| {
                (0..=decimal::SCALE_MAX).find(|&scale| correction(*value, scale).is_some())
            })
            .collect();
        scales.sort_unstable();
        // The largest may come from a sample that is near nothing but by chance.
        let scale = *scales.get((scales.len() * 3 / 4).min(scales.len().checked_sub(1)?))?;
        let mut near = Near {
            scale,
            integers: Vec::with_capacity(values.len()),
            corrections: Vec::with_capacity(values.len()),
            exceptions: Vec::new(),
        };
        let mut last = 0;
        for (place, value) in values.iter().enumerate() {
            let found = correction(*value, scale);
            if found.is_none() {
                near.exceptions.push(place);
            }
            let (integer, above) = found.unwrap_or((last, 0));
            last = integer;
            near.integers.push(integer);
            near.corrections.push(above);
        }
        (near.exceptions.len() <= values.len() / EXCEPTION_SHARE + 1).then_some(near)
    }
}

/// The nearest integer, and how many floats above it the value lies, if that is few.
fn correction(value: f64, scale: u8) -> Option<(i64, i64)> {
    let integer = decimal::nearest(value, scale);
    let decimal = decimal::value(integer, scale, Form::Divided);
    let above = (value.to_bits() as i64).wrapping_sub(decimal.to_bits() as i64);
    (-NEAR_MAX..=NEAR_MAX)
        .contains(&above)
        .then_some((integer, above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_in_which_an_exporter_computed_is_found() {
        let integers: Vec<i64> = (0..200).map(|n| 16_000 + n * 7919 % 5000).collect();
        for form in [Form::Divided, Form::Multiplied] {
            let made = |integer: &i64| decimal::value(*integer, 3, form);
            let values: Vec<f64> = integers.iter().map(made).collect();
            let found = Scaled::candidates(&values).pop().unwrap();
            assert_eq!((found.scale, &found.integers), (3, &integers));
            assert!(found.exceptions.is_empty());
        }
    }

    #[test]
    fn sums_of_decimals_are_near_decimals() {
        let values: Vec<f64> = (0..200).map(|n| f64::from(n) / 100.0 + 0.1 + 0.2).collect();
        let near = Near::of(&values).unwrap();
        assert_eq!((near.scale, near.exceptions.len()), (2, 0));
        assert!(near.corrections.iter().all(|above| above.abs() <= 2));
        assert!(near.corrections.iter().any(|above| *above != 0));
    }

    #[test]
    fn random_floats_are_no_decimals() {
        let mut bits = 1u64;
        let mut random = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            f64::from_bits(bits >> 12 | 1023 << 52)
        };
        let values: Vec<f64> = (0..300).map(|_| random()).collect();
        assert!(Scaled::candidates(&values).is_empty());
    }
}
