//! The server as a process: started, killed, started again on the same directory and addresses.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::compare::http::Connection;
use crate::process::{cpu_of, status_bytes_of};

/// How long a server may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(60);

/// Words of the journal that mark what should not happen.
const BAD_LEVELS: [&str; 2] = [" error ", " panicked "];

/// Bad lines of the journal that are kept.
const BAD_LINES_MAX: usize = 20;

/// How to start the server.
#[derive(Clone)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its data directory.
    pub data: PathBuf,
    /// Further flags.
    pub flags: Vec<String>,
}

/// Where the two doors are that the load goes through.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// The API of Prometheus.
    pub prometheus: SocketAddr,
    /// The API of Loki.
    pub loki: SocketAddr,
}

/// One life of the server; killed when this is dropped.
pub(super) struct Life {
    child: Child,
    doors: Doors,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Life {
    /// Starts the server at the addresses of an earlier life, or wherever is room; and returns once
    /// it says where it listens.
    pub(super) fn start(program: &Program, doors: Option<Doors>) -> Result<Life, String> {
        let first = match doors {
            // Somebody else may have taken an address meanwhile.
            Some(doors) => Life::start_at(program, Some(doors)),
            None => Err(String::new()),
        };
        first.or_else(|_| Life::start_at(program, None))
    }

    fn start_at(program: &Program, doors: Option<Doors>) -> Result<Life, String> {
        let mut child = spawn(program, doors)?;
        let stderr = child.stderr.take().ok_or("the server has no journal")?;
        let mut journal = BufReader::new(stderr);
        let mut said = String::new();
        let doors = loop {
            let before = said.len();
            let read = journal.read_line(&mut said).unwrap_or(0);
            if let Some(doors) = Doors::of(&said[before..]) {
                break doors;
            }
            if read == 0 {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the server does not say where it listens: {said}"));
            }
        };
        let complaints = Arc::default();
        drain(journal, Arc::clone(&complaints));
        Ok(Life {
            child,
            doors,
            complaints,
        })
    }

    /// Starts the server and kills it so soon that it is most likely still opening its directory.
    pub(super) fn start_and_kill(program: &Program, after: Duration) -> Result<(), String> {
        let mut child = spawn(program, None)?;
        // Its journal is short enough for the pipe, and nobody reads it.
        sleep(after);
        let _ = child.kill();
        let _ = child.wait();
        Ok(())
    }

    pub(super) fn doors(&self) -> Doors {
        self.doors
    }

    /// Returns once everything is recovered, with the time that it took.
    pub(super) fn await_ready(&mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        while begun.elapsed() < READY_MAX {
            if let Ok(mut connection) = Connection::open(self.doors.prometheus.port())
                && let Ok(answer) = connection.send("GET", "/-/ready", "", b"")
                && answer.status == 200
            {
                return Ok(begun.elapsed());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended by itself: {status}"));
            }
            sleep(Duration::from_millis(1));
        }
        Err(format!("the server is not ready after {READY_MAX:?}"))
    }

    /// Whether the process has ended although nobody killed it.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the process as `kill -9` does.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The most memory that it has had, while it lives.
    pub(super) fn peak_bytes(&self) -> u64 {
        status_bytes_of(&self.child.id().to_string(), "VmHWM").unwrap_or(0)
    }

    /// Core time that it has used, while it lives.
    pub(super) fn cpu(&self) -> Duration {
        cpu_of(&self.child.id().to_string()).unwrap_or_default()
    }

    /// Lines of its journal that tell of errors.
    pub(super) fn complaints(&self) -> Vec<String> {
        self.complaints
            .lock()
            .map(|lines| lines.clone())
            .unwrap_or_default()
    }
}

impl Doors {
    /// From the line of the journal that names them.
    fn of(line: &str) -> Option<Doors> {
        let address = |door: &str| {
            let (_, rest) = line.split_once(&format!("{door} on http://"))?;
            rest.split([',', ' ']).next()?.trim().parse().ok()
        };
        Some(Doors {
            prometheus: address("Prometheus API")?,
            loki: address("Loki API")?,
        })
    }
}

fn spawn(program: &Program, doors: Option<Doors>) -> Result<Child, String> {
    let anywhere = "127.0.0.1:0".to_owned();
    let address = |door: fn(&Doors) -> SocketAddr| {
        let known = doors.as_ref().map(|doors| door(doors).to_string());
        known.unwrap_or_else(|| anywhere.clone())
    };
    let mut command = Command::new(&program.path);
    command
        .arg("serve")
        .arg("--data")
        .arg(&program.data)
        .args(["--listen-prometheus", &address(|doors| doors.prometheus)])
        .args(["--listen-loki", &address(|doors| doors.loki)])
        .args(["--listen-otlp-http", &anywhere])
        .args(["--listen-otlp-grpc", &anywhere])
        .args(&program.flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn();
    child.map_err(|error| format!("{} cannot be run: {error}", program.path.display()))
}

/// Reads the journal to its end, so that the server never waits for its reader.
fn drain(journal: BufReader<ChildStderr>, complaints: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in journal.lines().map_while(Result::ok) {
            if BAD_LEVELS.iter().any(|level| line.contains(level))
                && let Ok(mut complaints) = complaints.lock()
                && complaints.len() < BAD_LINES_MAX
            {
                complaints.push(line);
            }
        }
    });
}

/// The release build of the server beside this program.
pub fn built_beside() -> std::io::Result<PathBuf> {
    let beside: PathBuf = std::env::current_exe()?.with_file_name("chronolith");
    match Path::new(&beside).is_file() {
        true => Ok(beside),
        false => Err(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            format!(
                "{} is not there: build it with `cargo build --release`",
                beside.display()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_journal_says_where_the_doors_are() {
        let line = "2026-01-15T11:30:00.000Z info chronolith: Prometheus API on \
                    http://127.0.0.1:1001, Loki API on http://127.0.0.1:1002, OTLP on \
                    http://127.0.0.1:1003\n";
        let doors = Doors::of(line).unwrap();
        assert_eq!((doors.prometheus.port(), doors.loki.port()), (1001, 1002));
        assert!(Doors::of("error: cannot listen").is_none());
    }
}
