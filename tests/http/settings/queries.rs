//! What queries of metrics may use.

use super::super::bed::request;
use super::*;

/// A query that goes on for long: its windows do not slide.
const ENDLESS: &str = "/api/v1/query?query=stddev_over_time(stddev_over_time(vector(1)\
                       %5B10000s%3A100ms%5D)%5B10000s%3A100ms%5D)";

#[test]
fn a_query_ends_when_it_has_taken_as_long_as_it_may() {
    let bed = bed(&[("query.timeout", "20ms")]);
    let reply = bed.get(ENDLESS);
    assert_eq!((reply.code, reply.error().0.as_str()), (503, "timeout"));
}

#[test]
fn a_sample_is_the_value_of_its_series_as_long_as_is_looked_back() {
    let found = |bed: &Bed| {
        bed.fill(&[&[("__name__", "up")]]);
        let later = NOON / 1000 + 60;
        let data = bed
            .get(&format!("/api/v1/query?query=up&time={later}"))
            .data();
        data["result"].as_array().unwrap().len()
    };
    assert_eq!(found(&bed(&[])), 1);
    assert_eq!(found(&bed(&[("query.lookback", "30s")])), 0);
}

#[test]
fn no_more_queries_run_at_once_than_may() {
    let bed = bed(&[("query.concurrent_max", "1")]);
    let address = bed.address();
    let asked: Vec<_> = (0..2)
        .map(|_| std::thread::spawn(move || request(address, "GET", ENDLESS, &[], b"").code))
        .collect();
    let lane = || {
        let lanes = bed.get("/debug/queries").data()["lanes"].clone();
        let lane = lanes.as_array().unwrap().iter();
        let lane = lane.clone().find(|lane| lane["name"] == "queries").unwrap();
        [&lane["running"], &lane["waiting"]].map(|count| count.as_u64().unwrap())
    };
    until("one runs and one waits", || lane() == [1, 1]);
    // Who waits goes on to wait.
    assert!((0..100).all(|_| lane() == [1, 1]));
    let queries = bed.get("/debug/queries").data()["queries"].clone();
    for query in queries.as_array().unwrap() {
        let cancel = format!("/debug/queries/{}/cancel", query["id"]);
        assert_eq!(bed.post(&cancel, "").code, 204);
    }
    asked
        .into_iter()
        .for_each(|asked| assert_ne!(asked.join().unwrap(), 200));
}
