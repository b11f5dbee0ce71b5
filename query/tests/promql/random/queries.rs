//! Random queries of the right types.

use super::series::Dice;

const NAMES: &[&str] = &["a_total", "b", "c", "h_bucket"];
const MATCHERS: &[&str] = &[
    "",
    "",
    "",
    r#"x="1""#,
    r#"x!="1""#,
    r#"y=~"p|q""#,
    r#"y="p""#,
    r#"x=~"1|2", y!="q""#,
    r#"z="""#,
    r#"x="9""#,
];
const SHIFTS: &[&str] = &["", "", "", "", " offset 30s", " offset -1m", " offset 7m"];
const LENGTHS: &[&str] = &["15s", "30s", "1m", "90s", "5m", "10m", "61s"];
const OVER: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "first_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "mad_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_min_over_time",
    "ts_of_max_over_time",
    "absent_over_time",
    "rate",
    "increase",
];
const MATHS: &[&str] = &[
    "abs",
    "ceil",
    "floor",
    "exp",
    "sqrt",
    "ln",
    "log2",
    "log10",
    "sgn",
    "deg",
    "rad",
    "sin",
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "month",
    "year",
    "timestamp",
    "sort",
    "sort_desc",
    "absent",
    "round",
    "-",
    "+",
];
const GROUPS: &[&str] = &[
    "",
    "",
    " by (x)",
    " by (x, y)",
    " by ()",
    " without (x)",
    " without (y, le)",
    " by (__name__)",
    " by (nosuch, y)",
];
const MATCHINGS: &[&str] = &[
    "",
    "",
    "",
    " on (x)",
    " on (x, y)",
    " ignoring (y)",
    " ignoring (z, le)",
    " on ()",
    " on (x) group_left ()",
    " on (x) group_left (z)",
    " on (x) group_right (y)",
    " ignoring (y, z) group_left ()",
    " on (y) group_right ()",
    " on (x) group_left (y)",
    " on (x, __name__)",
];
const FILLS: &[&str] = &[
    "",
    "",
    "",
    " fill (0)",
    " fill_left (1)",
    " fill_right (-2)",
];

/// Writes queries.
pub struct Writer<'d> {
    dice: &'d mut Dice,
    has_bars: bool,
}

impl<'d> Writer<'d> {
    pub fn new(dice: &'d mut Dice, has_bars: bool) -> Writer<'d> {
        Writer { dice, has_bars }
    }

    pub fn query(&mut self) -> String {
        let depth = 1 + self.dice.below(4);
        match self.dice.below(10) {
            0 => self.scalar(depth),
            _ => self.vector(depth),
        }
    }

    fn name(&mut self) -> &'static str {
        match self.has_bars && self.dice.below(3) == 0 {
            true => "n",
            false => self.dice.pick(NAMES),
        }
    }

    /// A selector without its modifiers.
    fn series(&mut self) -> String {
        let matchers = self.dice.pick(MATCHERS);
        if self.dice.below(10) == 0 {
            let all = self.dice.pick(&["a_total|b", "b|c", ".+", "h.*"]);
            let comma = if matchers.is_empty() { "" } else { ", " };
            return format!("{{__name__=~{all:?}{comma}{matchers}}}");
        }
        let name = self.name();
        match matchers {
            "" => name.to_owned(),
            _ => format!("{name}{{{matchers}}}"),
        }
    }

    fn modifiers(&mut self) -> String {
        let at = match self.dice.below(8) {
            0 => self
                .dice
                .pick(&[" @ start()", " @ end()", " @ 70320", " @ 70350.5"]),
            _ => "",
        };
        let shift = self.dice.pick(SHIFTS);
        format!("{at}{shift}")
    }

    fn range(&mut self, depth: u64) -> String {
        let length = self.dice.pick(LENGTHS);
        if depth > 1 && self.dice.below(4) == 0 {
            let inside = self.vector(depth - 1);
            let step = self.dice.pick(&["", "15s", "30s", "1m", "2m", "7s"]);
            let modifiers = self.modifiers();
            return format!("({inside})[{length}:{step}]{modifiers}");
        }
        let (series, modifiers) = (self.series(), self.modifiers());
        format!("{series}[{length}]{modifiers}")
    }

    fn scalar(&mut self, depth: u64) -> String {
        if depth == 0 {
            let numbers = [
                "0", "1", "2", "-1", "0.5", "NaN", "Inf", "-Inf", "100", "time()",
            ];
            return self.dice.pick(&numbers).to_owned();
        }
        match self.dice.below(6) {
            0 | 1 => self.scalar(0),
            2 => format!("scalar({})", self.vector(depth - 1)),
            3 => {
                let pick = self.dice.pick(&["min_of", "max_of"]);
                let (one, two) = (self.scalar(depth - 1), self.scalar(depth - 1));
                format!("{pick}({one}, {two})")
            }
            4 => format!("-({})", self.scalar(depth - 1)),
            _ => {
                let op = self
                    .dice
                    .pick(&["+", "-", "*", "/", "%", "^", "atan2", "< bool", "== bool"]);
                let (one, two) = (self.scalar(depth - 1), self.scalar(depth - 1));
                format!("({one}) {op} ({two})")
            }
        }
    }

    fn vector(&mut self, depth: u64) -> String {
        if depth == 0 {
            let (series, modifiers) = (self.series(), self.modifiers());
            return format!("{series}{modifiers}");
        }
        match self.dice.below(20) {
            0 | 1 => self.vector(0),
            2..=6 => self.over(depth),
            7..=10 => self.aggregate(depth),
            11..=14 => self.binary(depth),
            15 => self.with_scalar(depth),
            16 => self.of_labels(depth),
            17 => self.buckets(depth),
            18 => match self.dice.below(2) {
                0 => format!("vector({})", self.scalar(depth - 1)),
                _ => self.clamped(depth),
            },
            _ => {
                let function = self.dice.pick(MATHS);
                if ["month", "hour", "minute"].contains(&function) && self.dice.below(3) == 0 {
                    return format!("{function}()");
                }
                let inside = match function {
                    // The twin counts the days of a date one by one.
                    "minute" | "hour" | "day_of_week" | "day_of_month" | "month" | "year" => {
                        let inside = self.vector(depth - 1);
                        format!("clamp({inside}, -1e9, 3e9) > -1e10")
                    }
                    _ => self.vector(depth - 1),
                };
                format!("{function}({inside})")
            }
        }
    }

    fn over(&mut self, depth: u64) -> String {
        match self.dice.below(8) {
            0 => {
                let less = self.dice_depth(depth);
                let q = self.scalar(less);
                let range = self.range(depth);
                format!("quantile_over_time({q}, {range})")
            }
            1 => {
                let range = self.range(depth);
                let ahead = self.dice.pick(&["0", "60", "-30", "time() / 1000"]);
                format!("predict_linear({range}, {ahead})")
            }
            2 if self.dice.below(2) == 0 => {
                let range = self.range(depth);
                let factors = self.dice.pick(&["0.5, 0.3", "0.9, 0.1", "1, 0.5"]);
                format!("double_exponential_smoothing({range}, {factors})")
            }
            _ => {
                let (function, range) = (self.dice.pick(OVER), self.range(depth));
                format!("{function}({range})")
            }
        }
    }

    fn dice_depth(&self, depth: u64) -> u64 {
        depth.saturating_sub(2)
    }

    fn aggregate(&mut self, depth: u64) -> String {
        let group = self.dice.pick(GROUPS);
        let ops = [
            "sum",
            "sum",
            "avg",
            "min",
            "max",
            "count",
            "group",
            "stddev",
            "stdvar",
            "topk",
            "bottomk",
            "limitk",
            "quantile",
            "count_values",
        ];
        let op = self.dice.pick(&ops);
        let inside = self.vector(depth - 1);
        let param = match op {
            "topk" | "bottomk" | "limitk" => match self.dice.below(5) {
                0 => self.scalar(1),
                _ => self.dice.pick(&["1", "2", "3", "0"]).to_owned(),
            },
            "quantile" => match self.dice.below(3) {
                0 => self.scalar(1),
                _ => self.dice.pick(&["0.5", "0.9", "0", "1", "2"]).to_owned(),
            },
            // A histogram as a text is the product's business.
            "count_values" => {
                let label = self.dice.pick(&["v", "x"]);
                return format!("count_values{group} ({label:?}, ({inside}) > -Inf)");
            }
            _ => return format!("{op}{group} ({inside})"),
        };
        // Which series come first is told of selectors alone.
        let inside = if op == "limitk" {
            self.vector(0)
        } else {
            inside
        };
        format!("{op}{group} ({param}, {inside})")
    }

    fn binary(&mut self, depth: u64) -> String {
        let less = self.less(depth);
        let (left, right) = (self.vector(depth - 1), self.vector(less));
        let ops = [
            "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "== bool",
            "> bool", "!= bool", "and", "or", "unless", "or", "and",
        ];
        let op = self.dice.pick(&ops);
        let matching = self.dice.pick(MATCHINGS);
        let is_set = ["and", "or", "unless"].contains(&op);
        let matching = match is_set {
            true => matching.split(" group").next().unwrap(),
            false => matching,
        };
        let fill = if is_set { "" } else { self.dice.pick(FILLS) };
        format!("({left}) {op}{matching}{fill} ({right})")
    }

    fn less(&mut self, depth: u64) -> u64 {
        depth.saturating_sub(1 + self.dice.below(2))
    }

    fn with_scalar(&mut self, depth: u64) -> String {
        let less = self.dice_depth(depth);
        let (vector, scalar) = (self.vector(depth - 1), self.scalar(less));
        let op = self
            .dice
            .pick(&["+", "*", "/", "%", "^", "==", ">", "< bool", ">=", "!="]);
        match self.dice.below(2) {
            0 => format!("({vector}) {op} ({scalar})"),
            _ => format!("({scalar}) {op} ({vector})"),
        }
    }

    fn of_labels(&mut self, depth: u64) -> String {
        let inside = self.vector(depth - 1);
        match self.dice.below(3) {
            0 => {
                let names = self
                    .dice
                    .pick(&[r#""x", "y""#, r#""y""#, r#""__name__", "x""#]);
                let to = self.dice.pick(&["x", "new", "__name__"]);
                format!("label_join({inside}, {to:?}, \"-\", {names})")
            }
            _ => {
                let to = self.dice.pick(&["x", "new", "y", "__name__"]);
                let from = self.dice.pick(&["x", "y", "__name__", "nosuch"]);
                let with = self.dice.pick(&["$1", "k$1", "", "same"]);
                let pattern = self.dice.pick(&["(.*)", "(.+)", "1", ""]);
                format!("label_replace({inside}, {to:?}, {with:?}, {from:?}, {pattern:?})")
            }
        }
    }

    fn buckets(&mut self, depth: u64) -> String {
        let inside = match self.dice.below(4) {
            0 => "h_bucket".to_owned(),
            1 => format!("rate(h_bucket[{}])", self.dice.pick(LENGTHS)),
            2 => format!("sum by (le) (rate(h_bucket[{}]))", self.dice.pick(LENGTHS)),
            _ if self.has_bars => "h_bucket{x=\"1\"}".to_owned(),
            _ => self.vector(depth - 1),
        };
        match self.dice.below(3) {
            0 => {
                let (low, high) = (self.scalar(0), self.scalar(0));
                format!("histogram_fraction({low}, {high}, {inside})")
            }
            _ => {
                let q = self
                    .dice
                    .pick(&["0.5", "0.9", "0", "1", "-1", "NaN", "time() / 1e5"]);
                format!("histogram_quantile({q}, {inside})")
            }
        }
    }

    fn clamped(&mut self, depth: u64) -> String {
        let inside = self.vector(depth - 1);
        let (one, two) = (self.scalar(0), self.scalar(0));
        match self.dice.below(5) {
            0 => format!("clamp({inside}, {one}, {two})"),
            1 => format!("clamp_min({inside}, {one})"),
            2 => format!("clamp_max({inside}, {one})"),
            3 if self.has_bars => {
                let function =
                    self.dice
                        .pick(&["histogram_count", "histogram_sum", "histogram_avg"]);
                format!("{function}({inside})")
            }
            _ => format!("round({inside}, {two})"),
        }
    }
}
