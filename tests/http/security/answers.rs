//! What answers say to browsers, and requests that are meant to confuse.

use super::super::bed::{Bed, raw};

const SCRIPT: &str = "%3Cscript%3Ealert(1)%3C/script%3E";

#[test]
fn no_answer_can_be_taken_for_a_page() {
    let bed = Bed::new();
    let paths = [
        format!("/api/v1/query?query={SCRIPT}"),
        format!("/api/v1/query_range?query={SCRIPT}&start={SCRIPT}"),
        format!("/api/v1/series?match[]={SCRIPT}"),
        format!("/api/v1/label/{SCRIPT}/values"),
        format!("/api/v1/format_query?query={SCRIPT}"),
        format!("/federate?match[]={SCRIPT}"),
        format!("/{SCRIPT}"),
        "/metrics".to_owned(),
        "/-/healthy".to_owned(),
        "/api/v1/status/config".to_owned(),
    ];
    let of_logs = [
        format!("/loki/api/v1/query?query={SCRIPT}"),
        format!("/loki/api/v1/query_range?query={SCRIPT}"),
        format!("/loki/api/v1/label/{SCRIPT}/values"),
        format!("/loki/api/v1/tail?query={SCRIPT}"),
        format!("/loki/api/v1/format_query?query={SCRIPT}"),
        format!("/{SCRIPT}"),
        "/config".to_owned(),
    ];
    let asked = paths.iter().map(|path| bed.get(path));
    let asked = asked.chain(
        of_logs
            .iter()
            .map(|path| bed.ask_loki("GET", path, &[], b"")),
    );
    let bad_push = bed.ask(
        "POST",
        "/api/v1/import/prometheus",
        &[],
        b"<script>alert(1)</script>",
    );
    for reply in asked.chain([bad_push]) {
        let kind = reply.header("content-type").unwrap_or("");
        assert!(!kind.contains("html") && !kind.contains("svg"), "{kind}");
        assert!(
            !kind.is_empty() || reply.body.is_empty(),
            "{}",
            reply.text()
        );
        assert_eq!(
            reply.header("x-content-type-options"),
            Some("nosniff"),
            "{}",
            reply.text()
        );
    }
}

#[test]
fn no_parameter_becomes_a_header() {
    let bed = Bed::new();
    for value in [
        "a%0d%0aX-Evil:%201",
        "a%0aX-Evil:%201",
        "a%e5%98%8a%e5%98%8dX-Evil:%201",
    ] {
        for path in [
            "/api/v1/query?query=",
            "/api/v1/label/",
            "/federate?match[]=",
            "/",
        ] {
            let reply = bed.get(&format!("{path}{value}"));
            assert_eq!(reply.header("x-evil"), None, "{path}{value}");
        }
        let path = format!("/loki/api/v1/delete?request_id={value}");
        assert_eq!(
            bed.ask_loki("DELETE", &path, &[], b"").header("x-evil"),
            None
        );
    }
}

#[test]
fn nothing_that_a_stranger_makes_up_becomes_a_label_of_our_own_metrics() {
    let bed = Bed::with(|settings| settings.multi_tenant = true);
    let one = |number: usize| {
        let name = format!("made-up-{number}");
        let headers = [
            ("X-Scope-OrgID", &*name),
            ("User-Agent", &*name),
            ("Host", &*name),
        ];
        bed.ask("GET", &format!("/{name}"), &headers, b"");
        bed.ask(
            "GET",
            &format!("/api/v1/label/{name}/values"),
            &headers,
            b"",
        );
        bed.ask(&format!("BREW{number}"), "/metrics", &headers, b"");
        bed.ask_loki(
            "GET",
            &format!("/loki/api/v1/label/{name}/values"),
            &headers,
            b"",
        );
        bed.ask_otlp(&format!("/{name}"), &headers, b"");
    };
    let lines = || bed.get("/metrics").text().lines().count();
    one(0);
    lines();
    let before = lines();
    (1..30).for_each(one);
    assert_eq!(lines(), before);
    assert!(!bed.get("/metrics").text().contains("made-up"));
}

#[test]
fn where_a_body_ends_cannot_be_told_in_two_ways() {
    let bed = Bed::new();
    let send = |headers: &str, body: &str| {
        let head = format!("POST /api/v1/query HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
        raw(bed.address(), head.as_bytes())
    };
    for headers in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length : 5\r\n",
        "A: b\r\n Content-Length: 5\r\n",
    ] {
        let answer = send(headers, "hello");
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers}: {answer}");
    }
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    let hidden = "0\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for headers in [both, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"] {
        let answer = send(headers, hidden);
        // The length is not looked at, and nothing behind the body is taken for a request.
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(!answer.contains("Healthy"), "{answer}");
    }
}

#[test]
fn heads_are_bounded_in_number_and_size() {
    let bed = Bed::new();
    let many: String = (0..101)
        .map(|number| format!("X-{number}: a\r\n"))
        .collect();
    let long = format!("X-Long: {}\r\n", "a".repeat(1 << 20));
    for headers in [many, long] {
        let request = format!("GET /-/healthy HTTP/1.1\r\n{headers}\r\n");
        let answer = raw(bed.address(), request.as_bytes());
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 431");
        assert!(is_refused, "{answer}");
    }
    let path = format!("/api/v1/query?query={}", "a".repeat(1 << 20));
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = raw(bed.address(), request.as_bytes());
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    let params = "match[]=up&".repeat(200_000);
    assert!(bed.post("/api/v1/series", &params).code < 500);
    let large = "a".repeat((10 << 20) + 1);
    assert_eq!(bed.post("/api/v1/query", &large).code, 413);
    assert_eq!(bed.get("/-/healthy").code, 200);
}

#[test]
fn what_is_nested_or_repeated_without_end_is_refused() {
    let bed = Bed::new();
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    for query in [
        deep("(", ")"),
        deep("-", ""),
        deep("abs(", ")"),
        "up{a=~\"(((((a{1,1000}){1,1000}){1,1000}){1,1000})\"}".to_owned(),
        format!("up{{a=~\"{}\"}}", "(a|b)*".repeat(100_000)),
    ] {
        let form: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let reply = bed.post("/api/v1/query", &format!("query={form}"));
        assert_eq!(reply.code, 400, "{}", &query[..20]);
    }
    let json = format!(
        "{{\"streams\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let headers = [("Content-Type", "application/json")];
    for path in ["/loki/api/v1/push", "/otlp/v1/logs"] {
        let reply = bed.ask_loki("POST", path, &headers, json.as_bytes());
        assert_eq!(reply.code, 400, "{path}");
    }
    assert_eq!(bed.get("/-/healthy").code, 200);
}

#[test]
fn strangers_cannot_make_own_metrics_grow() {
    let bed = Bed::with(|settings| {
        settings.multi_tenant = true;
        settings.tenants_max = 2;
    });
    // Whatever a client can choose: paths, methods, names of labels, of tenants and of itself.
    let bother = |turn: usize| {
        let tenant = format!("stranger-{turn}");
        let headers = [("X-Scope-OrgID", &*tenant), ("User-Agent", &*tenant)];
        for path in [
            format!("/{turn}"),
            format!("/api/v1/label/l{turn}/values"),
            format!("/api/v1/query?query=m{turn}"),
            format!("/debug/queries/{turn}"),
        ] {
            bed.ask("GET", &path, &headers, b"");
            bed.ask("GET", &path, &headers[1..], b"");
            bed.ask(&format!("M{turn}"), &path, &headers[1..], b"");
            bed.ask_loki("GET", &path, &headers, b"");
            bed.ask_otlp(&path, &headers, b"");
        }
        let text = format!("m{turn} 1\n");
        bed.ask(
            "POST",
            "/api/v1/import/prometheus",
            &headers,
            text.as_bytes(),
        );
        let call = format!("/a.B{turn}/C{turn}");
        super::super::grpc::call_with(&bed, headers[0], &call, b"");
    };
    // The same without the values: those may grow.
    let names = || {
        let text = bed.get("/metrics").text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
        names.collect::<Vec<_>>()
    };
    bed.get("/metrics");
    // The first makes a tenant; the second is refused one.
    (0..2).for_each(bother);
    let before = names();
    (2..20).for_each(bother);
    assert_eq!(names(), before);
    assert!(
        !before.iter().any(|name| name.contains("stranger-1")),
        "{before:?}"
    );
}
