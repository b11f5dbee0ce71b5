//! What a client of HTTP/2 may do to the gRPC address, frame by frame.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::super::bed::Bed;
use super::super::settings::{SOON, bed};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 4;

/// The error of a client that asks for too much.
const ENHANCE_YOUR_CALM: u32 = 11;

/// How long the server has before a test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A frame as it is sent.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

struct Raw(TcpStream);

impl Raw {
    fn connect(bed: &Bed) -> Raw {
        let mut stream = TcpStream::connect(bed.grpc_address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(PREFACE).unwrap();
        let mut raw = Raw(stream);
        raw.send(SETTINGS, 0, 0, b"");
        raw
    }

    /// Sends a frame; a server that has closed the connection does not take it.
    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let _ = self.0.write_all(&frame(kind, flags, stream, payload));
    }

    /// The next frame; none once the connection has ended.
    fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[3], payload))
    }

    /// The error with which the server ends the connection.
    fn end(&mut self) -> Option<u32> {
        let mut error = None;
        while let Some((kind, payload)) = self.receive() {
            if kind == GOAWAY {
                error = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        error
    }
}

/// The headers of a call, in HPACK without its table.
fn call_headers() -> Vec<u8> {
    let path = b"/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    // POST and http stand in the static table, at 3 and 6; the name of :path does at 4.
    let mut block = vec![0x83, 0x86, 0x04, path.len() as u8];
    block.extend(path);
    for (name, value) in [
        (":authority", "server"),
        ("content-type", "application/grpc"),
    ] {
        block.extend([0, name.len() as u8]);
        block.extend(name.as_bytes());
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    block
}

/// What a server says that one connection may have: of calls at once, of bytes sent ahead, and of
/// bytes of headers.
fn told(bed: &Bed) -> [Option<u32>; 3] {
    let mut raw = Raw::connect(bed);
    let (kind, payload) = raw.receive().unwrap();
    assert_eq!(kind, SETTINGS);
    [3u16, 4, 6].map(|setting| {
        let mut all = payload.chunks(6);
        let found = all.find(|each| each[..2] == setting.to_be_bytes())?;
        Some(u32::from_be_bytes(found[2..].try_into().unwrap()))
    })
}

#[test]
fn a_connection_is_told_what_it_may_have() {
    let default = [Some(64), Some(512 << 10), Some(16 << 10)];
    assert_eq!(told(&Bed::new()), default);
    let bed = bed(&[
        ("grpc.calls_max", "3"),
        ("grpc.ahead_bytes_max", "100000"),
        ("grpc.header_bytes_max", "5000"),
    ]);
    assert_eq!(told(&bed), [Some(3), Some(100_000), Some(5000)]);
}

/// The error with which a connection ends that says this all at once; none if it goes on.
fn end_of(bed: &Bed, said: &[u8]) -> Option<u32> {
    let mut raw = Raw::connect(bed);
    raw.0.set_read_timeout(Some(SOON)).unwrap();
    let _ = raw.0.write_all(said);
    raw.end()
}

/// So many calls: the headers of each, and what comes behind them.
fn calls(count: u32, headers: &[u8], behind: Option<(u8, &[u8])>) -> Vec<u8> {
    let mut said = Vec::new();
    for call in 0..count {
        said.extend(frame(HEADERS, END_HEADERS, 2 * call + 1, headers));
        if let Some((kind, payload)) = behind {
            said.extend(frame(kind, 0, 2 * call + 1, payload));
        }
    }
    said
}

#[test]
fn calls_may_be_taken_back_and_be_wrong_as_often_as_is_set() {
    let bed = bed(&[("grpc.resets_max", "2"), ("grpc.errors_max", "2")]);
    // Fewer than are borne with by default.
    let cancelled = 8u32.to_be_bytes();
    let taken_back = calls(10, &call_headers(), Some((RST_STREAM, &cancelled)));
    assert_eq!(end_of(&bed, &taken_back), Some(ENHANCE_YOUR_CALM));
    let mut wrong = call_headers();
    wrong.extend(b"\x00\x0aconnection\x01x");
    let wrong = calls(10, &wrong, None);
    assert_eq!(end_of(&bed, &wrong), Some(ENHANCE_YOUR_CALM));
}

/// Whether the server ends a connection on which nobody says anything any more, or says that it
/// will.
fn is_let_go(settings: &[(&str, &str)]) -> bool {
    let bed = bed(settings);
    let mut raw = Raw::connect(&bed);
    raw.0.set_read_timeout(Some(SOON)).unwrap();
    loop {
        let mut head = [0; 9];
        match raw.0.read_exact(&mut head) {
            Ok(()) if head[3] == GOAWAY => return true,
            Ok(()) => {
                let length = usize::from(head[2]) + (usize::from(head[1]) << 8);
                raw.0.read_exact(&mut vec![0; length]).unwrap();
            }
            Err(error) => {
                let late = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                return !late.contains(&error.kind());
            }
        }
    }
}

#[test]
fn who_says_nothing_is_asked_and_let_go_as_soon_as_is_set() {
    let (asked, waited) = ("grpc.keep_alive", "grpc.keep_alive_timeout");
    assert!(is_let_go(&[(asked, "20ms"), (waited, "20ms")]));
    assert!(is_let_go(&[("grpc.idle_timeout", "20ms")]));
}

#[test]
fn a_client_that_begins_calls_and_takes_them_back_is_let_go() {
    let bed = Bed::new();
    let mut raw = Raw::connect(&bed);
    let headers = call_headers();
    for call in 0..5000 {
        let stream = 2 * call + 1;
        raw.send(HEADERS, END_HEADERS, stream, &headers);
        raw.send(RST_STREAM, 0, stream, &8u32.to_be_bytes());
    }
    assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM));
}

#[test]
fn a_client_that_breaks_the_rules_of_streams_is_let_go() {
    let bed = Bed::new();
    let mut raw = Raw::connect(&bed);
    // A header of connections is an error of its stream alone, which the server resets.
    let mut headers = call_headers();
    headers.extend(b"\x00\x0aconnection\x01x");
    for call in 0..5000 {
        raw.send(HEADERS, END_HEADERS, 2 * call + 1, &headers);
    }
    assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM));
}

#[test]
fn headers_without_end_are_not_collected() {
    let bed = Bed::new();
    let mut raw = Raw::connect(&bed);
    raw.send(HEADERS, 0, 1, &call_headers());
    // Headers that are never ended, each of 16 KiB.
    let mut more = vec![0, 1, b'a', 0x7f, 0x81, 0x7f];
    more.resize(16 << 10, b'x');
    for _ in 0..1000 {
        raw.send(CONTINUATION, 0, 1, &more);
    }
    assert!(raw.end().is_some());
}

#[test]
fn headers_beyond_their_limit_are_refused_and_the_connection_goes_on() {
    let bed = Bed::new();
    let long = "x".repeat(17 << 10);
    let refused = super::call(
        &bed,
        super::LOGS,
        &[("x-long", &long)],
        super::frame(0, b""),
    );
    assert_eq!((refused.http, refused.code), (431, None));
    assert_eq!(
        super::call(&bed, super::LOGS, &[], super::frame(0, b"")).code,
        Some(0)
    );
}

#[test]
fn what_is_not_http_2_is_not_answered() {
    let bed = Bed::new();
    let mut stream = TcpStream::connect(bed.grpc_address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"POST /v1/logs HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/1.1 2"), "{said:?}");
}

#[test]
fn a_message_without_end_is_refused_at_its_limit() {
    let bed = Bed::new();
    let mut raw = Raw::connect(&bed);
    raw.send(HEADERS, END_HEADERS, 1, &call_headers());
    // A frame of three bytes, and a fourth.
    raw.send(DATA, 0, 1, &[0, 0, 0, 0, 3, b'a', b'b', b'c', b'd']);
    let answered = std::iter::from_fn(|| raw.receive()).find(|(kind, _)| *kind == HEADERS);
    assert!(answered.is_some());
}
