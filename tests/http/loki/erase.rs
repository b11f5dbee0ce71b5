//! Deletions of lines, and how they are taken back.

use super::*;

fn erase(bed: &Bed, method: &str, params: &[(&str, &str)]) -> Reply {
    bed.ask_loki(method, &asking("delete", params), &[], b"")
}

fn count(bed: &Bed) -> usize {
    lines(&query_range(bed, "{app=\"shop\"}", &[])).len()
}

#[test]
fn lines_are_gone_once_it_is_answered_and_come_back_when_it_is_cancelled() {
    let bed = filled();
    let params = [
        ("query", "{app=\"shop\"} |= \"stock\""),
        ("start", "2026-01-15T11:00:00Z"),
        ("end", "1768478400"),
    ];
    assert_eq!(count(&bed), 3);
    let reply = erase(&bed, "POST", &params);
    assert_eq!((reply.code, reply.body.len()), (204, 0), "{}", reply.text());
    let id = reply.header("x-delete-request-id").unwrap().to_owned();
    assert_eq!(count(&bed), 2);
    let listed = erase(&bed, "GET", &[]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let one = &listed[0];
    assert_eq!(
        (&one["request_id"], &one["status"]),
        (&json!(id), &json!("received"))
    );
    assert_eq!(one["query"], "{app=\"shop\"} |= \"stock\"");
    assert_eq!(
        (&one["start_time"], &one["end_time"]),
        (&json!(1_768_474_800.0), &json!(1_768_478_400.0))
    );
    assert!(one["created_at"].is_number());
    assert_eq!(erase(&bed, "DELETE", &[("request_id", &id)]).code, 204);
    assert_eq!(count(&bed), 3);
    assert_eq!(erase(&bed, "DELETE", &[("request_id", &id)]).code, 404);
    assert_eq!(erase(&bed, "GET", &[]).json(), json!([]));
}

#[test]
fn a_deletion_that_was_carried_out_stays() {
    let bed = filled();
    let params = [
        ("query", "{env=\"prod\"}"),
        ("start", "1768470000"),
        ("end", "1768478400"),
    ];
    assert_eq!(erase(&bed, "PUT", &params).code, 204);
    for path in ["/flush", "/compact"] {
        assert_eq!(bed.ask_loki("POST", path, &[], b"").code, 204);
    }
    assert_eq!(count(&bed), 1);
}

#[test]
fn what_cannot_be_deleted_is_told() {
    let bed = filled();
    let query = ("query", "{app=\"shop\"}");
    let start = ("start", "1768470000");
    for (params, text) in [
        (vec![start], "query not set"),
        (vec![query], "start time not set"),
        (
            vec![query, ("start", "1768470000000000000")],
            "invalid start time: require unix seconds or RFC3339 format",
        ),
        (
            vec![query, start, ("end", "9999999999")],
            "deletes in the future are not allowed",
        ),
        (
            vec![query, start, ("end", "1768470000")],
            "start time can't be greater than or equal to end time",
        ),
        (
            vec![("query", "{app=\"shop\"} | json"), start],
            "only line filters with |=, !=, |~ and !~ can be deleted by: leave other stages out",
        ),
    ] {
        let reply = erase(&bed, "POST", &params);
        assert_eq!(
            (reply.code, reply.text()),
            (400, format!("{text}\n")),
            "{params:?}"
        );
    }
    let cross_site = [("Origin", "http://elsewhere")];
    let path = asking("delete", &[query, start]);
    assert_eq!(bed.ask_loki("POST", &path, &cross_site, b"").code, 403);
    assert_eq!(count(&bed), 3);
}

#[test]
fn one_of_several_texts_is_enough_to_be_deleted() {
    for (filter, left) in [
        // Only what stands there is meant, not what it would be as an expression.
        ("|= \"no <stock> & more\" or \"(order|.*)\"", 2),
        ("|= \"placed\" or \"code\"", 1),
        ("|~ \"plac.d\" or \"(?i)STOCK\"", 1),
        ("!= \"placed\" or \"stock\"", 2),
    ] {
        let bed = filled();
        let query = format!("{{app=\"shop\"}} {filter}");
        let params = [
            ("query", query.as_str()),
            ("start", "1768470000"),
            ("end", "1768478400"),
        ];
        assert_eq!(count(&bed), 3);
        let reply = erase(&bed, "POST", &params);
        assert_eq!(reply.code, 204, "{}", reply.text());
        assert_eq!(count(&bed), left, "{filter}");
    }
}
