//! Floats as scaled integers: `14.29` is 1429 hundredths, and the division gives back the same
//! bits.
//!
//! Nothing here is approximate: an integer is returned only where dividing it by the power of ten
//! reproduces every bit of the float. Negative zero, NaN, infinities and numbers of more digits
//! have no integer.

/// Powers of ten by scale; all of them are exact floats.
pub(crate) const POWERS: [f64; 16] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// The largest scale that [`POWERS`] knows.
pub(crate) const SCALE_MAX: u8 = 15;

/// Adding this rounds a float below [`MAGNITUDE_MAX`] to an integer that then stands in its low
/// bits: much cheaper than a call to `round` and a saturating cast.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const MAGNITUDE_MAX: f64 = 2_251_799_813_685_248.0;

/// The integer nearest to `value` times ten to the `scale`; 0 where that is too large or not a
/// number. The same bits give the same integer on every machine, which readers of open streams rely
/// on.
#[inline]
pub(crate) fn nearest(value: f64, scale: u8) -> i64 {
    let scaled = value * POWERS[usize::from(scale & SCALE_MAX)];
    if scaled.abs() < MAGNITUDE_MAX {
        ((scaled + ROUNDER).to_bits() as i64).wrapping_sub(ROUNDER.to_bits() as i64)
    } else {
        0
    }
}

/// How an integer of a scale becomes a float. Exporters do one or the other, and each rounds
/// differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Divided by ten to the scale.
    Divided,
    /// Multiplied by the inverse of that, which is rounded itself.
    Multiplied,
    /// Multiplied by two parts of the inverse: nearly always what division gives, in half the time.
    Split,
}

/// Bits of the inverse that its first part does not have, so that products with it are exact.
const SPLIT_BITS: u32 = 27;

/// The two parts of the inverse of ten to the `scale`; together far more precise than one float.
#[inline]
pub(crate) fn split_inverse(scale: u8) -> (f64, f64) {
    let power = POWERS[usize::from(scale & SCALE_MAX)];
    let high = f64::from_bits((1.0 / power).to_bits() >> SPLIT_BITS << SPLIT_BITS);
    (high, (1.0 - high * power) / power)
}

/// The float that an integer of this scale stands for; at scale 0 the integer, whatever the form.
#[inline]
pub(crate) fn value(integer: i64, scale: u8, form: Form) -> f64 {
    let (float, power) = (integer as f64, POWERS[usize::from(scale & SCALE_MAX)]);
    match form {
        _ if scale == 0 => float,
        Form::Divided => float / power,
        Form::Multiplied => float * (1.0 / power),
        Form::Split => {
            let (high, low) = split_inverse(scale);
            float * high + float * low
        }
    }
}

/// The integer that stands for exactly these bits at this scale.
#[inline]
pub(crate) fn exact(bits: u64, scale: u8, form: Form) -> Option<i64> {
    let integer = nearest(f64::from_bits(bits), scale);
    (value(integer, scale, form).to_bits() == bits).then_some(integer)
}

/// The least scale, from `from` to `to`, at which these bits have an integer.
pub(crate) fn scale_of(bits: u64, form: Form, from: u8, to: u8) -> Option<u8> {
    (from..=to).find(|&scale| exact(bits, scale, form).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_the_scale_they_are_written_with() {
        for (float, scale, integer) in [
            (0.0, 0, 0),
            (-17.0, 0, -17),
            (14.29, 2, 1429),
            (-0.001, 3, -1),
            (108.296, 3, 108_296),
            (2_251_799_813_685_247.0, 0, 2_251_799_813_685_247),
        ] {
            let bits = f64::to_bits(float);
            assert_eq!(
                scale_of(bits, Form::Divided, 0, SCALE_MAX),
                Some(scale),
                "{float}"
            );
            assert_eq!(exact(bits, scale, Form::Divided), Some(integer), "{float}");
        }
    }

    #[test]
    fn what_a_division_cannot_reproduce_has_no_integer() {
        for float in [
            -0.0,
            f64::NAN,
            f64::INFINITY,
            1e300,
            5e-324,
            1.0 / 3.0,
            1e16,
        ] {
            for form in [Form::Divided, Form::Split] {
                assert_eq!(
                    scale_of(float.to_bits(), form, 0, SCALE_MAX),
                    None,
                    "{float}"
                );
            }
            assert_eq!(nearest(f64::NAN, 3), 0);
        }
    }
}
