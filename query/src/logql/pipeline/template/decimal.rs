//! Sums and products of decimal numbers as they are written, so that 0.1 and 0.2 make 0.3.

/// Digits behind the point that a quotient has.
const QUOTIENT_DIGITS: u32 = 16;

/// A number: digits, and how many of them stand behind the point.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    scale: u32,
}

/// An operation on two numbers.
#[derive(Clone, Copy)]
pub(super) enum Operation {
    Add,
    Sub,
    Mul,
    Div,
}

/// What an operation makes of two numbers; where their digits are too many it is done on floats.
pub(super) fn apply(operation: Operation, left: f64, right: f64) -> Result<f64, String> {
    if matches!(operation, Operation::Div) && right == 0.0 {
        return Err("decimal division by 0".to_owned());
    }
    if !left.is_finite() || !right.is_finite() {
        return Err("Cannot create a Decimal from NaN or Inf".to_owned());
    }
    let exact = || {
        let (left, right) = (Decimal::new(left)?, Decimal::new(right)?);
        match operation {
            Operation::Add => left.add(right),
            Operation::Sub => left.add(Decimal {
                digits: -right.digits,
                ..right
            }),
            Operation::Mul => Some(Decimal {
                digits: left.digits.checked_mul(right.digits)?,
                scale: left.scale + right.scale,
            }),
            Operation::Div => left.div(right),
        }
    };
    Ok(match (exact(), operation) {
        (Some(exact), _) => exact.to_float(),
        (None, Operation::Add) => left + right,
        (None, Operation::Sub) => left - right,
        (None, Operation::Mul) => left * right,
        (None, Operation::Div) => left / right,
    })
}

impl Decimal {
    fn new(value: f64) -> Option<Decimal> {
        let text = value.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let scale = u32::try_from(fraction.len()).ok()?;
        (scale <= 40).then_some(Decimal { digits, scale })
    }

    fn add(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let raise = |number: Decimal| {
            number
                .digits
                .checked_mul(10i128.checked_pow(scale - number.scale)?)
        };
        let digits = raise(self)?.checked_add(raise(other)?)?;
        Some(Decimal { digits, scale })
    }

    /// Rounded half away from zero.
    fn div(self, other: Decimal) -> Option<Decimal> {
        let raise = 10i128.checked_pow(QUOTIENT_DIGITS + other.scale)?;
        let lower = 10i128.checked_pow(self.scale)?;
        let above = self.digits.checked_mul(raise)?;
        let below = other.digits.checked_mul(lower)?;
        let (quotient, rest) = (above / below, above % below);
        let is_up = rest.checked_abs()?.checked_mul(2)? >= below.checked_abs()?;
        let sign = if (above < 0) == (below < 0) { 1 } else { -1 };
        Some(Decimal {
            digits: quotient + i128::from(is_up) * sign,
            scale: QUOTIENT_DIGITS,
        })
    }

    fn to_float(self) -> f64 {
        let text = format!("{}e-{}", self.digits, self.scale);
        text.parse().unwrap_or(f64::NAN)
    }
}
