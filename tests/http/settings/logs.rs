//! What senders and readers of logs may do.

use std::net::TcpStream;

use chronolith_server::testing::{Message, logs, snappy};

use super::*;

const NANOS: i64 = NOON * 1_000_000;

/// What is said of a push of this stream.
fn push(bed: &Bed, stream: Message) -> Reply {
    let body = snappy(&logs::request([stream]).into_bytes());
    let kind = [("Content-Type", "application/x-protobuf")];
    bed.ask_loki("POST", "/loki/api/v1/push", &kind, &body)
}

/// The codes of pushes of a line with these labels and this structured metadata.
fn codes<const N: usize>(
    settings: &[(&str, &str)],
    lines: [(&str, &[(&str, &str)]); N],
) -> [u16; N] {
    let bed = bed(settings);
    lines.map(|(labels, pairs)| {
        let entry = logs::entry(NANOS, "x");
        let add = |entry: Message, (name, value): &(&str, &str)| {
            entry.message(3, logs::pair(name, value))
        };
        let entry = pairs.iter().fold(entry, add);
        push(&bed, logs::stream(labels).message(2, entry)).code
    })
}

#[test]
fn labels_of_streams_have_the_number_and_the_sizes_that_are_set() {
    let few = codes(
        &[("log.labels_max", "1")],
        [("{a=\"1\"}", &[]), ("{a=\"1\",b=\"2\"}", &[])],
    );
    assert_eq!(few, [204, 400]);
    // The label that is added, service_name, has to fit as well, and "unknown_service" in it.
    let names = codes(
        &[("log.label_name_bytes_max", "12")],
        [
            ("{abcdefghijkl=\"1\"}", &[]),
            ("{abcdefghijklm=\"1\"}", &[]),
        ],
    );
    assert_eq!(names, [204, 400]);
    let values = codes(
        &[("log.label_value_bytes_max", "15")],
        [
            ("{a=\"123456789012345\"}", &[]),
            ("{a=\"1234567890123456\"}", &[]),
        ],
    );
    assert_eq!(values, [204, 400]);
}

#[test]
fn metadata_of_lines_has_the_number_and_the_size_that_are_set() {
    let one = [("a", "1")];
    let two = [("a", "1"), ("b", "2")];
    let long = [("a", "0123456789012345678901234567890123456789")];
    let few = codes(
        &[("log.metadata_labels_max", "1")],
        [("{a=\"1\"}", &one), ("{a=\"1\"}", &two)],
    );
    assert_eq!(few, [204, 400]);
    let short = codes(
        &[("log.metadata_bytes_max", "40")],
        [("{a=\"1\"}", &one), ("{a=\"1\"}", &long)],
    );
    assert_eq!(short, [204, 400]);
}

/// Two streams with a line each.
fn filled(settings: &[(&str, &str)]) -> Bed {
    let bed = bed(settings);
    for labels in ["{a=\"1\"}", "{a=\"2\"}"] {
        let stream = logs::stream(labels).message(2, logs::entry(NANOS, "x"));
        assert_eq!(push(&bed, stream).code, 204);
    }
    bed
}

/// What is answered for a path of the Loki API, an hour around noon.
fn ask(bed: &Bed, path: &str) -> (u16, String) {
    let (start, end) = (NOON / 1000 - 1800, NOON / 1000 + 1800);
    let path = format!("/loki/api/v1/{path}&start={start}&end={end}");
    let reply = bed.ask_loki("GET", &path, &[], b"");
    (reply.code, reply.text())
}

#[test]
fn queries_of_logs_answer_and_take_what_is_set() {
    let lines = "query_range?query=%7Ba%3D~%22.%2B%22%7D";
    let counts = "query_range?query=count_over_time(%7Ba%3D~%22.%2B%22%7D%5B5m%5D)&step=300";
    let volumes = "index/volume?query=%7Ba%3D~%22.%2B%22%7D";
    let generous = filled(&[]);
    for (setting, path, why) in [
        (("log.range_max", "30m"), lines, "30m"),
        (
            ("log.series_max", "1"),
            counts,
            "maximum number of series (1)",
        ),
        (("log.volumes_max", "1"), volumes, "limit: 1 series"),
    ] {
        assert_eq!(ask(&generous, path).0, 200, "{path}");
        let (code, text) = ask(&filled(&[setting]), path);
        assert_eq!(code, 400, "{setting:?}: {text}");
        assert!(text.contains(why), "{text}");
    }
    let hasty = filled(&[("log.query_timeout", "0s")]);
    let (code, text) = ask(&hasty, lines);
    assert_eq!((code, met(&hasty, "log_query_timeout")), (504, 1), "{text}");
}

#[test]
fn a_tail_whose_reader_does_not_read_ends_when_a_frame_has_taken_too_long() {
    let bed = bed(&[("log.tail_send_timeout", "20ms")]);
    let stream = TcpStream::connect(bed.loki_address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let path = "/loki/api/v1/tail?query=%7Ba%3D%221%22%7D";
    let url = format!("ws://{}{path}", bed.loki_address());
    let (_socket, _) = tungstenite::client(url, stream).unwrap();
    until("the tail is open", || figure(&bed, "chronolith_tails") == 1);
    let line = "x".repeat(100_000);
    until("the tail ends", || {
        let now = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_nanos() as i64;
        let stream = (0..10).fold(logs::stream("{a=\"1\"}"), |stream, place| {
            stream.message(2, logs::entry(now + place, &line))
        });
        assert_eq!(push(&bed, stream).code, 204);
        figure(&bed, "chronolith_tails") == 0
    });
}
