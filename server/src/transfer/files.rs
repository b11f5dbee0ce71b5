//! Files line by line, plain or packed with gzip or zstd, from a position on.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::fault::{Fault, Result};

/// Bytes of one line.
const LINE_BYTES_MAX: usize = 64 << 20;

/// A file that is read line by line.
pub(crate) struct LineFile {
    path: PathBuf,
    source: BufReader<Box<dyn Read>>,
    /// Bytes that have been read, unpacked.
    position: u64,
    line: Vec<u8>,
}

impl LineFile {
    /// Opens a file and passes over what is in front of a position.
    pub(crate) fn open(path: &Path, position: u64) -> Result<LineFile> {
        let io = |error: std::io::Error| Fault::io("cannot read", path, &error);
        let file = File::open(path).map_err(io)?;
        let source: Box<dyn Read> = match path.extension().and_then(|kind| kind.to_str()) {
            Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Some("zst") => Box::new(zstd::stream::read::Decoder::new(file).map_err(io)?),
            _ => Box::new(file),
        };
        let mut source = BufReader::with_capacity(1 << 20, source);
        let passed = std::io::copy(&mut source.by_ref().take(position), &mut std::io::sink());
        if passed.map_err(io)? != position {
            return Err(Fault::new(format!(
                "{} is shorter than it was when its import began",
                path.display()
            )));
        }
        Ok(LineFile {
            path: path.to_owned(),
            source,
            position,
            line: Vec::new(),
        })
    }

    /// The next line without its end.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let mut limited = self.source.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        let read = limited.read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| Fault::io("cannot read", &self.path, &error))?;
        if read > LINE_BYTES_MAX {
            return Err(Fault::new(format!(
                "{}: the line at byte {} is longer than {LINE_BYTES_MAX} bytes",
                self.path.display(),
                self.position
            )));
        }
        self.position += read as u64;
        if read == 0 {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// Behind the last line that was given out.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }
}

/// When a file was written last, in milliseconds: the time of what has none of its own.
pub(crate) fn written_ms(path: &Path) -> Result<i64> {
    let written = std::fs::metadata(path).and_then(|found| found.modified());
    let written = written.map_err(|error| Fault::io("cannot read", path, &error))?;
    let since = written.duration_since(SystemTime::UNIX_EPOCH);
    Ok(since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }))
}
