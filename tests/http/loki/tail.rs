//! Live tail, read by a WebSocket client that is not ours.

use std::net::TcpStream;
use std::time::Duration;

use tungstenite::{Message as Frame, WebSocket};

use super::*;

/// How long a frame may take before a test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(bed: &Bed, params: &[(&str, &str)]) -> Result<WebSocket<TcpStream>, String> {
    let stream = TcpStream::connect(bed.loki_address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let url = format!("ws://{}{}", bed.loki_address(), asking("tail", params));
    let opened = tungstenite::client(url, stream);
    opened
        .map(|(socket, _)| socket)
        .map_err(|error| error.to_string())
}

/// The next frame of text, as JSON.
fn frame(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        let frame = socket.read().unwrap();
        if let Frame::Text(text) = &frame {
            return serde_json::from_str(text.as_str()).unwrap();
        }
        let is_heartbeat = matches!(frame, Frame::Ping(_) | Frame::Pong(_));
        assert!(is_heartbeat, "no frame of text: {frame:?}");
    }
}

/// Why the server closed.
fn closed(socket: &mut WebSocket<TcpStream>) -> (u16, String) {
    loop {
        if let Frame::Close(Some(close)) = socket.read().unwrap() {
            return (close.code.into(), close.reason.to_string());
        }
    }
}

#[test]
fn lines_come_as_they_are_stored_behind_those_that_were_there() {
    let bed = Bed::new();
    let before = now();
    push_line(&bed, "{a=\"b\"}", before, "level=info old");
    let mut socket = open(&bed, &[("query", "{a=\"b\"} |= `level` | logfmt")]).unwrap();
    let first = frame(&mut socket);
    assert_eq!(
        first,
        json!({ "streams": [{
            "stream": { "a": "b", "detected_level": "info", "level": "info",
                        "service_name": "unknown_service" },
            "values": [[before.to_string(), "level=info old"]],
        }] })
    );
    push_line(&bed, "{a=\"c\"}", now(), "level=info elsewhere");
    push_line(&bed, "{a=\"b\"}", now(), "not this one");
    push_line(&bed, "{a=\"b\"}", now(), "level=warn <new>");
    let next = frame(&mut socket);
    assert_eq!(next["streams"].as_array().unwrap().len(), 1, "{next}");
    let value = &next["streams"][0]["values"][0];
    assert_eq!(value[1], "level=warn <new>");
    assert_eq!(value[0].as_str().unwrap().len(), 19);
    socket.close(None).unwrap();
}

#[test]
fn what_cannot_be_tailed_is_told_before_the_upgrade() {
    let bed = Bed::new();
    let told = |params: &[(&str, &str)]| {
        let reply = get(&bed, "tail", params);
        assert_eq!(reply.code, 400);
        reply.text()
    };
    assert!(told(&[("query", "{a=")]).starts_with("parse error"));
    assert!(told(&[("query", "rate({a=\"b\"}[1m])")]).starts_with("only log queries"));
    let late = [("query", "{a=\"b\"}"), ("delay_for", "6")];
    assert_eq!(told(&late), "delay_for can't be greater than 5\n");
    assert!(open(&bed, &late).is_err());
}

#[test]
fn more_tails_than_are_allowed_are_closed_with_the_reason() {
    let bed = Bed::with(|settings| settings.logs.tails_max = 1);
    push_line(&bed, "{a=\"b\"}", now(), "x");
    let mut first = open(&bed, &[("query", "{a=\"b\"}")]).unwrap();
    frame(&mut first);
    let mut second = open(&bed, &[("query", "{a=\"b\"}")]).unwrap();
    let (code, reason) = closed(&mut second);
    assert_eq!(code, 1011);
    assert_eq!(
        reason,
        "max concurrent tail requests limit exceeded, count > limit (2 > 1)"
    );
}

#[test]
fn a_tail_ends_when_it_has_lasted_as_long_as_it_may() {
    let bed = Bed::with(|settings| settings.logs.tail_max = Duration::from_millis(1));
    push_line(&bed, "{a=\"b\"}", now(), "x");
    let mut socket = open(&bed, &[("query", "{a=\"b\"}")]).unwrap();
    let expected = (1000, "reached tail max duration limit".to_owned());
    assert_eq!(closed(&mut socket), expected);
}

#[test]
fn a_tail_is_listed_with_what_it_was_sent_and_can_be_ended() {
    let bed = Bed::new();
    push_line(&bed, "{a=\"b\"}", now(), "one");
    push_line(&bed, "{a=\"b\"}", now(), "two");
    let mut socket = open(&bed, &[("query", "{a=\"b\"}")]).unwrap();
    frame(&mut socket);
    let listed = loop {
        // What was sent is counted behind the sending.
        let queries = bed.get("/debug/queries").data()["queries"].clone();
        if queries[0]["read"] == 2 {
            break queries[0].clone();
        }
    };
    assert_eq!(listed["kind"], "tail");
    assert_eq!(listed["query"], "{a=\"b\"}");
    assert_eq!(listed["tenant"], "default");
    let left = listed["endsInSeconds"].as_f64().unwrap();
    assert!(
        left > 3000.0 && listed["seconds"].as_f64().unwrap() >= 0.0,
        "{listed}"
    );
    let cancel = format!("/debug/queries/{}/cancel", listed["id"]);
    assert_eq!(bed.post(&cancel, "").code, 204);
    let expected = (1001, "an administrator has ended it".to_owned());
    assert_eq!(closed(&mut socket), expected);
    while bed
        .get("/metrics")
        .text()
        .contains("\nchronolith_active_queries 1\n")
    {}
    assert_eq!(bed.post(&cancel, "").code, 404);
}

#[test]
fn a_server_that_stops_says_so() {
    let mut bed = Bed::new();
    push_line(&bed, "{a=\"b\"}", now(), "x");
    let mut socket = open(&bed, &[("query", "{a=\"b\"}")]).unwrap();
    frame(&mut socket);
    bed.stop();
    let (code, _) = closed(&mut socket);
    assert_eq!(code, 1001);
}

#[test]
fn a_slow_reader_loses_lines_and_is_told_and_no_writer_waits() {
    let bed = Bed::new();
    push_line(&bed, "{a=\"b\"}", now(), "first");
    let mut slow = open(&bed, &[("query", "{a=\"b\"}")]).unwrap();
    frame(&mut slow);
    // More than sockets, queues and news can hold; the reader does not read meanwhile.
    let (requests, each) = (150, 400);
    let line = "x".repeat(1000);
    for request in 0..requests {
        let stream = (0..each).fold(logs::stream("{a=\"b\"}"), |stream, place| {
            let text = format!("{} {line}", request * each + place);
            stream.message(2, logs::entry(now(), &text))
        });
        assert_eq!(push_message(&bed, logs::request([stream])).code, 204);
    }
    let (mut received, mut lost) = (0, 0);
    while lost == 0 {
        let frame = frame(&mut slow);
        received += frame["streams"].as_array().unwrap().len();
        lost += frame["dropped_entries"].as_array().map_or(0, Vec::len);
    }
    assert!(
        received < requests * each,
        "{received} received, {lost} lost"
    );
    let metrics = bed.ask_loki("GET", "/metrics", &[], b"").text();
    let count = metrics
        .lines()
        .find_map(|line| line.strip_prefix("chronolith_dropped_lines_total "));
    assert!(count.unwrap().parse::<u64>().unwrap() > 0);
}
