//! A server in this process on a port of its own, and a client that shows what came over the wire.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chronolith_server::testing::{Message, snappy, v1};
use chronolith_server::{Server, Settings};
use serde_json::Value;

/// 2026-01-15T11:30:00Z in milliseconds.
pub(crate) const NOON: i64 = 1_768_476_600_000;

/// How long a client waits for an answer before a test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that is removed when the test ends.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chronolith-http-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running server and its folder.
pub(crate) struct Bed {
    pub(crate) folder: Folder,
    server: Option<Server>,
    address: SocketAddr,
}

/// What a server answered.
pub(crate) struct Reply {
    pub(crate) code: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer as JSON, whatever its code.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("{error}: {} {}", self.code, self.text()))
            .unwrap()
    }

    /// The data of a successful answer.
    pub(crate) fn data(&self) -> Value {
        let json = self.json();
        assert_eq!(
            (self.code, &json["status"]),
            (200, &Value::from("success")),
            "{json}"
        );
        json["data"].clone()
    }

    /// The type and the text of an error in the Prometheus envelope.
    pub(crate) fn error(&self) -> (String, String) {
        let json = self.json();
        assert_eq!(json["status"], "error", "{json}");
        let text = |key: &str| json[key].as_str().unwrap().to_owned();
        (text("errorType"), text("error"))
    }
}

impl Bed {
    /// A server on an empty folder that takes samples in any order.
    pub(crate) fn new() -> Bed {
        Bed::with(|_| {})
    }

    /// A server on an empty folder with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Bed {
        let folder = Folder::new();
        let mut settings = settings(&folder);
        change(&mut settings);
        let (server, address) = start(settings);
        Bed {
            folder,
            server: Some(server),
            address,
        }
    }

    /// Stops the server and starts it again on the same folder.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let (server, address) = start(settings(&self.folder));
        (self.server, self.address) = (Some(server), address);
    }

    /// Starts the server again on the same folder with other settings.
    pub(crate) fn start(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = settings(&self.folder);
        change(&mut settings);
        let (server, address) = start(settings);
        (self.server, self.address) = (Some(server), address);
    }

    /// Where the Prometheus API listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server, which has to end well.
    pub(crate) fn stop(&mut self) {
        self.server.take().unwrap().stop().unwrap();
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        request(self.address, method, path, headers, body)
    }

    /// Where administrators are answered.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().admin_address().unwrap()
    }

    /// Where OTLP over HTTP listens.
    pub(crate) fn otlp_address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().otlp_http_address()
    }

    /// Reads the web configuration again.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let reloaded = self.server.as_ref().unwrap().reload();
        reloaded.map_err(|error| error.to_string())
    }

    /// Where the Loki API listens.
    pub(crate) fn loki_address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().loki_address()
    }

    /// Asks the Loki address.
    pub(crate) fn ask_loki(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        request(self.loki_address(), method, path, headers, body)
    }

    /// Asks the OTLP address.
    pub(crate) fn ask_otlp(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let address = self.server.as_ref().unwrap().otlp_http_address();
        request(address, "POST", path, headers, body)
    }

    /// Where OTLP over gRPC listens.
    pub(crate) fn grpc_address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().otlp_grpc_address()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, form: &str) -> Reply {
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        self.ask("POST", path, &kind, form.as_bytes())
    }

    /// Sends a message of remote write 1.0.
    pub(crate) fn write(&self, message: Message) -> Reply {
        let headers = [
            ("Content-Type", "application/x-protobuf"),
            ("Content-Encoding", "snappy"),
            ("X-Prometheus-Remote-Write-Version", "0.1.0"),
        ];
        self.ask(
            "POST",
            "/api/v1/write",
            &headers,
            &snappy(&message.into_bytes()),
        )
    }

    /// Sends a message of remote write 2.0.
    pub(crate) fn write_v2(&self, message: Message) -> Reply {
        let headers = [
            (
                "Content-Type",
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            ),
            ("Content-Encoding", "snappy"),
            ("X-Prometheus-Remote-Write-Version", "2.0.0"),
        ];
        self.ask(
            "POST",
            "/api/v1/write",
            &headers,
            &snappy(&message.into_bytes()),
        )
    }

    /// Stores one sample of each series.
    pub(crate) fn fill(&self, series: &[&[(&str, &str)]]) {
        let series = series
            .iter()
            .map(|labels| v1::series(labels).message(2, v1::sample(NOON, 1.0)));
        assert_eq!(self.write(v1::request(series)).code, 204);
    }

    /// How many series there are of this selector, which is encoded for a URL already.
    pub(crate) fn count(&self, selector: &str) -> usize {
        let series = self.get(&format!("/api/v1/series?match[]={selector}"));
        series.data().as_array().unwrap().len()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let stopped = server.stop();
            assert!(stopped.is_ok() || std::thread::panicking(), "{stopped:?}");
        }
    }
}

fn settings(folder: &Folder) -> Settings {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    Settings {
        data: folder.0.clone(),
        listen_prometheus: anywhere,
        listen_loki: anywhere,
        listen_otlp_grpc: anywhere,
        listen_otlp_http: anywhere,
        ..Settings::default()
    }
}

fn start(settings: Settings) -> (Server, SocketAddr) {
    let mut server = Server::start(settings).unwrap();
    server.wait_until_ready().unwrap();
    let address = server.prometheus_address();
    (server, address)
}

/// One request on a connection of its own.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses a body need not read it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let reply = read_reply(&answer);
    reply
        .ok_or_else(|| format!("no answer to {method} {path}: {read:?}"))
        .unwrap()
}

/// What comes back for some bytes, until the server closes or the client's patience ends.
pub(crate) fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has seen enough need not read the rest.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn read_reply(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.lines();
    let code = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut reply = Reply {
        code,
        headers,
        body: answer[end + 4..].to_vec(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = unchunked(&reply.body);
    }
    Some(reply)
}

/// Puts the chunks of a body together; one that breaks off is a failure.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .unwrap();
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
}
