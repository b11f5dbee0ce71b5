//! The parser of PromQL against `promql-parser`: what that accepts we accept, and we read its
//! printing of a query as we read the query.

use chronolith_query::promql::Query;
use chronolith_query::promql::syntax::{parse, pretty, print};

/// Grows queries that fit the types of PromQL.
struct Grower(u64);

impl Grower {
    fn draw(&mut self, bound: usize) -> usize {
        // splitmix64, as in the tests of the engine.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn pick(&mut self, from: &[&str]) -> String {
        from[self.draw(from.len())].to_owned()
    }

    fn number(&mut self) -> String {
        self.pick(&[
            "1", "0.5", "1e3", ".25", "NaN", "0x1F", "42", "-3", "1.5e-7",
        ])
    }

    fn duration(&mut self) -> String {
        self.pick(&["5m", "1h30m", "90s", "1d", "250ms", "2w"])
    }

    fn labels(&mut self) -> String {
        self.pick(&["", "a", "a, b", "job,instance"])
    }

    fn selector(&mut self) -> String {
        let name = self.pick(&["up", "http:requests_total", "sum", "a1", "by", "offset1"]);
        let matchers = self.pick(&[
            "",
            "{}",
            "{a=\"b\"}",
            "{a!='x\\'y', b=~\"c|d.*\"}",
            "{job!~\".+\",}",
            "{a=\"\u{e9}\\n\\\"\"}",
        ]);
        format!("{name}{matchers}")
    }

    fn moved(&mut self) -> String {
        self.pick(&[
            "",
            "",
            " offset 5m",
            " offset -1h",
            " @ 1609746000",
            " @ start() offset 1m",
            " offset 1m @ end()",
        ])
    }

    fn range(&mut self, depth: usize) -> String {
        let moved = self.moved();
        match self.draw(3) {
            0 if depth > 0 => {
                let (inner, wide) = (self.vector(depth - 1), self.duration());
                let step = self.pick(&["", "1m", "30s"]);
                format!("({inner})[{wide}:{step}]{moved}")
            }
            _ => format!("{}[{}]{moved}", self.selector(), self.duration()),
        }
    }

    fn scalar(&mut self, depth: usize) -> String {
        match self.draw(5) {
            0 if depth > 0 => format!("scalar({})", self.vector(depth - 1)),
            1 if depth > 0 => {
                let (left, right) = (self.scalar(depth - 1), self.scalar(depth - 1));
                let operator = self.pick(&["+", "-", "*", "/", "%", "^", "atan2", "< bool"]);
                format!("({left} {operator} {right})")
            }
            2 => "time()".to_owned(),
            _ => self.number(),
        }
    }

    fn aggregate(&mut self, depth: usize) -> String {
        let grouping = match self.draw(3) {
            0 => String::new(),
            1 => format!(" by ({})", self.labels()),
            _ => format!(" without ({})", self.labels()),
        };
        let inner = self.vector(depth);
        let (name, arguments) = match self.draw(3) {
            0 => (
                self.pick(&["topk", "bottomk", "quantile"]),
                format!("({}, {inner})", self.scalar(depth)),
            ),
            1 => ("count_values".to_owned(), format!("(\"n\", {inner})")),
            _ => (
                self.pick(&["sum", "AVG", "min", "max", "count", "stddev", "group"]),
                format!("({inner})"),
            ),
        };
        match self.draw(2) {
            0 => format!("{name}{grouping} {arguments}"),
            _ => format!("{name}{arguments}{grouping}"),
        }
    }

    fn call(&mut self, depth: usize) -> String {
        match self.draw(4) {
            0 => {
                let name = self.pick(&["rate", "increase", "max_over_time", "deriv", "changes"]);
                format!("{name}({})", self.range(depth))
            }
            1 => {
                let (inner, low) = (self.vector(depth), self.scalar(depth));
                format!("clamp({inner}, {low}, {})", self.scalar(depth))
            }
            2 => {
                let inner = self.vector(depth);
                format!("label_replace({inner}, \"a\", \"$1\", \"b\", \"(.*)\")")
            }
            _ => {
                let name = self.pick(&["abs", "timestamp", "sort_desc", "absent", "ln"]);
                format!("{name}({})", self.vector(depth))
            }
        }
    }

    fn binary(&mut self, depth: usize) -> String {
        let left = self.vector(depth);
        match self.draw(3) {
            0 => {
                let operator = self.pick(&["+", "-", "*", "/", "%", "^", "==", "> bool", "!="]);
                format!("{left} {operator} {}", self.scalar(depth))
            }
            1 => {
                let operator = self.pick(&["and", "or", "unless"]);
                let matching = self.pick(&["", " on(a)", " ignoring(a, b)"]);
                format!("{left} {operator}{matching} {}", self.vector(depth))
            }
            _ => {
                let operator = self.pick(&["+", "/", "<", "<= bool", "^", "atan2"]);
                let matching = self.pick(&[
                    "",
                    " on(a)",
                    " ignoring(a, b)",
                    " on(a) group_left(b, c)",
                    " ignoring(a) group_right",
                    " on() group_left()",
                ]);
                format!("{left} {operator}{matching} {}", self.vector(depth))
            }
        }
    }

    fn vector(&mut self, depth: usize) -> String {
        if depth == 0 {
            return format!("{}{}", self.selector(), self.moved());
        }
        match self.draw(7) {
            0 | 1 => self.aggregate(depth - 1),
            2 | 3 => self.call(depth - 1),
            4 => format!("({})", self.binary(depth - 1)),
            5 => format!("-{}", self.vector(depth - 1)),
            _ => self.binary(depth - 1),
        }
    }
}

#[test]
fn another_parser_reads_queries_as_we_do() {
    let (mut accepted, mut grown) = (0, 0);
    for seed in 0..3000 {
        let text = Grower(seed).vector(1 + seed as usize % 4);
        grown += 1;
        let Ok(theirs) = promql_parser::parser::parse(&text) else {
            continue;
        };
        accepted += 1;
        let query = Query::parse(&text);
        let query = query.unwrap_or_else(|error| panic!("seed {seed}: {text}: {error}"));
        let ours = print(query.expr());
        for printed in [theirs.to_string(), ours.clone(), pretty(query.expr())] {
            let again = parse(&printed).map(|expr| print(&expr));
            let again = again.map_err(|error| error.describe(&printed));
            assert_eq!(again.as_ref(), Ok(&ours), "seed {seed}: {text}: {printed}");
        }
    }
    assert!(
        accepted * 10 > grown * 9,
        "only {accepted} of {grown} queries are accepted by the other parser"
    );
}
