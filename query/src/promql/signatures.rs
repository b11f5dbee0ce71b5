//! What functions take and give. Knows nothing of how they work.

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A number at each step.
    Scalar,
    /// Series with at most one sample at each step.
    Vector,
    /// Series with the samples of a range.
    Matrix,
    /// A text.
    String,
}

impl ValueType {
    /// As errors name it.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::Vector => "instant vector",
            ValueType::Matrix => "range vector",
            ValueType::String => "string",
        }
    }

    /// As results name it.
    pub fn short_name(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::Vector => "vector",
            ValueType::Matrix => "matrix",
            ValueType::String => "string",
        }
    }
}

/// How many arguments beyond the declared ones may be given or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// All declared ones.
    Fixed,
    /// All but the last; it may be there, and up to this many of it.
    UpTo(usize),
    /// All but the last; it may be there any number of times.
    Any,
}

/// What a function takes and gives.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments.
    pub args: &'static [ValueType],
    /// How many of them.
    pub arity: Arity,
    /// What it gives.
    pub returns: ValueType,
    /// Whether Prometheus has it behind a switch.
    pub is_experimental: bool,
}

/// The function of this name.
pub fn signature(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.iter().find(|signature| signature.name == name)
}

use ValueType::{Matrix, Scalar, String as Text, Vector};

const fn stable(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Signature {
    Signature {
        name,
        args,
        arity: Arity::Fixed,
        returns,
        is_experimental: false,
    }
}

const fn optional(name: &'static str, args: &'static [ValueType]) -> Signature {
    Signature {
        arity: Arity::UpTo(1),
        ..stable(name, args, Vector)
    }
}

const fn experimental(
    name: &'static str,
    args: &'static [ValueType],
    returns: ValueType,
    arity: Arity,
) -> Signature {
    Signature {
        arity,
        is_experimental: true,
        ..stable(name, args, returns)
    }
}

const fn maths(name: &'static str) -> Signature {
    stable(name, &[Vector], Vector)
}

const fn over_time(name: &'static str) -> Signature {
    stable(name, &[Matrix], Vector)
}

/// Every function.
pub static FUNCTIONS: &[Signature] = &[
    maths("abs"),
    maths("absent"),
    over_time("absent_over_time"),
    maths("acos"),
    maths("acosh"),
    maths("asin"),
    maths("asinh"),
    maths("atan"),
    maths("atanh"),
    over_time("avg_over_time"),
    maths("ceil"),
    over_time("changes"),
    stable("clamp", &[Vector, Scalar, Scalar], Vector),
    stable("clamp_max", &[Vector, Scalar], Vector),
    stable("clamp_min", &[Vector, Scalar], Vector),
    maths("cos"),
    maths("cosh"),
    over_time("count_over_time"),
    optional("day_of_month", &[Vector]),
    optional("day_of_week", &[Vector]),
    optional("day_of_year", &[Vector]),
    optional("days_in_month", &[Vector]),
    maths("deg"),
    over_time("delta"),
    over_time("deriv"),
    experimental(
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        Vector,
        Arity::Fixed,
    ),
    experimental("end", &[], Scalar, Arity::Fixed),
    maths("exp"),
    over_time("first_over_time"),
    maths("floor"),
    maths("histogram_avg"),
    maths("histogram_count"),
    stable("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    stable("histogram_quantile", &[Scalar, Vector], Vector),
    experimental(
        "histogram_quantiles",
        &[Vector, Text, Scalar, Scalar],
        Vector,
        Arity::UpTo(9),
    ),
    maths("histogram_stddev"),
    maths("histogram_stdvar"),
    maths("histogram_sum"),
    optional("hour", &[Vector]),
    over_time("idelta"),
    over_time("increase"),
    experimental("info", &[Vector, Vector], Vector, Arity::UpTo(1)),
    over_time("irate"),
    Signature {
        arity: Arity::Any,
        ..stable("label_join", &[Vector, Text, Text, Text], Vector)
    },
    stable("label_replace", &[Vector, Text, Text, Text, Text], Vector),
    over_time("last_over_time"),
    maths("ln"),
    maths("log10"),
    maths("log2"),
    experimental("mad_over_time", &[Matrix], Vector, Arity::Fixed),
    experimental("max_of", &[Scalar, Scalar], Scalar, Arity::Fixed),
    over_time("max_over_time"),
    experimental("min_of", &[Scalar, Scalar], Scalar, Arity::Fixed),
    over_time("min_over_time"),
    optional("minute", &[Vector]),
    optional("month", &[Vector]),
    stable("pi", &[], Scalar),
    stable("predict_linear", &[Matrix, Scalar], Vector),
    over_time("present_over_time"),
    stable("quantile_over_time", &[Scalar, Matrix], Vector),
    maths("rad"),
    experimental("range", &[], Scalar, Arity::Fixed),
    over_time("rate"),
    over_time("resets"),
    optional("round", &[Vector, Scalar]),
    stable("scalar", &[Vector], Scalar),
    maths("sgn"),
    maths("sin"),
    maths("sinh"),
    maths("sort"),
    experimental("sort_by_label", &[Vector, Text], Vector, Arity::Any),
    experimental("sort_by_label_desc", &[Vector, Text], Vector, Arity::Any),
    maths("sort_desc"),
    maths("sqrt"),
    experimental("start", &[], Scalar, Arity::Fixed),
    experimental("start_timestamp", &[Vector], Vector, Arity::Fixed),
    over_time("stddev_over_time"),
    over_time("stdvar_over_time"),
    experimental("step", &[], Scalar, Arity::Fixed),
    over_time("sum_over_time"),
    maths("tan"),
    maths("tanh"),
    stable("time", &[], Scalar),
    maths("timestamp"),
    experimental("ts_of_first_over_time", &[Matrix], Vector, Arity::Fixed),
    experimental("ts_of_last_over_time", &[Matrix], Vector, Arity::Fixed),
    experimental("ts_of_max_over_time", &[Matrix], Vector, Arity::Fixed),
    experimental("ts_of_min_over_time", &[Matrix], Vector, Arity::Fixed),
    stable("vector", &[Scalar], Vector),
    optional("year", &[Vector]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_prometheus_is_there_once() {
        let experimental = FUNCTIONS.iter().filter(|f| f.is_experimental).count();
        assert_eq!((FUNCTIONS.len() - experimental, experimental), (73, 17));
        let sorted = FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name);
        assert!(sorted, "the table is in order of names, each once");
    }
}
