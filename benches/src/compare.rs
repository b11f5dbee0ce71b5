//! The same input into another database, in one run on one machine.
//!
//! Other databases are processes: programs that the system has, on 127.0.0.1 at a free port, on a
//! directory that goes when the run ends. They are none of our build.

mod beside;
mod feed;
pub mod http;
pub mod loki_push;
mod names;
mod prometheus;
pub mod remote_write;
mod server;
mod servers;

use crate::hosts::Hosts;
use crate::loads::{Load, Outcome, node, say};
use crate::meter::Made;
use server::Program;

pub use servers::RANGES;

/// Runs what the arguments ask for, with the options of the load `node`: `prometheus`, which
/// compares blocks with the engine's, `servers`, which compares servers with ours, or the name of
/// one of these; `beside`, which measures their pushes beside other work, and `names`, which asks
/// for names and series.
pub fn run(arguments: &[String]) -> Outcome {
    let load = Load::parse(arguments)?;
    match load.name() {
        "prometheus" => against_prometheus(&load),
        "servers" => servers::run(&load, &Program::ALL),
        "beside" => beside::run(&load, &Program::ALL),
        "names" => names::run(&load, &Program::ALL),
        other => match Program::ALL.iter().find(|program| program.name() == other) {
            Some(program) => servers::run(&load, &[*program]),
            None => Err(format!(
                "compare knows prometheus, servers, beside and names, not {other}"
            )
            .into()),
        },
    }
}

fn against_prometheus(load: &Load) -> Outcome {
    let (hosts, scrapes) = node::input(load)?;
    let theirs = prometheus::measure(&hosts, scrapes)?;
    say(&format!(
        "prometheus, by remote write: {}",
        theirs.describe()
    ));
    let ours = node::measure(load, &hosts, scrapes)?;
    say(&format!("chronolith, by its own door: {}", ours.describe()));
    check(&theirs, &hosts, scrapes)?;
    check(&ours, &hosts, scrapes)?;
    say(&format!(
        "prometheus needs {:.2} times the bytes and {:.2} times the core time, the decoding of \
         requests included",
        theirs.bytes_a_sample() / ours.bytes_a_sample(),
        theirs.cpu_seconds / ours.cpu_seconds,
    ));
    Ok(())
}

fn check(made: &Made, hosts: &Hosts, scrapes: usize) -> Outcome {
    let sent = (hosts.count() * hosts.series() * scrapes) as u64;
    match made.samples == sent {
        true => Ok(()),
        false => Err(format!("{sent} samples were sent, {} are in blocks", made.samples).into()),
    }
}
