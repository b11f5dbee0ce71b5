//! What is taken from senders of metrics.

use chronolith_server::testing::{Message, otlp};

use super::*;

const PROTOBUF: [(&str, &str); 1] = [("Content-Type", "application/x-protobuf")];

#[test]
fn a_longer_burst_lets_a_sender_come_back_at_once() {
    let push = |bed: &Bed| {
        let samples: String = (0..50).map(|at| format!("x{at} 1 {NOON}\n")).collect();
        import(bed, &samples).code
    };
    let rate = ("ingest.samples_per_second", "1");
    let quick = bed(&[rate, ("ingest.burst", "1000s")]);
    assert_eq!((push(&quick), push(&quick)), (204, 204));
    let slow = bed(&[rate, ("ingest.burst", "1s")]);
    assert_eq!((push(&slow), push(&slow)), (204, 429));
}

#[test]
fn samples_may_be_as_far_ahead_of_the_clock_as_is_allowed() {
    let at = NOON + 50 * 365 * 86_400_000;
    let text = format!("up 1 {at}\n");
    assert_eq!(import(&bed(&[]), &text).code, 400);
    let bed = bed(&[("store.future_max", "36500d")]);
    assert_eq!(import(&bed, &text).code, 204);
}

#[test]
fn series_of_all_tenants_together_are_bounded() {
    let bed = bed(&[("store.series_max", "2"), ("multi_tenant", "true")]);
    let push = |tenant: &str, name: &str| {
        let text = format!("{name} 1 {NOON}\n");
        let header = [("X-Scope-OrgID", tenant)];
        let path = "/api/v1/import/prometheus";
        bed.ask("POST", path, &header, text.as_bytes()).code
    };
    assert_eq!([push("a", "x"), push("b", "x")], [204, 204]);
    assert_eq!([push("a", "y"), push("b", "y")], [429, 429]);
}

#[test]
fn what_a_rule_keeps_for_a_shorter_time_is_not_taken_any_more() {
    let bed = bed(&[("retention_rules", "{a=\"x\"} = 1d")]);
    assert_eq!(import(&bed, &format!("up{{a=\"x\"}} 1 {NOON}\n")).code, 400);
    assert_eq!(import(&bed, &format!("up{{a=\"y\"}} 1 {NOON}\n")).code, 204);
}

/// A sum of OpenTelemetry with one point, of delta temporality.
fn delta(name: &str) -> Vec<u8> {
    let noon = NOON as u64 * 1_000_000;
    let data = Message::new()
        .message(1, otlp::number(noon - otlp::SECOND, noon, 5.0))
        .integer(2, 1)
        .integer(3, 1);
    let metric = Message::new().bytes(1, name).message(7, data);
    otlp::request(&[("service.name", "shop")], [metric]).into_bytes()
}

#[test]
fn names_of_opentelemetry_stay_as_they_are_where_that_is_wanted() {
    let names = |bed: &Bed| {
        let pushed = bed.ask_otlp("/v1/metrics", &PROTOBUF, &delta("shop.orders"));
        assert_eq!(pushed.code, 200, "{}", pushed.text());
        bed.get("/api/v1/label/__name__/values").text()
    };
    let translated = names(&bed(&[]));
    assert!(translated.contains("\"shop_orders_total\""), "{translated}");
    let kept = names(&bed(&[("otlp.translation", "NoTranslation")]));
    assert!(kept.contains("\"shop.orders\""), "{kept}");
}

#[test]
fn no_more_series_of_deltas_are_added_up_than_may_be() {
    let bed = bed(&[("otlp.delta_series_max", "1")]);
    let push = |name: &str| {
        bed.ask_otlp("/v1/metrics", &PROTOBUF, &delta(name))
            .body
            .len()
    };
    // An empty answer says that everything was taken.
    assert_eq!(push("first"), 0);
    assert_ne!(push("second"), 0);
}

#[test]
fn no_more_writes_run_at_once_than_may() {
    let bed = bed(&[("writes_max", "1")]);
    let address = bed.address();
    let text = |push: usize| -> String {
        (0..20_000)
            .map(|at| format!("x{push}_{at} 1 {NOON}\n"))
            .collect()
    };
    let pushes: Vec<_> = (0..4)
        .map(|push| {
            let text = text(push);
            std::thread::spawn(move || {
                let path = "/api/v1/import/prometheus";
                let reply = super::super::bed::request(address, "POST", path, &[], text.as_bytes());
                assert_eq!(reply.code, 204);
            })
        })
        .collect();
    let mut has_waited = false;
    while !pushes.iter().all(|push| push.is_finished()) {
        let lanes = bed.get("/debug/queries").data()["lanes"].clone();
        let writes = lanes.as_array().unwrap().iter();
        let writes = writes
            .clone()
            .find(|lane| lane["name"] == "writes")
            .unwrap();
        assert!(writes["running"].as_u64().unwrap() <= 1, "{lanes}");
        has_waited |= writes["waiting"].as_u64().unwrap() > 0;
    }
    assert!(has_waited, "the pushes did not meet");
    pushes.into_iter().for_each(|push| push.join().unwrap());
}
