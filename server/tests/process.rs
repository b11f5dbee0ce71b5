//! The program as a process: it starts by its flags, says where it listens, stops when told, and
//! takes no more memory than it should.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A child that does not outlive a test that fails.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chronolith"));
    command
        .args(flags)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .stdin(Stdio::null());
    command
}

#[test]
fn it_serves_until_it_is_told_to_stop_and_then_ends_well() {
    let folder = std::env::temp_dir().join(format!("chronolith-process-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let data = folder.to_str().unwrap();
    let anywhere = "127.0.0.1:0";
    let flags = ["serve", "--data", data, "--listen-prometheus", anywhere];
    let others = ["--listen-loki", anywhere, "--listen-otlp-http", anywhere];
    let calls = ["--listen-otlp-grpc", anywhere];
    let flags = [&flags[..], &others[..], &calls[..]].concat();
    let mut child = Guarded(program(&flags).spawn().unwrap());
    let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let address = said.next().unwrap().unwrap();
    let (_, address) = address
        .split_once(" info chronolith: Prometheus API on http://")
        .unwrap();
    let (address, others) = address.split_once(", Loki API on http://").unwrap();
    for door in ["OTLP", "OTLP over gRPC"] {
        let door = format!(", {door} on http://127.0.0.1:");
        assert!(others.contains(&door), "{others}");
    }
    let recovered = said.next().unwrap().unwrap();
    assert!(recovered.contains("recovered"), "{recovered}");
    assert!(
        recovered.contains(" of memory ") && recovered.contains(" for entries"),
        "{recovered}"
    );

    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let pid = child.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let last = said.next().unwrap().unwrap();
    assert!(last.ends_with(" info chronolith: stopped"), "{last}");
    assert!(child.0.wait().unwrap().success());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A server with its three addresses.
struct Serving {
    child: Guarded,
    folder: std::path::PathBuf,
    addresses: [String; 3],
}

impl Serving {
    fn new(name: &str) -> Serving {
        let folder = format!("chronolith-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = std::fs::remove_dir_all(&folder);
        let mut flags = vec!["serve", "--data", folder.to_str().unwrap()];
        for door in ["--listen-prometheus", "--listen-loki", "--listen-otlp-http"] {
            flags.extend([door, "127.0.0.1:0"]);
        }
        let mut child = Guarded(program(&flags).spawn().unwrap());
        let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let mut found = first.split("http://").skip(1).map(|rest| {
            let end = rest.find(',').unwrap_or(rest.len());
            rest[..end].to_owned()
        });
        let addresses = std::array::from_fn(|_| found.next().unwrap());
        assert!(said.next().unwrap().unwrap().contains("recovered"));
        // What it goes on to say nobody waits for.
        std::thread::spawn(move || said.for_each(drop));
        Serving {
            child,
            folder,
            addresses,
        }
    }

    /// The code of the answer to a pushed body.
    fn push(&self, door: usize, path: &str, kind: &str, encoding: &str, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(&self.addresses[door]).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The most memory that it ever had, in MiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id()));
        let status = status.unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kibibytes = line.split_whitespace().nth(1).unwrap();
        kibibytes.parse::<u64>().unwrap() >> 10
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.0.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What becomes very much of little, by the name of its encoding: half a gibibyte of zeros, and
/// headers that promise more than there is.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 64 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..8 {
        gzip.write_all(&zeros).unwrap();
        deflate.write_all(&zeros).unwrap();
        zstd.write_all(&zeros).unwrap();
    }
    // A frame of zstd that wants a window of 128 MiB, with one byte in it.
    let window = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 9, 0, 0, b'x'];
    let snappy = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
        ("zstd", zstd.finish().unwrap()),
        ("zstd", window),
        ("snappy", snappy),
        // 4 GiB, and just what may be, of nothing.
        ("snappy", vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        ("snappy", vec![0x80, 0x80, 0x80, 0x10, 0]),
    ]
}

#[test]
fn no_receiver_unpacks_more_than_it_may() {
    const PROTOBUF: &str = "application/x-protobuf";
    const SECOND: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    const JSON: &str = "application/json";
    let receivers = [
        (0, "/api/v1/write", PROTOBUF),
        (0, "/api/v1/write", SECOND),
        (0, "/api/v1/read", PROTOBUF),
        (0, "/api/v1/import/prometheus", "text/plain"),
        (0, "/api/v1/otlp/v1/metrics", PROTOBUF),
        (0, "/api/v1/otlp/v1/metrics", JSON),
        (1, "/loki/api/v1/push", PROTOBUF),
        (1, "/loki/api/v1/push", JSON),
        (1, "/api/prom/push", JSON),
        (1, "/otlp/v1/logs", PROTOBUF),
        (1, "/otlp/v1/logs", JSON),
        (2, "/v1/metrics", PROTOBUF),
        (2, "/v1/metrics", JSON),
        (2, "/v1/logs", PROTOBUF),
        (2, "/v1/logs", JSON),
    ];
    let serving = Serving::new("bombs");
    let before = serving.peak();
    for (encoding, bomb) in bombs() {
        for (door, path, kind) in receivers {
            let code = serving.push(door, path, kind, encoding, &bomb);
            let is_refused = matches!(code, 400 | 413 | 415);
            assert!(is_refused, "{path} {kind} {encoding}: {code}");
        }
    }
    // One body of 32 MiB, its copy while it grows, and what the allocator keeps.
    let grown = serving.peak() - before;
    assert!(grown < 200, "{grown} MiB more");
    let code = serving.push(
        0,
        "/api/v1/import/prometheus",
        "text/plain",
        "identity",
        b"up 1\n",
    );
    assert_eq!(code, 204);
}

#[test]
fn every_door_is_where_its_flag_says() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let doors = ["prometheus", "loki", "otlp-http", "otlp-grpc", "admin"];
    let doors = doors.map(|door| format!("--listen-{door}"));
    for door in &doors {
        let mut flags = vec!["serve"];
        for other in &doors {
            let address = if other == door { &taken } else { "127.0.0.1:0" };
            flags.extend([other, address]);
        }
        let output = program(&flags).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let expected = format!("cannot listen on {taken} ({door})");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn what_it_cannot_do_it_says_in_a_line() {
    let output = program(&["serve", "--retention", "soon"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text.contains("--retention") && text.contains("15d"),
        "{text}"
    );
    assert_eq!(
        program(&["--help"]).output().unwrap().status.code(),
        Some(0)
    );
}
