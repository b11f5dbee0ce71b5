//! The program run as a process, and places that it can look at.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::http::bed::Bed;

/// How long a program may take before a test has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// 2026-01-15T11:30:00Z in seconds.
pub(super) const NOON: i64 = 1_768_476_600;

/// What a program printed, and what it ended with.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    /// What it printed, if all went well.
    pub(super) fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// What it said, if it ended with this.
    #[track_caller]
    pub(super) fn bad(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.err
    }
}

/// The program with these arguments, and nothing of this process's environment that it minds.
pub(super) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chronolith-tested"));
    command
        .args(arguments)
        .env_remove("CHRONOLITH_URL")
        .env_remove("CHRONOLITH_LOKI_URL")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(super) fn run(arguments: &[&str]) -> Ran {
    ended(program(arguments).spawn().unwrap())
}

/// Runs the program with something to read.
pub(super) fn run_with(arguments: &[&str], input: &str) -> Ran {
    let mut child = program(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that refuses its arguments reads nothing.
        let _ = stdin.write_all(input.as_bytes());
    });
    let ran = ended(child);
    writer.join().unwrap();
    ran
}

pub(super) fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ran {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// A program that runs until it is dropped, and the lines that it prints meanwhile.
pub(super) struct Running {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Running {
    pub(super) fn start(arguments: &[&str]) -> Running {
        let mut child = program(arguments).stdin(Stdio::piped()).spawn().unwrap();
        Running {
            out: lines(child.stdout.take().unwrap()),
            err: lines(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Gives it something to read.
    pub(super) fn write(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// The next line that it prints.
    pub(super) fn line(&self) -> String {
        self.out.recv_timeout(PATIENCE).unwrap()
    }

    /// The next line that it says about itself.
    pub(super) fn said(&self) -> String {
        self.err.recv_timeout(PATIENCE).unwrap()
    }

    /// Ends its input, and waits for what it ends with.
    pub(super) fn finish(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sink, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            if sink.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Somewhere to look: a running server, or a directory.
pub(super) struct Place {
    pub(super) metrics: [String; 2],
    pub(super) logs: [String; 2],
}

impl Place {
    pub(super) fn server(bed: &Bed) -> Place {
        let flag = |address: SocketAddr| ["--url".to_owned(), format!("http://{address}")];
        Place {
            metrics: flag(bed.address()),
            logs: flag(bed.loki_address()),
        }
    }

    pub(super) fn directory(bed: &Bed) -> Place {
        let flag = ["--data".to_owned(), bed.folder.0.display().to_string()];
        Place {
            metrics: flag.clone(),
            logs: flag,
        }
    }

    /// Runs a command about metrics here.
    pub(super) fn metrics(&self, arguments: &[&str]) -> Ran {
        run(&with(arguments, &self.metrics))
    }

    /// Runs a command about logs here.
    pub(super) fn logs(&self, arguments: &[&str]) -> Ran {
        run(&with(arguments, &self.logs))
    }
}

/// Arguments and the flags that say where to look.
pub(super) fn with<'a>(arguments: &[&'a str], place: &'a [String]) -> Vec<&'a str> {
    let place = place.iter().map(String::as_str);
    arguments.iter().copied().chain(place).collect()
}

/// Looks at what a server has: first through the server, then beside it, and then when it is gone.
pub(super) fn everywhere(mut bed: Bed, look: impl Fn(&Place)) {
    look(&Place::server(&bed));
    look(&Place::directory(&bed));
    bed.stop();
    look(&Place::directory(&bed));
}

/// An address where nobody listens.
pub(super) fn free_address() -> SocketAddr {
    // Below the range that the system takes ports from where anyone will do, as other tests want.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() % 500;
    loop {
        let port = 20_000 + (first * 20 + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port as u16));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A server with a counter of two instances and a gauge, a sample every 15 seconds for an hour.
pub(super) fn filled() -> Bed {
    let bed = Bed::new();
    let mut text = String::from("# TYPE hits_total counter\n");
    for step in 0..240 {
        let ms = (NOON - 3600 + step * 15) * 1000;
        text += &format!("hits_total{{instance=\"a\"}} {} {ms}\n", step * 15);
        text += &format!("hits_total{{instance=\"b\"}} {} {ms}\n", step * 30);
        text += &format!("heat{{room=\"kitchen, left\"}} {}.5 {ms}\n", step % 10);
    }
    let place = Place::server(&bed);
    let pushed = run_with(&with(&["push", "metrics"], &place.metrics), &text);
    assert_eq!(pushed.code, Some(0), "{pushed:?}");
    bed
}
