//! Who is let in, by which door, and to what.

use std::net::SocketAddr;

use serde_json::json;

use super::super::bed::{Bed, Folder, NOON, request};
use super::{hash, secured};

/// What `printf collector-token | sha256sum` says.
const TOKEN_SHA256: &str = "2a118f0dbc5effb7ddb08a713fb8410ae265d39a3c7b87319d59dab5b12ed011";

/// alice:a, bob:b and carol:c, in base 64.
const ALICE: (&str, &str) = ("Authorization", "Basic YWxpY2U6YQ==");
const BOB: (&str, &str) = ("Authorization", "Basic Ym9iOmI=");
const CAROL: (&str, &str) = ("Authorization", "Basic Y2Fyb2w6Yw==");
const COLLECTOR: (&str, &str) = ("Authorization", "Bearer collector-token");

fn config() -> String {
    format!(
        "basic_auth_users:\n  alice: {}\n  bob: {}\n  carol: {}\n\
         bearer_tokens:\n  collector: {{ sha256: {TOKEN_SHA256} }}\n\
         access:\n  bob: {{ rights: [read], tenants: [b] }}\n  \
         carol: {{ rights: [read, write], tenants: [b, c] }}\n  \
         collector: {{ rights: [write], tenants: [b] }}\n",
        hash("a"),
        hash("b"),
        hash("c")
    )
}

fn bed() -> (Folder, Bed) {
    secured(&config(), |settings| settings.multi_tenant = true)
}

type Header<'h> = (&'h str, &'h str);

fn code(address: SocketAddr, method: &str, path: &str, headers: &[Header<'_>]) -> u16 {
    request(address, method, path, headers, b"").code
}

/// Writes a sample of `metric` and says what the server answered.
fn write(bed: &Bed, metric: &str, headers: &[Header<'_>]) -> u16 {
    let text = format!("{metric} 1 {NOON}\n");
    bed.ask(
        "POST",
        "/api/v1/import/prometheus",
        headers,
        text.as_bytes(),
    )
    .code
}

#[test]
fn whoever_is_not_known_gets_nothing_however_the_path_is_written() {
    let (_folder, bed) = bed();
    let paths = [
        "/",
        "/-/healthy",
        "/-/ready",
        "/metrics",
        "/api/v1/labels",
        "//api/v1/labels",
        "/./api/v1/labels",
        "/api/v1/../v1/labels",
        "/api/v1/%6cabels",
        "/api%2fv1/labels",
        "/api/v1/labels/",
        "/API/V1/LABELS",
        "/api/v1/labels?x=1",
        "/api/v1/labels;x",
        "/api/v1/status/config",
        "/no/such/path",
        "*",
    ];
    let wrong = [
        ("Authorization", "Basic YWxpY2U6Yg=="),
        ("Authorization", "Basic"),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer collector-tokeN"),
        ("X-Forwarded-User", "alice"),
    ];
    for path in paths {
        for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"] {
            let reply = bed.ask(method, path, &[], b"");
            assert_eq!(reply.code, 401, "{method} {path}");
            assert_eq!(reply.header("www-authenticate"), Some("Basic"));
        }
        for header in wrong {
            assert_eq!(
                code(bed.address(), "GET", path, &[header]),
                401,
                "{path} {header:?}"
            );
        }
    }
    for path in [
        "/ready",
        "/loki/api/v1/push",
        "/loki/api/v1/delete",
        "/config",
    ] {
        assert_eq!(code(bed.loki_address(), "POST", path, &[]), 401, "{path}");
    }
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let tail = "/loki/api/v1/tail?query=%7Ba%3D%22b%22%7D";
    assert_eq!(code(bed.loki_address(), "GET", tail, &upgrade), 401);
    for path in ["/v1/metrics", "/v1/logs", "/"] {
        assert_eq!(code(bed.otlp_address(), "POST", path, &[]), 401, "{path}");
    }
    assert_eq!(code(bed.address(), "GET", "/-/healthy", &[ALICE]), 200);
    assert_eq!(code(bed.address(), "GET", "/no/such/path", &[ALICE]), 404);
    let metrics = bed.ask("GET", "/metrics", &[ALICE], b"").text();
    assert!(
        metrics.contains("chronolith_denied_requests_total"),
        "{metrics}"
    );
}

#[test]
fn rights_and_tenants_hold_on_every_door() {
    let (_folder, bed) = bed();
    let b = ("X-Scope-OrgID", "b");
    // Bound to one tenant, it need not be named; another one may not be.
    assert_eq!(write(&bed, "of_b", &[COLLECTOR]), 204);
    assert_eq!(write(&bed, "of_b", &[COLLECTOR, b]), 204);
    for other in ["a", "default", "B", "c"] {
        assert_eq!(
            write(&bed, "m", &[COLLECTOR, ("X-Scope-OrgID", other)]),
            403,
            "{other}"
        );
    }
    assert_eq!(write(&bed, "m", &[CAROL]), 403);
    assert_eq!(write(&bed, "of_c", &[CAROL, ("X-Scope-OrgID", "c")]), 204);
    assert_eq!(write(&bed, "m", &[BOB]), 403);
    let labels = |headers: &[Header<'_>]| code(bed.address(), "GET", "/api/v1/labels", headers);
    assert_eq!(labels(&[COLLECTOR]), 403);
    assert_eq!(
        (labels(&[BOB]), labels(&[ALICE]), labels(&[CAROL, b])),
        (200, 200, 200)
    );
    let values = "/api/v1/label/__name__/values";
    assert_eq!(bed.ask("GET", values, &[BOB], b"").data(), json!(["of_b"]));
    assert_eq!(
        bed.ask("GET", values, &[ALICE, b], b"").data(),
        json!(["of_b"])
    );
    for (method, path) in [
        ("POST", "/api/v1/admin/tsdb/flush"),
        ("POST", "/api/v1/admin/tsdb/snapshot"),
        ("POST", "/api/v1/admin/tsdb/delete_series?match[]=of_b"),
        ("GET", "/api/v1/status/config"),
        ("GET", "/api/v1/status/flags"),
    ] {
        for who in [BOB, CAROL, COLLECTOR] {
            assert_eq!(code(bed.address(), method, path, &[who, b]), 403, "{path}");
        }
        let allowed = code(bed.address(), method, path, &[ALICE, b]);
        assert!(matches!(allowed, 200 | 204), "{path}: {allowed}");
    }
    for (method, path) in [
        ("POST", "/flush"),
        ("GET", "/config"),
        ("GET", "/loki/api/v1/delete"),
    ] {
        assert_eq!(
            code(bed.loki_address(), method, path, &[BOB]),
            403,
            "{path}"
        );
    }
    assert_eq!(
        code(
            bed.loki_address(),
            "GET",
            "/loki/api/v1/labels",
            &[COLLECTOR]
        ),
        403
    );
    assert_eq!(
        code(bed.loki_address(), "POST", "/loki/api/v1/push", &[BOB]),
        403
    );
    assert_eq!(code(bed.otlp_address(), "POST", "/v1/logs", &[BOB]), 403);
}

#[test]
fn an_administrator_of_one_tenant_learns_and_does_nothing_about_the_others() {
    let config = format!(
        "basic_auth_users:\n  alice: {}\n  bob: {}\naccess:\n  bob: {{ tenants: [b] }}\n",
        hash("a"),
        hash("b"),
    );
    let (_folder, bed) = secured(&config, |settings| settings.multi_tenant = true);
    assert_eq!(write(&bed, "of_b", &[BOB]), 204);
    assert_eq!(
        code(bed.address(), "POST", "/api/v1/admin/tsdb/flush", &[BOB]),
        204
    );
    for (method, path) in [
        ("POST", "/api/v1/admin/tsdb/snapshot"),
        ("POST", "/api/v1/admin/tsdb/flush_all"),
        ("POST", "/api/v1/admin/tsdb/compact_all"),
        ("GET", "/debug"),
        ("GET", "/debug/queries"),
        ("GET", "/debug/stores"),
        ("POST", "/debug/queries/1/cancel"),
    ] {
        assert_eq!(code(bed.address(), method, path, &[BOB]), 403, "{path}");
        let allowed = code(bed.address(), method, path, &[ALICE]);
        assert!(matches!(allowed, 200 | 204 | 404), "{path}: {allowed}");
    }
}

#[test]
fn administrators_have_an_address_of_their_own_if_they_want_one() {
    let bed = Bed::with(|settings| {
        settings.listen_admin = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    });
    bed.fill(&[&[("__name__", "up")]]);
    let (public, admin) = (bed.address(), bed.admin_address());
    for (method, path) in [
        ("POST", "/api/v1/admin/tsdb/flush"),
        ("POST", "/api/v1/admin/tsdb/compact"),
        ("GET", "/api/v1/status/config"),
        ("GET", "/api/v1/status/flags"),
    ] {
        assert_eq!(code(public, method, path, &[]), 404, "{path}");
        let allowed = code(admin, method, path, &[]);
        assert!(matches!(allowed, 200 | 204), "{path}: {allowed}");
    }
    for (method, path) in [
        ("GET", "/config"),
        ("GET", "/loki/api/v1/delete"),
        ("POST", "/flush"),
    ] {
        assert_eq!(code(bed.loki_address(), method, path, &[]), 404, "{path}");
        assert!(code(admin, method, path, &[]) < 300, "{path}");
    }
    assert_eq!(code(admin, "GET", "/api/v1/query?query=up", &[]), 404);
    assert_eq!(
        (code(admin, "GET", "/-/healthy", &[]), bed.count("up")),
        (200, 1)
    );
}

#[test]
fn no_page_and_no_error_shows_a_secret() {
    let (folder, bed) = bed();
    let text = config();
    std::fs::write(folder.0.join("web.yml"), &text).unwrap();
    bed.reload().unwrap();
    let mut shown = String::new();
    for path in [
        "/metrics",
        "/api/v1/status/config",
        "/api/v1/status/flags",
        "/api/v1/status/runtimeinfo",
        "/api/v1/features",
        "/no/such/path",
    ] {
        shown += &bed.ask("GET", path, &[ALICE], b"").text();
    }
    for path in ["/config", "/metrics", "/loki/api/v1/drilldown-limits"] {
        shown += &bed.ask_loki("GET", path, &[ALICE], b"").text();
    }
    shown += &bed
        .ask(
            "GET",
            "/metrics",
            &[("Authorization", "Basic YWxpY2U6Yg==")],
            b"",
        )
        .text();
    // A file that is wrong is told of without what stands in it, and what was in force stays.
    for wrong in [
        text.replace("sha256: ", "sha256: ["),
        text.replace("rights", "right"),
        text.replace("bob: ", "bob "),
        format!("{text}\nx: &a [*a]"),
    ] {
        std::fs::write(folder.0.join("web.yml"), wrong).unwrap();
        shown += &bed.reload().unwrap_err();
        assert_eq!(code(bed.address(), "GET", "/-/ready", &[ALICE]), 200);
    }
    let secrets = [
        "$2b$",
        "collector-token",
        TOKEN_SHA256,
        "YWxpY2U6",
        "Y2Fyb2w6",
    ];
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let mut fewer = text.lines().filter(|line| !line.contains("carol"));
    let fewer: String = fewer.by_ref().map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.0.join("web.yml"), fewer).unwrap();
    bed.reload().unwrap();
    assert_eq!(code(bed.address(), "GET", "/-/ready", &[CAROL]), 401);
}
