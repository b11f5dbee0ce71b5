//! Functions of one number, and some of two.

/// The function of this name, if it maps numbers.
pub(crate) fn function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |value| value * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => |value| value * std::f64::consts::PI / 180.0,
        "sgn" => |value| {
            if value < 0.0 {
                -1.0
            } else if value > 0.0 {
                1.0
            } else {
                value
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}

/// The greater of two, as Go's `math.Max`: infinity before NaN before any number, and 0 before -0.
pub(crate) fn max(one: f64, two: f64) -> f64 {
    if one == f64::INFINITY || two == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || two.is_nan() {
        f64::NAN
    } else if one > two || (one == two && one.is_sign_positive()) {
        one
    } else {
        two
    }
}

/// The lesser of two, as Go's `math.Min`: negative infinity before NaN before any number, and -0
/// before 0.
pub(crate) fn min(one: f64, two: f64) -> f64 {
    -max(-one, -two)
}

/// `value` moved to the nearest of the bounds if it lies beyond.
pub(crate) fn clamp(value: f64, low: f64, high: f64) -> f64 {
    max(low, min(high, value))
}

/// `value` rounded to a multiple of `nearest`, halves up.
pub(crate) fn round(value: f64, nearest: f64) -> f64 {
    // Prometheus multiplies by the inverse, which rounds less often.
    let inverse = 1.0 / nearest;
    (value * inverse + 0.5).floor() / inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinity_outweighs_nan_and_zeros_have_signs() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        assert_eq!([max(nan, inf), max(inf, nan)], [inf, inf]);
        assert_eq!([min(nan, -inf), min(-inf, nan)], [-inf, -inf]);
        assert!(
            [max(nan, -inf), max(nan, 1.0), min(inf, nan), min(1.0, nan)]
                .iter()
                .all(|value| value.is_nan())
        );
        let is_minus = [
            max(-0.0, 0.0),
            max(0.0, -0.0),
            min(-0.0, 0.0),
            min(0.0, -0.0),
        ]
        .map(f64::is_sign_negative);
        assert_eq!(is_minus, [false, false, true, true]);
        assert_eq!([max(1.0, 2.0), min(1.0, 2.0)], [2.0, 1.0]);
        assert_eq!([clamp(nan, inf, inf), clamp(nan, -inf, -inf)], [inf, -inf]);
    }
}
