//! What is answered before everything is recovered: how far it is, and never a part of an answer.

use axum::Router;
use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::*;

/// What is answered to a request: the code, when to ask again, and the text.
fn ask(router: &Router, path: &str) -> (u16, Option<String>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let request = Request::get(path).body(Full::new(Bytes::new())).unwrap();
        let service = TowerToHyperService::new(router.clone());
        let (head, body) = service.call(request).await.unwrap().into_parts();
        let again = head.headers.get(header::RETRY_AFTER);
        let again = again.map(|again| again.to_str().unwrap().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        (head.status.as_u16(), again, text)
    })
}

#[test]
fn until_everything_is_recovered_queries_are_told_how_far_it_is() {
    let settings = Settings::default();
    let security = Security::open(&settings).unwrap();
    let load: Load = Box::new(|| Ok(Settings::default()));
    let app = Arc::new(App::new(settings, load, security));
    let (prometheus, loki) = (prometheus::router(&app), loki::router(&app));
    let of_metrics = [
        "/-/ready",
        "/api/v1/query?query=1",
        "/api/v1/query_range?query=1&start=0&end=1&step=1",
        "/api/v1/series?match[]=up",
        "/api/v1/labels",
        "/api/v1/status/tsdb",
        "/federate?match[]=up",
        "/debug",
    ];
    let of_logs = [
        "/ready",
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D",
        "/loki/api/v1/labels",
        "/loki/api/v1/series",
        "/loki/api/v1/index/stats?query=%7Ba%3D%22b%22%7D",
    ];
    let asked = of_metrics.iter().map(|path| (&prometheus, path));
    for (router, path) in asked.chain(of_logs.iter().map(|path| (&loki, path))) {
        let (code, again, text) = ask(router, path);
        assert_eq!((code, again.as_deref()), (503, Some("1")), "{path}: {text}");
        let expected = "the server is starting: 0 of 0 bytes of the log are recovered";
        assert!(text.contains(expected), "{path}: {text}");
    }
    let (code, _, text) = ask(&prometheus, "/metrics");
    assert!(
        code == 200 && text.contains("\nchronolith_ready 0\n"),
        "{text}"
    );
    assert_eq!(ask(&prometheus, "/-/healthy").0, 200);
    let replay = ask(&prometheus, "/api/v1/status/walreplay").2;
    assert!(replay.contains("\"current\":0"), "{replay}");
}

#[test]
fn the_engine_is_opened_with_what_the_settings_say() {
    let mut settings = Settings::default();
    for (path, text) in [
        ("durability", "never"),
        ("store.compaction_percent", "0"),
        ("store.open_files_max", "7"),
        ("retention_bytes_max", "9"),
        ("retention_tenant_bytes_max", "8"),
    ] {
        crate::testing::set(&mut settings, path, text).unwrap();
    }
    let options = options(&settings);
    assert_eq!(options.durability, chronolith_engine::Durability::Never);
    assert_eq!((options.compaction_percent, options.open_files_max), (0, 7));
    assert_eq!(options.retention_bytes_max, Some(9));
    assert_eq!(options.limits.retention_bytes_max, Some(8));
}

#[cfg(target_os = "linux")]
#[test]
fn queries_stand_back_as_far_as_is_set() {
    // The nineteenth field of a thread's state; the second is a name in brackets.
    let place = || -> i32 {
        let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let behind_name = text.rsplit(") ").next().unwrap();
        behind_name.split(' ').nth(16).unwrap().parse().unwrap()
    };
    let mut settings = Settings::default();
    crate::testing::set(&mut settings, "query.nice", "3").unwrap();
    let threads = query_threads(&settings).unwrap();
    let there = threads.block_on(threads.spawn_blocking(place)).unwrap();
    assert_eq!(there, (place() + 3).min(19));
}
