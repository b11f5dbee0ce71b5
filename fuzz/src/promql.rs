//! Queries: what parses is printed as a query that is printed in the same way.

use chronolith_query::promql::Query;
use chronolith_query::promql::syntax::{parse, parse_selector, pretty, print};

/// Takes bytes as a query and as a selector.
pub(crate) fn fuzz_promql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    // Types are looked at behind the syntax; an error of either tells its place.
    if let Err(error) = Query::parse(text) {
        assert!(!error.to_string().is_empty(), "an error says nothing");
    }
    if let Err(error) = parse_selector(text) {
        assert!(!error.describe(text).is_empty(), "an error says nothing");
    }
    let Ok(expr) = parse(text) else {
        return;
    };
    let printed = print(&expr);
    for again in [&printed, &pretty(&expr)] {
        let again = parse(again).map_err(|error| error.describe(again));
        let again = again.map(|expr| print(&expr));
        assert_eq!(again.as_ref(), Ok(&printed), "printed from {text:?}");
    }
}

/// Queries with every sort of syntax.
pub(crate) fn seeds_promql() -> Vec<Vec<u8>> {
    let queries = [
        "sum by (job, \"a.b\") (rate(http_requests_total{code=~\"5..\", job!~'x|y'}[5m] \
         offset -1m)) > bool 0.5",
        "topk without () (3, a) / ignoring(x) group_left(y, z) fill_left(0) \
         fill_right(-1) b or c unless on() d",
        "{\"utf.8\", __name__!=\"\", l=`raw\\d`} @ start() offset 1h2m3s4ms",
        "max_over_time((a - b)[1h:5m] @ 1.5e3 offset 2m)[2h:] # said in passing\n + 1",
        "-2 ^ -3 ^ +4 % 0x1F * 1_000.5e-3 atan2 .5 - Inf + NaN - 1h30m",
        "a[5m + step() * 2] offset -(range() / 2)",
        "a </ 5 >/ 1 and rate(b[min_of(1m, 5m)] anchored) == c smoothed",
        "label_replace(info(up, {version=~\".+\"}), \"a\", \"$1\", \"b\", \
         \"\\u00e9\\x41\\101\\n(.*)\")",
        "limit_ratio(-0.5, a) + limitk by (x) (2, quantile(0.9, b)) * \
         histogram_quantiles(c, \"q\", 0.5, 0.9)",
        "((((((((a))))))))",
    ];
    queries.map(|query| query.as_bytes().to_vec()).to_vec()
}
