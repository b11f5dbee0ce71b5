//! Names and values of labels, and series, found by a regular expression among very many series.

use super::feed::Feed;
use super::http::escaped;
use super::server::{Program, Server};
use super::servers::again;
use crate::loads::{Load, Outcome, node, say};
use crate::process::RunDirectory;

/// Of so many scrapes each series has samples.
const SCRAPES: usize = 2;

/// What is asked: a name for it, a path, and its selector.
const QUESTIONS: [(&str, &str, &str); 4] = [
    (
        "values of a label, by a regex over another",
        "/api/v1/label/device/values",
        "{instance=~\".*77.*\"}",
    ),
    (
        "names of metrics, by a regex over a label",
        "/api/v1/label/__name__/values",
        "{instance=~\".*1[0-3].*\", device!=\"\"}",
    ),
    (
        "values of a label, by a regex over metrics",
        "/api/v1/label/instance/values",
        "{__name__=~\"node_netstat_.+\"}",
    ),
    (
        "series, by two regexes",
        "/api/v1/series",
        "{__name__=~\"node_cpu_.*total\", instance=~\".*99.*\"}",
    ),
];

/// Asks the programs, one after the other.
pub fn run(load: &Load, programs: &[Program]) -> Outcome {
    let (hosts, _) = node::input(load)?;
    for program in programs.iter().copied() {
        let directory = RunDirectory::new(program.name());
        let server = Server::start(program, directory.path())?;
        let mut connection = server.connect()?;
        let mut feed = Feed::new(&hosts)?;
        for scrape in 0..SCRAPES {
            feed.push(&mut connection, scrape, &mut Vec::new())?;
        }
        drop(feed);
        server.settle(&mut connection)?;
        let series = hosts.count() * hosts.series();
        say(&format!("{}: {series} series", program.name()));
        let start = hosts.time_ms(0, 0) / 1_000;
        let end = hosts.time_ms(0, SCRAPES) / 1_000;
        for (what, path, selector) in QUESTIONS {
            let selector = escaped(selector);
            let path = format!("{path}?match[]={selector}&start={start}&end={end}");
            again(&server, &mut connection, program, what, &path)?;
        }
    }
    Ok(())
}
