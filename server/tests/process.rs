//! The program as a process: it starts by its flags, says where it listens, and stops when told.

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
    let address = address
        .strip_prefix("chronolith: Prometheus API on http://")
        .unwrap();
    let (address, others) = address.split_once(", Loki API on http://").unwrap();
    for door in ["OTLP", "OTLP over gRPC"] {
        let door = format!(", {door} on http://127.0.0.1:");
        assert!(others.contains(&door), "{others}");
    }
    assert!(said.next().unwrap().unwrap().contains("recovered"));

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
    assert_eq!(said.next().unwrap().unwrap(), "chronolith: stopped");
    assert!(child.0.wait().unwrap().success());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_it_cannot_do_it_says_in_a_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program(&["serve", "--listen-prometheus", &address])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("cannot listen") && text.contains("--listen-prometheus"),
        "{text}"
    );

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
