//! Remote write as agents send it: one scrape of some hosts in a request.

use std::time::{Duration, Instant};

use chronolith_engine::labels::Labels;

use super::http::Connection;
use super::remote_write::{Request, label_fields};
use crate::hosts::Hosts;
use crate::loads::Outcome;

/// Hosts in one request: about 8,000 samples.
const HOSTS_A_REQUEST: usize = 16;

const HEADERS: &str = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
                       X-Prometheus-Remote-Write-Version: 0.1.0\r\n";

/// Pushes the scrapes of hosts.
pub struct Feed<'h> {
    hosts: &'h Hosts,
    /// The labels of all series as they stand in a request.
    fields: Vec<Vec<u8>>,
    request: Request,
}

impl<'h> Feed<'h> {
    /// Of all series of these hosts.
    pub fn new(hosts: &'h Hosts) -> Result<Feed<'h>, Box<dyn std::error::Error>> {
        let mut fields = Vec::with_capacity(hosts.count() * hosts.series());
        for host in 0..hosts.count() {
            for labels in hosts.labels(host) {
                fields.push(label_fields(Labels::from_bytes(labels)?));
            }
        }
        Ok(Feed {
            hosts,
            fields,
            request: Request::default(),
        })
    }

    /// Pushes one scrape of all hosts, and notes how long each request took.
    pub fn push(
        &mut self,
        connection: &mut Connection,
        scrape: usize,
        latencies: &mut Vec<Duration>,
    ) -> Outcome {
        let hosts = self.hosts;
        for first in (0..hosts.count()).step_by(HOSTS_A_REQUEST) {
            self.request.clear();
            for host in first..hosts.count().min(first + HOSTS_A_REQUEST) {
                let (time, values) = (hosts.time_ms(host, scrape), hosts.values(host, scrape));
                for (place, value) in values.iter().enumerate() {
                    let labels = &self.fields[host * hosts.series() + place];
                    self.request.series(labels, std::iter::once((time, *value)));
                }
            }
            let sent = Instant::now();
            let body = self.request.framed();
            let answer = connection.send("POST", "/api/v1/write", HEADERS, &body)?;
            if answer.status / 100 != 2 {
                let (status, why) = (answer.status, answer.body);
                return Err(format!("a push is answered {status}: {why}").into());
            }
            latencies.push(sent.elapsed());
        }
        Ok(())
    }
}
