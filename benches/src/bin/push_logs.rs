//! Pushes log lines of 300 bytes at a running server, as promtail does, and says how much of its
//! processor that took until it was idle again.
//!
//! `push_logs PORT PID MEGABYTES [STREAMS]`: the port of the Loki API, the process of the server.

use std::process::ExitCode;
use std::time::Duration;

use chronolith_benches::compare::http::Connection;
use chronolith_benches::compare::loki_push::Push;
use chronolith_benches::loads::say;
use chronolith_benches::process::cpu_of;
use chronolith_benches::shipping;
use chronolith_engine::labels::Labels;

/// Lines of one request.
const LINES: u64 = 3_500;

/// How long the server has to do next to nothing to count as idle.
const REST: Duration = Duration::from_secs(3);

/// What it may do meanwhile.
const NEXT_TO_NOTHING: Duration = Duration::from_millis(30);

/// Time between two lines.
const GAP_NS: u64 = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| {
        arguments
            .get(place)
            .and_then(|text| text.parse::<u64>().ok())
    };
    let (Some(port), Some(_), Some(megabytes)) = (number(0), number(1), number(2)) else {
        say("give the port, the process and how many megabytes of lines");
        return ExitCode::FAILURE;
    };
    match run(
        port as u16,
        &arguments[1],
        megabytes,
        number(3).unwrap_or(20),
    ) {
        Ok(told) => {
            say(&told);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(port: u16, pid: &str, megabytes: u64, streams: u64) -> std::io::Result<String> {
    let unknown = || std::io::Error::other("the process cannot be watched");
    let mut connection = Connection::open(port)?;
    let before = cpu_of(pid).ok_or_else(unknown)?;
    let (mut sent, mut lines) = (0u64, 0u64);
    while sent < megabytes * 1_000_000 {
        let (body, bytes) = request(lines, streams);
        let headers = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n";
        let answer = connection.send("POST", "/loki/api/v1/push", headers, &body)?;
        if answer.status != 204 {
            return Err(std::io::Error::other(answer.body));
        }
        sent += bytes;
        lines += LINES;
    }
    let pushed = cpu_of(pid).ok_or_else(unknown)? - before;
    let answer = connection.send("POST", "/flush", "", b"")?;
    let answer = match answer.status {
        204 => connection.send("POST", "/compact", "", b"")?,
        _ => answer,
    };
    if answer.status != 204 {
        return Err(std::io::Error::other(answer.body));
    }
    let mut settled = cpu_of(pid).ok_or_else(unknown)?;
    loop {
        std::thread::sleep(REST);
        let now = cpu_of(pid).ok_or_else(unknown)?;
        if now - settled <= NEXT_TO_NOTHING {
            break;
        }
        settled = now;
    }
    let all = settled - before;
    let rate = |took: Duration| sent as f64 / 1e6 / took.as_secs_f64();
    Ok(format!(
        "{lines} lines, {} MB: {:.2} s of CPU while pushing ({:.0} MB/s), {:.2} s until idle \
         ({:.0} MB/s)",
        sent / 1_000_000,
        pushed.as_secs_f64(),
        rate(pushed),
        all.as_secs_f64(),
        rate(all)
    ))
}

/// A request of the next lines, each stream's in a row, and the bytes of its lines.
fn request(first: u64, streams: u64) -> (Vec<u8>, u64) {
    let (mut push, mut bytes) = (Push::default(), 0);
    for stream in 0..streams {
        let labels = shipping::stream_labels(stream as usize);
        let labels = Labels::from_bytes(&labels).map(|labels| labels.to_string());
        let numbers = (first..first + LINES).filter(|number| number % streams == stream);
        let lines = numbers.map(|number| {
            let time = shipping::START_NS.unsigned_abs() + number * GAP_NS;
            let line = shipping::line(number);
            bytes += line.len() as u64;
            (time, line)
        });
        push.stream(&labels.unwrap_or_default(), lines);
    }
    (push.compressed(), bytes)
}
