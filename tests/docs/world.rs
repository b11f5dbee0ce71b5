//! A folder that has what the pages name: the program, files of every sort, and a server with
//! metrics and logs at the addresses that they show.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::http::bed::{Bed, Folder};

/// 2026-01-15T11:30:00Z in seconds.
const NOON: i64 = 1_768_476_600;

pub(super) struct World {
    folder: Folder,
    bed: Bed,
}

impl World {
    pub(super) fn new() -> World {
        let world = World {
            folder: Folder::new(),
            bed: Bed::new(),
        };
        let bin = world.path("bin");
        fs::create_dir_all(&bin).unwrap();
        let program = env!("CARGO_BIN_EXE_chronolith-tested");
        std::os::unix::fs::symlink(program, bin.join("chronolith")).unwrap();
        world.fill_server();
        world.write_files();
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    fn fill_server(&self) {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let (now, mut text) = (now.as_secs() as i64, String::new());
        for time in [NOON, NOON + 15, now - 15] {
            for (instance, value) in [("a:9100", 1), ("b:9100", 0)] {
                let labels = format!("{{instance=\"{instance}\",job=\"node\"}}");
                text += &format!("up{labels} {value} {time}000\n");
                text += &format!("http_requests_total{{code=\"200\"}} {time} {time}000\n");
            }
        }
        let path = "/api/v1/import/prometheus";
        assert_eq!(self.bed.ask("POST", path, &[], text.as_bytes()).code, 204);
        let at = |seconds: i64| format!("{seconds}000000000");
        let streams = ["shop", "api", "demo"].map(|app| {
            let line = "level=error msg=\"no connection to db\" took=3s";
            let values = [[at(NOON), line.to_owned()], [at(now - 15), line.to_owned()]];
            json!({ "stream": { "app": app }, "values": values })
        });
        let body = json!({ "streams": streams }).to_string();
        let kind = [("Content-Type", "application/json")];
        let pushed = self
            .bed
            .ask_loki("POST", "/loki/api/v1/push", &kind, body.as_bytes());
        assert_eq!(pushed.code, 204);
    }

    fn write_files(&self) {
        let line = "{\"time\":\"2026-01-15T11:30:00Z\",\"message\":\"hello\",\"app\":\"shop\"}\n";
        let zst = zstd::bulk::compress(line.as_bytes(), 1).unwrap();
        fs::write(self.path("app.jsonl.zst"), zst).unwrap();
        let access = "127.0.0.1 - - [15/Jan/2026:11:30:00 +0000] \"GET / HTTP/1.1\" 200 612\n";
        let app = "2026-01-15 11:30:00 error no stock\n  at shop.rs:7\n";
        for (name, text) in [
            ("access.log", access.to_owned()),
            ("app.log", app.to_owned()),
            ("server.log", "error: no stock\n".to_owned()),
            (
                "dump.om",
                format!("# TYPE up gauge\nup{{job=\"om\"}} 1 {NOON}\n# EOF\n"),
            ),
            ("metrics.prom", format!("up{{job=\"text\"}} 1 {NOON}000\n")),
            (
                "metrics.txt",
                "# TYPE up gauge\nup{job=\"txt\"} 1\n".to_owned(),
            ),
            ("chronolith.yml", "retention: 30d\n".to_owned()),
        ] {
            fs::write(self.path(name), text).unwrap();
        }
        let served = self.bed.folder.0.display();
        self.run(&format!(
            "chronolith export prometheus prometheus --data {served}"
        ));
        self.run(&format!(
            "chronolith export victoriametrics all.jsonl.gz --data {served}"
        ));
    }

    /// Carries out a command line as a shell does, which has to go well. What it printed.
    pub(super) fn run(&self, line: &str) -> String {
        let metrics = format!("http://{}", self.bed.address());
        let logs = format!("http://{}", self.bed.loki_address());
        // What is asked of a server until now is asked for some days.
        let asks = line.contains("import remote-read") || line.contains("import loki");
        let until = if asks {
            " --end 2026-01-20T00:00:00Z"
        } else {
            ""
        };
        let line = format!("{line}{until}")
            .replace("http://prometheus:9090", &metrics)
            .replace("http://loki:3100", &logs)
            .replace("/var/lib/prometheus/metrics2", "prometheus")
            .replace("/var/lib/prometheus", "prometheus")
            .replace("/var/lib/chronolith", "data");
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.path("bin").display());
        let output = Command::new("sh")
            .args(["-euc", &line])
            .current_dir(&self.folder.0)
            .env("PATH", path)
            .env("CHRONOLITH_URL", metrics)
            .env("CHRONOLITH_LOKI_URL", logs)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{line}\n{said}");
        text(&output.stdout) + &said
    }
}
