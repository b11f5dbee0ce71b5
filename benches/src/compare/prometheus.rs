//! Prometheus as Debian ships it: the input by remote write, then its own blocks when it has come
//! to rest.
//!
//! A last sample far behind the input makes it cut the head, so that all of the input is in blocks;
//! that sample itself stays in its log. Only block directories are counted.

use std::thread::sleep;
use std::time::Duration;

use chronolith_engine::labels::{LabelSet, Labels};

use super::http::Connection;
use super::remote_write::{Request, label_fields};
use super::server::{Program, Server};
use crate::hosts::Hosts;
use crate::loads::Outcome;
use crate::meter::Made;
use crate::process::{RunDirectory, directory_bytes};

/// Scrapes of a series in one request: better for it than the one that senders mostly have.
const SCRAPES_A_REQUEST: usize = 8;

/// Hosts in one request: about 8,000 samples.
const HOSTS_A_REQUEST: usize = 2;

/// How far behind the input the last sample is: the head is cut when it spans three hours.
const BEHIND_MS: i64 = 4 * 60 * 60 * 1_000;

/// The program is at rest when it has used less than this much in [`REST`] while we looked.
const REST: Duration = Duration::from_secs(20);
const REST_CPU: Duration = Duration::from_millis(400);

/// Sends everything and looks at what is there in the end.
pub fn measure(hosts: &Hosts, scrapes: usize) -> Result<Made, Box<dyn std::error::Error>> {
    let directory = RunDirectory::new("prometheus");
    let server = Server::start(Program::Prometheus, directory.path())?;
    let mut connection = server.connect()?;
    send(&mut connection, hosts, scrapes)?;
    await_rest(&server)?;
    let mut made = Made {
        samples: 0,
        bytes: 0,
        blocks: 0,
        cpu_seconds: server.cpu()?.as_secs_f64(),
        peak_bytes: server.peak_bytes(),
    };
    for entry in std::fs::read_dir(server.data())? {
        let path = entry?.path();
        let Ok(facts) = std::fs::read_to_string(path.join("meta.json")) else {
            continue;
        };
        made.samples += number_of(&facts, "numSamples").ok_or("a block does not count samples")?;
        made.bytes += directory_bytes(&path);
        made.blocks += 1;
    }
    Ok(made)
}

fn send(connection: &mut Connection, hosts: &Hosts, scrapes: usize) -> Outcome {
    let mut fields = Vec::new();
    for host in 0..hosts.count() {
        for labels in hosts.labels(host) {
            fields.push(label_fields(Labels::from_bytes(labels)?));
        }
    }
    let mut request = Request::default();
    for first in (0..scrapes).step_by(SCRAPES_A_REQUEST) {
        let last = scrapes.min(first + SCRAPES_A_REQUEST);
        for host in 0..hosts.count() {
            for place in 0..hosts.series() {
                let samples = (first..last).map(|scrape| {
                    (
                        hosts.time_ms(host, scrape),
                        hosts.values(host, scrape)[place],
                    )
                });
                request.series(&fields[host * hosts.series() + place], samples);
            }
            if (host + 1) % HOSTS_A_REQUEST == 0 || host + 1 == hosts.count() {
                post(connection, &request)?;
                request.clear();
            }
        }
    }
    let last = LabelSet::from_pairs([("__name__", "behind_the_input")])?;
    let behind = hosts.time_ms(0, scrapes) + BEHIND_MS;
    request.series(
        &label_fields(last.as_labels()),
        std::iter::once((behind, 1.0)),
    );
    post(connection, &request)
}

fn post(connection: &mut Connection, request: &Request) -> Outcome {
    const HEADERS: &str = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
                           X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
    let answer = connection.send("POST", "/api/v1/write", HEADERS, &request.framed())?;
    match answer.status / 100 {
        2 => Ok(()),
        _ => Err(format!("prometheus answers {}: {}", answer.status, answer.body).into()),
    }
}

/// Returns once the server has nothing left to do.
fn await_rest(server: &Server) -> Outcome {
    loop {
        let before = server.cpu()?;
        sleep(REST);
        if server.cpu()? - before < REST_CPU {
            return Ok(());
        }
    }
}

/// The number behind a key of a JSON text.
fn number_of(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(&format!("\"{key}\":"))?;
    let digits = rest.trim_start();
    let end = digits
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_a_blocks_facts() {
        let facts = "{\"stats\": {\n  \"numSamples\": 973440,\n  \"numSeries\": 507}}";
        assert_eq!(number_of(facts, "numSamples"), Some(973_440));
        assert_eq!(number_of(facts, "numSeries"), Some(507));
        assert_eq!(number_of(facts, "numChunks"), None);
    }
}
