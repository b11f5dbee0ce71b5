//! Lines of a Go service in logfmt.

use crate::logmix::random::Random;
use crate::logmix::scene::{Request, Scene, put_path, status};
use crate::logmix::text::{put_address, put_hex, put_number, put_padded, put_uuid};
use crate::logmix::words::{METHODS, PEOPLE, SERVICES, TABLES, TOPICS};

/// The next line.
pub fn put_line(out: &mut String, scene: &mut Scene) {
    let request = scene.request();
    out.push_str("ts=");
    scene.civil().put_iso(out, 9);
    let random = &mut scene.random;
    match random.rank(9) {
        0 => completed(out, &request, random),
        1 => queried(out, &request, random),
        2 => cached(out, &request, random),
        3 => {
            out.push_str(" level=debug caller=client.go:88 msg=\"calling service\" peer=");
            out.push_str(random.ranked(&SERVICES));
            out.push_str(" attempt=");
            put_number(out, 1 + random.rank(4));
            out.push_str(" span_id=");
            put_hex(out, random.bits(), 16);
        }
        4 => {
            out.push_str(" level=info caller=orders.go:301 msg=\"order placed\" order_id=");
            put_number(out, request.subject);
            out.push_str(" items=");
            put_number(out, 1 + random.rank(12));
            out.push_str(" total=");
            put_number(out, random.tailed(80));
            out.push('.');
            put_padded(out, random.any(&[0, 49, 90, 95, 99]), 2);
            out.push_str(" currency=EUR idempotency_key=");
            put_uuid(out, random);
        }
        5 => {
            out.push_str(
                " level=warn caller=retry.go:57 msg=\"request failed, will retry\" err=\"",
            );
            put_failure(out, random);
            out.push_str("\" backoff=");
            put_number(out, 100 << random.rank(6));
            out.push_str("ms");
        }
        6 => {
            out.push_str(" level=info caller=session.go:140 msg=\"session started\" user=");
            out.push_str(random.ranked(&PEOPLE));
            put_number(out, request.client);
            out.push_str(" client=");
            put_address(out, request.client);
        }
        7 => {
            out.push_str(" level=error caller=server.go:499 msg=\"handler failed\" path=");
            put_path(out, request.path, random);
            out.push_str(" err=\"");
            put_failure(out, random);
            out.push('"');
        }
        _ => {
            out.push_str(" level=info caller=runtime.go:31 msg=\"memory\" heap_bytes=");
            put_number(out, 200_000_000 + random.below(90_000_000));
            out.push_str(" goroutines=");
            put_number(out, random.between(180, 420));
            out.push_str(" gc_pause=");
            put_number(out, random.tailed(300));
            out.push_str("µs");
            return;
        }
    }
    out.push_str(" trace_id=");
    request.put_trace(out);
}

fn completed(out: &mut String, request: &Request, random: &mut Random) {
    out.push_str(" level=info caller=http.go:212 msg=\"request completed\" method=");
    out.push_str(random.ranked(&METHODS));
    out.push_str(" path=");
    put_path(out, request.path, random);
    out.push_str(" status=");
    put_number(out, status(random));
    out.push_str(" duration=");
    put_duration(out, random);
    out.push_str(" bytes=");
    put_number(out, random.tailed(2_500));
    out.push_str(" user_id=");
    put_number(out, request.client);
}

fn queried(out: &mut String, request: &Request, random: &mut Random) {
    out.push_str(" level=debug caller=store.go:77 msg=query table=");
    out.push_str(random.ranked(&TABLES));
    out.push_str(" rows=");
    put_number(out, random.rank(500));
    out.push_str(" duration=");
    put_duration(out, random);
    out.push_str(" key=");
    put_number(out, request.subject);
}

fn cached(out: &mut String, request: &Request, random: &mut Random) {
    out.push_str(" level=debug caller=cache.go:45 msg=");
    out.push_str(random.ranked(&["hit", "miss", "expired"]));
    out.push_str(" key=product:");
    put_number(out, request.subject);
    out.push_str(":v");
    put_number(out, random.rank(7));
    out.push_str(" ttl=");
    put_number(out, random.below(300));
    out.push('s');
}

/// A duration as Go writes it: its unit follows from its size.
pub fn put_duration(out: &mut String, random: &mut Random) {
    let micros = random.tailed(1_200);
    if micros < 1_000 {
        put_number(out, micros);
        out.push('.');
        put_padded(out, random.below(1_000), 3);
        out.push_str("µs");
    } else {
        put_number(out, micros / 1_000);
        out.push('.');
        put_padded(out, micros % 1_000, 3);
        put_padded(out, random.below(1_000), 3);
        out.push_str("ms");
    }
}

/// What went wrong, in words.
pub fn put_failure(out: &mut String, random: &mut Random) {
    match random.rank(5) {
        0 => {
            out.push_str("dial tcp 10.42.");
            put_number(out, random.below(4));
            out.push('.');
            put_number(out, random.between(2, 250));
            out.push_str(":8080: connect: connection refused");
        }
        1 => out.push_str("context deadline exceeded"),
        2 => {
            out.push_str("rpc error: code = Unavailable desc = no healthy upstream for ");
            out.push_str(random.ranked(&SERVICES));
        }
        3 => {
            out.push_str("unexpected status 503 after ");
            put_duration(out, random);
        }
        _ => {
            out.push_str("no price for ");
            out.push_str(random.ranked(&TOPICS));
            out.push_str(" in region ");
            out.push_str(random.any(&["eu-west-1", "us-east-1", "ap-south-1"]));
        }
    }
}
