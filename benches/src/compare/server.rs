//! A database as a process: ours and others, each on an empty directory and a free port.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::http::Connection;
use crate::loads::Outcome;
use crate::process::{cpu_of, directory_bytes, status_bytes_of};

/// Programs that take remote write and answer PromQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The release build beside this one.
    Chronolith,
    /// Debian's package `prometheus`.
    Prometheus,
    /// Debian's package `victoria-metrics`.
    VictoriaMetrics,
}

impl Program {
    /// All of them.
    pub const ALL: [Program; 3] = [
        Program::VictoriaMetrics,
        Program::Prometheus,
        Program::Chronolith,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Program::Chronolith => "chronolith",
            Program::Prometheus => "prometheus",
            Program::VictoriaMetrics => "victoria-metrics",
        }
    }

    fn command(self, directory: &Path, port: u16) -> std::io::Result<Command> {
        let (data, address) = (directory.join("data"), format!("127.0.0.1:{port}"));
        let data = data.display();
        let mut command = Command::new(self.name());
        match self {
            Program::Chronolith => {
                let own = std::env::current_exe()?.with_file_name(self.name());
                command = Command::new(own);
                command.args(["serve", "--listen-prometheus", &address]);
                command.args(["--listen-otlp-http", "127.0.0.1:0"]);
                command.args(["--listen-otlp-grpc", "127.0.0.1:0"]);
                command.args(["--listen-loki", "127.0.0.1:0"]);
                command.arg("--data").arg(format!("{data}"));
            }
            Program::Prometheus => {
                let config = directory.join("prometheus.yml");
                std::fs::write(&config, "global: {}\n")?;
                command.arg(format!("--config.file={}", config.display()));
                command.arg(format!("--storage.tsdb.path={data}"));
                command.arg("--storage.tsdb.retention.time=100y");
                command.arg(format!("--web.listen-address={address}"));
                command.args(["--web.enable-remote-write-receiver", "--log.level=error"]);
            }
            Program::VictoriaMetrics => {
                command.arg(format!("-storageDataPath={data}"));
                command.arg(format!("-httpListenAddr={address}"));
                command.args(["-retentionPeriod=100y", "-loggerLevel=ERROR"]);
                command.args([
                    "-search.disableCache",
                    "-search.maxUniqueTimeseries=10000000",
                ]);
            }
        }
        Ok(command)
    }

    fn ready_path(self) -> &'static str {
        match self {
            Program::VictoriaMetrics => "/health",
            _ => "/-/ready",
        }
    }

    /// What makes it write what it holds in memory, so that its bytes on disk can be counted.
    pub(super) fn flush_paths(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Program::Chronolith => &[
                ("POST", "/api/v1/admin/tsdb/flush"),
                ("POST", "/api/v1/admin/tsdb/compact"),
            ],
            Program::Prometheus => &[],
            Program::VictoriaMetrics => &[
                ("GET", "/internal/force_flush"),
                ("GET", "/internal/force_merge"),
            ],
        }
    }
}

const START_ATTEMPTS_MAX: u32 = 200;

/// A running server, which is killed when this is dropped.
pub struct Server {
    program: Program,
    child: Child,
    port: u16,
    data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a program in a directory.
    pub fn start(program: Program, directory: &Path) -> Result<Server, Box<dyn std::error::Error>> {
        std::fs::create_dir_all(directory)?;
        // A port that was free a moment ago; the server says if it no longer is.
        let free = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let port = free.local_addr()?.port();
        drop(free);
        let child = program
            .command(directory, port)?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", program.name()))?;
        Ok(Server {
            program,
            child,
            port,
            data: directory.join("data"),
        })
    }

    /// A connection, once the server is ready.
    pub fn connect(&self) -> Result<Connection, Box<dyn std::error::Error>> {
        for _ in 0..START_ATTEMPTS_MAX {
            if let Ok(mut connection) = Connection::open(self.port)
                && let Ok(answer) = connection.send("GET", self.program.ready_path(), "", b"")
                && answer.status == 200
            {
                return Ok(connection);
            }
            sleep(Duration::from_millis(100));
        }
        Err(format!("{} does not get ready", self.program.name()).into())
    }

    fn process(&self) -> String {
        self.child.id().to_string()
    }

    /// Core time that it has used so far.
    pub fn cpu(&self) -> Result<Duration, &'static str> {
        cpu_of(&self.process()).ok_or("the server has gone")
    }

    /// The most memory that it has had.
    pub fn peak_bytes(&self) -> u64 {
        status_bytes_of(&self.process(), "VmHWM").unwrap_or(0)
    }

    /// Where its files are.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Bytes of its files.
    pub fn disk_bytes(&self) -> u64 {
        directory_bytes(&self.data)
    }

    /// Has everything written, and waits until the server has nothing left to do.
    pub fn settle(&self, connection: &mut Connection) -> Outcome {
        for (method, path) in self.program.flush_paths() {
            connection.send(method, path, "", b"")?;
        }
        loop {
            let before = self.cpu()?;
            sleep(Duration::from_secs(6));
            if self.cpu()? - before < Duration::from_millis(150) {
                return Ok(());
            }
        }
    }
}
