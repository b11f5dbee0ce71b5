//! Lines of a service that logs JSON objects; keys come in the order of each template.

use crate::logmix::logfmt::put_failure;
use crate::logmix::random::Random;
use crate::logmix::scene::{Request, Scene, put_agent, put_path, status};
use crate::logmix::text::{Civil, put_address, put_hex, put_number, put_padded, put_uuid};
use crate::logmix::words::{METHODS, PEOPLE, TABLES, TOPICS};

/// The next line.
pub fn put_line(out: &mut String, scene: &mut Scene) {
    let request = scene.request();
    out.push_str("{\"timestamp\":\"");
    scene.civil().put_iso(out, 3);
    out.push_str("\",\"service\":\"");
    out.push_str(scene.service);
    out.push_str("\",\"host\":\"");
    out.push_str(&scene.host);
    out.push_str("\",\"level\":\"");
    let random = &mut scene.random;
    match random.rank(7) {
        0 => handled(out, &request, random),
        1 => published(out, &request, random),
        2 => {
            out.push_str("debug\",\"message\":\"SELECT finished\",\"db\":{\"table\":\"");
            out.push_str(random.ranked(&TABLES));
            out.push_str("\",\"rows\":");
            put_number(out, random.rank(1_000));
            out.push_str(",\"ms\":");
            put_decimal(out, random.tailed(900), 2);
            out.push('}');
        }
        3 => searched(out, random),
        4 => {
            out.push_str("info\",\"message\":\"user authenticated\",\"user\":{\"id\":");
            put_number(out, request.client);
            out.push_str(",\"name\":\"");
            out.push_str(random.ranked(&PEOPLE));
            out.push_str("\",\"mfa\":");
            out.push_str(random.ranked(&["false", "true"]));
            out.push_str("},\"ip\":\"");
            put_address(out, request.client);
            out.push_str("\",\"session\":\"");
            put_uuid(out, random);
            out.push('"');
        }
        5 => {
            out.push_str("error\",\"message\":\"");
            put_failure(out, random);
            out.push_str("\",\"stack\":\"Error: upstream\\n    at Client.request (/app/dist/");
            out.push_str(random.ranked(&["client", "retry", "pool"]));
            out.push_str(".js:");
            put_number(out, random.any(&[41, 187, 203, 388]));
            out.push_str(":17)\\n    at async handle (/app/dist/server.js:96:5)\",\"retries\":");
            put_number(out, random.rank(4));
        }
        _ => {
            out.push_str("info\",\"message\":\"payment captured\",\"payment\":{\"id\":\"");
            put_uuid(out, random);
            out.push_str("\",\"amount\":");
            put_decimal(out, random.tailed(6_000), 2);
            out.push_str(",\"card\":\"**** **** **** ");
            put_padded(out, random.below(10_000), 4);
            out.push_str("\",\"order\":");
            put_number(out, request.subject);
            out.push('}');
        }
    }
    out.push_str(",\"trace_id\":\"");
    request.put_trace(out);
    out.push_str("\",\"span_id\":\"");
    put_hex(out, random.bits(), 16);
    out.push_str("\"}");
}

/// A line that tells of one request, all on the first level.
pub fn put_request(out: &mut String, random: &mut Random, time_ns: i64) {
    out.push_str("{\"time\":\"");
    Civil::of(time_ns).put_iso(out, 3);
    out.push_str("\",\"level\":\"info\",\"msg\":\"request handled\",\"method\":\"");
    out.push_str(random.ranked(&METHODS));
    out.push_str("\",\"path\":\"");
    out.push_str(random.ranked(&[
        "/api/cart",
        "/api/search",
        "/healthz",
        "/login",
        "/",
        "/api/o",
    ]));
    out.push_str("\",\"status\":");
    put_number(out, status(random));
    out.push_str(",\"duration_ms\":");
    put_decimal(out, random.tailed(4_000), 3);
    out.push_str(",\"bytes\":");
    put_number(out, random.tailed(2_000));
    out.push_str(",\"ip\":\"");
    put_address(out, random.rank(40_000));
    out.push_str("\",\"trace_id\":\"");
    put_hex(out, random.bits(), 16);
    put_hex(out, random.bits(), 16);
    out.push_str("\"}");
}

fn handled(out: &mut String, request: &Request, random: &mut Random) {
    out.push_str("info\",\"message\":\"request handled\",\"http\":{\"method\":\"");
    out.push_str(random.ranked(&METHODS));
    out.push_str("\",\"path\":\"");
    put_path(out, request.path, random);
    out.push_str("\",\"status\":");
    put_number(out, status(random));
    out.push_str(",\"duration_ms\":");
    put_decimal(out, random.tailed(4_000), 3);
    out.push_str(",\"bytes\":");
    put_number(out, random.tailed(2_000));
    out.push_str(",\"ip\":\"");
    put_address(out, request.client);
    out.push_str("\",\"user_agent\":\"");
    put_agent(out, request.client);
    out.push_str("\"}");
}

fn published(out: &mut String, request: &Request, random: &mut Random) {
    out.push_str("info\",\"message\":\"event published\",\"topic\":\"shop.");
    out.push_str(random.ranked(&["orders", "stock", "prices", "carts"]));
    out.push_str(".v1\",\"partition\":");
    put_number(out, random.below(24));
    out.push_str(",\"offset\":");
    put_number(out, 880_000_000 + request.subject + random.below(64));
    out.push_str(",\"key\":\"");
    put_uuid(out, random);
    out.push('"');
}

fn searched(out: &mut String, random: &mut Random) {
    out.push_str("info\",\"message\":\"search\",\"query\":\"");
    for place in 0..=random.rank(4) {
        if place > 0 {
            out.push(' ');
        }
        out.push_str(random.ranked(&TOPICS));
    }
    out.push_str("\",\"hits\":");
    put_number(out, random.rank(5_000));
    out.push_str(",\"facets\":[");
    for place in 0..random.rank(5) {
        if place > 0 {
            out.push(',');
        }
        put_number(out, random.rank(300));
    }
    out.push_str("],\"score\":0.");
    put_padded(out, random.below(10_000_000), 7);
}

fn put_decimal(out: &mut String, number: u64, digits: u32) {
    let scale = 10u64.pow(digits);
    put_number(out, number / scale);
    out.push('.');
    put_padded(out, number % scale, digits as usize);
}
