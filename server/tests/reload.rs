//! The program and its configuration: a file gives settings, SIGHUP and a request read it again
//! whole or keep what is in force, and the service manager hears of it.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

/// A server with a configuration file, gone when the test ends.
struct Bed {
    folder: PathBuf,
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
    address: String,
}

const DOORS: &str = "listen: {prometheus: '127.0.0.1:0', loki: '127.0.0.1:0', otlp_grpc: \
                     '127.0.0.1:0', otlp_http: '127.0.0.1:0'}\n";

impl Bed {
    fn new(name: &str, more: &str, notify: Option<&Path>) -> Bed {
        let id = std::process::id();
        let folder = std::env::temp_dir().join(format!("chronolith-reload-{name}-{id}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("chronolith.yml");
        write(&folder, more);
        let mut command = Command::new(env!("CARGO_BIN_EXE_chronolith"));
        command
            .args(["serve", "--config", file.to_str().unwrap()])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .stdin(Stdio::null());
        if let Some(socket) = notify {
            command
                .env("NOTIFY_SOCKET", socket)
                .env("WATCHDOG_USEC", "20000");
        }
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let (_, rest) = first.split_once("Prometheus API on http://").unwrap();
        let (address, _) = rest.split_once(", ").unwrap();
        let address = address.to_owned();
        assert!(said.next().unwrap().unwrap().contains("recovered"));
        Bed {
            folder,
            child,
            said,
            address,
        }
    }

    fn ask(&self, method: &str, path: &str) -> String {
        self.say(&format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
    }

    /// What comes back for a request.
    fn say(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn next_line(&mut self) -> String {
        self.said.next().unwrap().unwrap()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Writes the configuration file.
fn write(folder: &Path, more: &str) {
    let data = folder.join("data");
    let text = format!("data: {}\n{DOORS}{more}", data.display());
    std::fs::write(folder.join("chronolith.yml"), text).unwrap();
}

#[test]
fn a_changed_file_takes_effect_whole_or_not_at_all() {
    let mut bed = Bed::new("whole", "retention: 1d\nquery:\n  timeout: 5s\n", None);
    assert!(
        bed.ask("GET", "/api/v1/status/flags")
            .contains("\"retention\":\"1d\"")
    );

    write(&bed.folder, "retention: 3d\nquery:\n  timeout: 7s\n");
    let answer = bed.ask("POST", "/-/reload");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = bed.next_line();
    assert!(
        line.contains("changed=\"retention,query.timeout\""),
        "{line}"
    );
    let config = bed.ask("GET", "/api/v1/status/config");
    assert!(config.contains("retention: \\\"3d\\\""), "{config}");

    // One key is right and one is not: neither counts.
    write(&bed.folder, "retention: 5d\nquery:\n  timout: 9s\n");
    let answer = bed.ask("POST", "/-/reload");
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.contains("did you mean query.timeout?"), "{answer}");
    assert!(bed.next_line().contains(" error "));
    assert!(
        bed.ask("GET", "/api/v1/status/flags")
            .contains("\"retention\":\"3d\"")
    );
    let metrics = bed.ask("GET", "/metrics");
    let failed = "chronolith_config_last_reload_successful 0";
    assert!(metrics.contains(failed), "{metrics}");

    // What takes effect at the start only is refused together with what could change.
    write(&bed.folder, "retention: 5d\nwrites_max: 7\n");
    bed.signal("-HUP");
    let line = bed.next_line();
    assert!(
        line.contains("writes_max cannot change while the server runs"),
        "{line}"
    );
    assert!(
        bed.ask("GET", "/api/v1/status/flags")
            .contains("\"retention\":\"3d\"")
    );

    write(&bed.folder, "retention: 5d\n");
    bed.signal("-HUP");
    assert!(
        bed.next_line()
            .contains("changed=\"retention,query.timeout\"")
    );
    assert!(
        bed.ask("GET", "/api/v1/status/flags")
            .contains("\"retention\":\"5d\"")
    );
}

#[test]
fn a_tenants_own_settings_take_effect_whole_or_not_at_all() {
    let begin = "multi_tenant: true\ntenants:\n  a:\n    query:\n      samples_max: 1\n";
    let mut bed = Bed::new("tenants", begin, None);
    // A sample of last week, for each of two.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let time = (now.as_secs() - 7 * 24 * 3600) * 1000;
    let push = |tenant: &str, time: u64, bed: &Bed| {
        let text = format!("up{{n=\"1\"}} 1 {time}\nup{{n=\"2\"}} 1 {time}\n");
        let head = format!(
            "POST /api/v1/import/prometheus HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             X-Scope-OrgID: {tenant}\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        bed.say(&head)[9..12].to_owned()
    };
    let query = |tenant: &str, bed: &Bed| {
        let at = time / 1000;
        let head = format!(
            "GET /api/v1/query?query=count(up)&time={at} HTTP/1.1\r\nHost: x\r\nConnection: \
             close\r\nX-Scope-OrgID: {tenant}\r\n\r\n"
        );
        let answer = bed.say(&head);
        (answer[9..12].to_owned(), answer.contains("\"2\""))
    };
    let done = |code: &str, has: bool| (code.to_owned(), has);
    assert_eq!(
        (push("a", time, &bed), push("b", time, &bed)),
        ("204".into(), "204".into())
    );
    assert_eq!(query("a", &bed), done("422", false));
    assert_eq!(query("b", &bed), done("200", true));

    // One tenant's rule is right, the other's is not: neither counts.
    write(
        &bed.folder,
        "multi_tenant: true\ntenants:\n  b:\n    retention: 1d\n  a:\n    data: /tmp\n",
    );
    let answer = bed.ask("POST", "/-/reload");
    assert!(
        answer.contains("chronolith.yml:8: tenants.a.data: all tenants"),
        "{answer}"
    );
    bed.next_line();
    assert_eq!(query("a", &bed), done("422", false));
    assert_eq!(query("b", &bed), done("200", true));

    write(
        &bed.folder,
        "multi_tenant: true\ntenants:\n  b:\n    retention: 1d\n",
    );
    let answer = bed.ask("POST", "/-/reload");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = bed.next_line();
    let changed = "changed=\"tenants.a.query.samples_max,tenants.b.retention\"";
    assert!(line.contains(changed), "{line}");
    // What has expired is shown to nobody, and not taken again.
    assert_eq!(query("a", &bed), done("200", true));
    assert_eq!(query("b", &bed), done("200", false));
    assert_eq!(
        (push("a", time + 1, &bed), push("b", time + 1, &bed)),
        ("204".into(), "400".into())
    );
    let config = bed.ask("GET", "/api/v1/status/config");
    assert!(
        config.contains("\\\"b\\\":\\n    retention: \\\"1d\\\""),
        "{config}"
    );
}

#[test]
fn systemd_hears_of_each_turn() {
    let socket = std::env::temp_dir().join(format!("chronolith-turns-{}", std::process::id()));
    let _ = std::fs::remove_file(&socket);
    let manager = UnixDatagram::bind(&socket).unwrap();
    let mut bed = Bed::new("turns", "", Some(&socket));
    let heard = |expected: &str| {
        let mut buffer = [0; 256];
        loop {
            let read = manager.recv(&mut buffer).unwrap();
            let text = std::str::from_utf8(&buffer[..read]).unwrap();
            if text.starts_with(expected) {
                return text.to_owned();
            }
            // The watchdog may be told at any time between.
            assert_eq!(text, "WATCHDOG=1", "while waiting for {expected}");
        }
    };
    heard("READY=1");
    heard("WATCHDOG=1");
    bed.signal("-HUP");
    assert!(heard("RELOADING=1").contains("MONOTONIC_USEC="));
    heard("READY=1");
    bed.signal("-TERM");
    heard("STOPPING=1");
    assert!(bed.child.wait().unwrap().success());
    std::fs::remove_file(&socket).unwrap();
}

#[test]
fn slow_queries_are_told_in_a_journal_of_json() {
    let more = "journal:\n  format: json\n  slow_query: 1ms\n";
    let mut bed = Bed::new("slow", more, None);
    // Six hundred thousand steps take longer than that.
    let path = "/api/v1/query?query=count_over_time(vector(1)[1000m:100ms])";
    let answer = bed.ask("GET", path);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = bed.next_line();
    assert!(
        line.starts_with('{') && line.contains("\"language\":\"promql\""),
        "{line}"
    );
    assert!(line.contains("count_over_time"), "{line}");
}

#[test]
fn a_wrong_file_is_explained_before_anything_runs() {
    let folder = std::env::temp_dir().join(format!("chronolith-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("chronolith.yml");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_chronolith"))
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let path = file.to_str().unwrap();
    std::fs::write(&file, "retention: 15d\nlog:\n  lables_max: 5\n").unwrap();
    let (code, said) = run(&["check", "config", path]);
    assert_eq!(code, Some(1), "{said}");
    let expected = format!("{path}:3: unknown key log.lables_max: did you mean log.labels_max?\n");
    assert_eq!(said, expected);
    let (code, said) = run(&["serve", "--config", path]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(expected.trim()), "{said}");
    std::fs::write(&file, "retention: 15d\nlog:\n  labels_max: 5\n").unwrap();
    let (code, said) = run(&["check", "config", path]);
    assert_eq!(
        (code, said.contains("2 settings, all right")),
        (Some(0), true)
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_slow_query_is_told_with_whose_it_was_and_what_it_read() {
    let mut bed = Bed::new("slow", "journal: {slow_query: 1ms, format: json}\n", None);
    let query = "quantile_over_time(0.5,vector(time())%5B1h%3A1s%5D)";
    let path = format!("/api/v1/query_range?query={query}&start=0&end=10000&step=1");
    assert!(bed.ask("GET", &path).starts_with("HTTP/1.1 200"));
    let line = bed.next_line();
    for part in [
        "\"message\":\"slow query\"",
        "\"tenant\":\"default\"",
        "\"language\":\"promql\"",
        "\"samples\":0",
        "\"bytes\":0",
        "\"query\":\"quantile_over_time(0.5,vector(time())[1h:1s])\"",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn where_somebody_is_asked_for_a_token_a_slow_query_is_told_with_the_name_of_its_holder() {
    // The SHA-256 of "test".
    let web = "bearer_tokens:\n  dashboards: {sha256: \
               9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}\n";
    let file = std::env::temp_dir().join(format!("chronolith-slow-web-{}", std::process::id()));
    std::fs::write(&file, web).unwrap();
    let more = format!(
        "journal: {{slow_query: 1ms}}\nweb_config_file: {}\n",
        file.display()
    );
    let mut bed = Bed::new("slow-web", &more, None);
    std::fs::remove_file(&file).unwrap();
    let query = "quantile_over_time(0.5,vector(time())%5B1h%3A1s%5D)";
    let answer = bed.say(&format!(
        "GET /api/v1/query_range?query={query}&start=0&end=10000&step=1 HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer test\r\nConnection: close\r\n\r\n"
    ));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = loop {
        let line = bed.next_line();
        if line.contains("slow query") {
            break line;
        }
    };
    assert!(line.contains("user=\"dashboards\""), "{line}");
}
