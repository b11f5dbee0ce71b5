//! What is pushed: lines of files or of standard input, in batches.
//!
//! A thread reads, so that lines which trickle in are sent every second and not only when there are
//! many.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::cli::period::now;
use crate::reach::Failure;

/// What a batch has at most.
const BATCH_LINES: usize = 5000;
const BATCH_BYTES: usize = 1 << 20;

/// How long the first line of a batch waits for others.
const BATCH_WAIT: Duration = Duration::from_secs(1);

/// What one line may have: more is no text with lines.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// A line and when it was read.
pub(super) struct Line {
    pub(super) text: String,
    /// Nanoseconds since 1970; no two lines have the same.
    pub(super) time: i64,
}

/// Lines that are sent together.
pub(super) struct Batch {
    /// The number of the first among all that were read, from 1.
    pub(super) first_line: u64,
    pub(super) lines: Vec<Line>,
}

/// Lines that are being read.
pub(super) struct Input {
    lines: Receiver<Result<Line, Failure>>,
    read: u64,
}

impl Input {
    /// Begins to read files one after the other, or standard input where there are none.
    pub(super) fn open(paths: Vec<PathBuf>) -> Result<Input, Failure> {
        let mut sources: Vec<(String, Box<dyn Read + Send>)> = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            let file = File::open(&path)
                .map_err(|error| Failure::misused(format!("cannot read {name}: {error}")))?;
            sources.push((name, Box::new(file)));
        }
        if sources.is_empty() {
            sources.push(("standard input".to_owned(), Box::new(io::stdin())));
        }
        let (sink, lines) = sync_channel(BATCH_LINES);
        std::thread::spawn(move || read_all(sources, &sink));
        Ok(Input { lines, read: 0 })
    }

    /// The next batch; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, Failure> {
        let Ok(first) = self.lines.recv() else {
            return Ok(None);
        };
        let mut batch = Batch {
            first_line: self.read + 1,
            lines: vec![first?],
        };
        let mut bytes = batch.lines[0].text.len();
        let until = Instant::now() + BATCH_WAIT;
        while batch.lines.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let line = line?;
                    bytes += line.text.len();
                    batch.lines.push(line);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        self.read += batch.lines.len() as u64;
        Ok(Some(batch))
    }
}

fn read_all(
    sources: Vec<(String, Box<dyn Read + Send>)>,
    sink: &SyncSender<Result<Line, Failure>>,
) {
    let mut last = i64::MIN;
    for (name, source) in sources {
        let mut source = BufReader::with_capacity(64 << 10, source);
        loop {
            let line = match next_line(&mut source) {
                Ok(None) => break,
                Ok(Some(text)) => {
                    // Equal lines stay apart.
                    last = now().max(last.saturating_add(1));
                    Ok(Line { text, time: last })
                }
                Err(error) => Err(Failure::broken(format!("cannot read {name}: {error}"))),
            };
            let is_last = line.is_err();
            if sink.send(line).is_err() || is_last {
                return;
            }
        }
    }
}

/// The next line without its end. Bytes that are no UTF-8 are replaced.
fn next_line(source: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = source.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    if read as u64 == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
        let why = format!("a line has more than {LINE_BYTES_MAX} bytes");
        return Err(io::Error::other(why));
    }
    if read == 0 {
        return Ok(None);
    }
    let end = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let end = end.strip_suffix(b"\r").unwrap_or(end);
    Ok(Some(String::from_utf8_lossy(end).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_without_their_ends() {
        let mut source: &[u8] = b"a\r\n\n\xff\nb";
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut source).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["a", "", "\u{fffd}", "b"]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut source = BufReader::new(io::repeat(b'x').take(LINE_BYTES_MAX + 1));
        assert!(next_line(&mut source).is_err());
    }
}
