//! Log lines as services write them and a shipper sends them: about 300 bytes, many alike, none
//! the same.

use chronolith_engine::labels::put_label;

use crate::fleet::mix;

/// The time of the first line.
pub const START_NS: i64 = 1_750_000_000_000_000_000;

const PATHS: [&str; 8] = [
    "/api/v1/cart/items",
    "/api/v1/checkout/confirm",
    "/api/v2/search",
    "/healthz",
    "/api/v1/accounts/profile",
    "/api/v1/orders/history",
    "/static/app.js",
    "/api/v1/payments",
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "okhttp/4.12.0 (Android 14; build 8812)",
    "kube-probe/1.31",
    "Go-http-client/2.0 (internal; checkout-worker; retry=1)",
];

/// Line `number`, in logfmt.
pub fn line(number: u64) -> String {
    let (one, two, three) = (mix(number, 11), mix(number, 12), mix(number, 13));
    let status = [200, 200, 200, 200, 200, 201, 204, 404, 500, 503][(one % 10) as usize];
    let level = if status >= 500 { "error" } else { "info" };
    let mut text = format!(
        "level={level} caller=server/http.go:{} msg=\"request completed\" method={} path={} \
         status={status} duration_ms={}.{:03} bytes={} user_id={} trace_id={two:016x}{three:016x} \
         client=10.{}.{}.{}:{} agent=\"{}\"",
        100 + one % 40,
        ["GET", "POST", "PUT"][(two % 3) as usize],
        PATHS[(three % 8) as usize],
        one >> 32 & 0xff,
        two % 1_000,
        two >> 40 & 0xffff,
        three >> 30 & 0xf_ffff,
        one >> 8 & 0xff,
        two >> 8 & 0xff,
        three >> 8 & 0xff,
        1024 + (one >> 16 & 0x7fff),
        AGENTS[(one >> 48) as usize % 4],
    );
    if text.len() < 300 {
        let rest = 300 - text.len();
        let tail = format!(
            " upstream=checkout-api-{:08x}-{:05x} span_id={:016x} attempt={} cache=miss \
             pool=default",
            mix(number % 40, 14) as u32,
            three & 0xf_ffff,
            mix(number, 15),
            one % 3
        );
        text.extend(tail.chars().take(rest));
    }
    text
}

/// The canonical label bytes of log stream `number`.
pub fn stream_labels(number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_label(
        &mut out,
        "app",
        ["checkout", "search", "accounts", "payments"][number % 4],
    );
    put_label(&mut out, "cluster", "prod-eu-west-1-1");
    put_label(&mut out, "container", "api");
    put_label(
        &mut out,
        "namespace",
        ["shop", "shop", "core", "core"][number % 4],
    );
    put_label(
        &mut out,
        "pod",
        &format!("api-{:08x}-{number:05x}", mix(number as u64, 16) as u32),
    );
    put_label(&mut out, "stream", ["stdout", "stderr"][number % 2]);
    out
}
