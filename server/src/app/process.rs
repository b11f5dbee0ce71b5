//! What the process takes of the machine, under the names that clients of Prometheus give it.
//!
//! Asked of the system whenever metrics are; what it does not tell is left out.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::meters::Text;

/// Writes what the process takes, and what its data directory has left.
pub(super) fn write_resources(out: &mut Text, data: &Path) {
    if let Some(used) = Used::now() {
        used.write(out);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the folder that is being read.
        let open = files.count().saturating_sub(1);
        let help = "Files and connections that are open.";
        out.gauge("process_open_fds", help, open as f64);
    }
    let most = getrlimit(Resource::Nofile).current;
    out.gauge(
        "process_max_fds",
        "How many of them there may be.",
        most.map_or(f64::INFINITY, |most| most as f64),
    );
    if let Ok(disk) = rustix::fs::statvfs(data) {
        out.gauge(
            "chronolith_disk_bytes",
            "Size of the disk with the data directory.",
            disk.f_blocks as f64 * disk.f_frsize as f64,
        );
        out.gauge(
            "chronolith_disk_free_bytes",
            "Bytes that the server may still take of it.",
            disk.f_bavail as f64 * disk.f_frsize as f64,
        );
    }
}

/// What `/proc/self/stat` says.
#[derive(Debug, PartialEq)]
struct Used {
    cpu_seconds: f64,
    threads: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
}

impl Used {
    fn now() -> Option<Used> {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        Used::read(&text, ticks, rustix::param::page_size() as f64)
    }

    fn read(text: &str, ticks_a_second: f64, page_bytes: f64) -> Option<Used> {
        // The name of the program stands in brackets and may have anything in it.
        let behind_name = text.rsplit_once(") ")?.1;
        let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
        // The first of these is the third field of the line.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Used {
            cpu_seconds: (field(14)? + field(15)?) / ticks_a_second,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_bytes,
        })
    }

    fn write(&self, out: &mut Text) {
        out.counter(
            "process_cpu_seconds_total",
            "Time of cores that the process has taken.",
            self.cpu_seconds,
        );
        let gauges = [
            ("threads", "Threads of the process.", self.threads),
            (
                "virtual_memory_bytes",
                "Addresses that the process has taken.",
                self.virtual_bytes,
            ),
            (
                "resident_memory_bytes",
                "Memory that the process has at hand, mapped files included.",
                self.resident_bytes,
            ),
        ];
        for (name, help, value) in gauges {
            out.gauge(&format!("process_{name}"), help, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_behind_a_name_with_brackets() {
        let line = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 12 0 99 4096 3 \
                    18446744073709551615 1 1";
        let used = Used {
            cpu_seconds: 2.0,
            threads: 12.0,
            virtual_bytes: 4096.0,
            resident_bytes: 12_288.0,
        };
        assert_eq!(Used::read(line, 100.0, 4096.0), Some(used));
        assert_eq!(Used::read("7 (short) S 1", 100.0, 4096.0), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_on_linux_is_told_with_its_disk() {
        let mut out = Text::default();
        write_resources(&mut out, Path::new("/"));
        let text = out.into_string();
        for name in [
            "process_cpu_seconds_total",
            "process_threads",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "chronolith_disk_bytes",
            "chronolith_disk_free_bytes",
        ] {
            let begin = format!("{name} ");
            let line = text.lines().find(|line| line.starts_with(&begin));
            let value: f64 = line.unwrap()[begin.len()..].parse().unwrap();
            assert!(value > 0.0 || name == "process_cpu_seconds_total", "{name}");
        }
    }
}
