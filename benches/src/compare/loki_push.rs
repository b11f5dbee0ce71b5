//! Pushes to Loki's API: protobuf in a snappy block, as promtail sends them.

use super::remote_write::{put_bytes, varint};

/// Fields of the messages, as tags of their wire.
const REQUEST_STREAM: u8 = 0x0a;
const STREAM_LABELS: u8 = 0x0a;
const STREAM_ENTRY: u8 = 0x12;
const ENTRY_TIME: u8 = 0x0a;
const ENTRY_LINE: u8 = 0x12;
const TIME_SECONDS: u8 = 0x08;
const TIME_NANOS: u8 = 0x10;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A request that is being written.
#[derive(Default)]
pub struct Push {
    message: Vec<u8>,
}

impl Push {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.message.clear();
    }

    /// Adds a stream by its selector, with lines and their times in nanoseconds.
    pub fn stream(&mut self, labels: &str, lines: impl Iterator<Item = (u64, String)>) {
        let (mut stream, mut time, mut entry) = (Vec::new(), Vec::new(), Vec::new());
        put_bytes(&mut stream, STREAM_LABELS, labels.as_bytes());
        for (time_ns, line) in lines {
            time.clear();
            put_number(&mut time, TIME_SECONDS, time_ns / NANOS_PER_SECOND);
            put_number(&mut time, TIME_NANOS, time_ns % NANOS_PER_SECOND);
            entry.clear();
            put_bytes(&mut entry, ENTRY_TIME, &time);
            put_bytes(&mut entry, ENTRY_LINE, line.as_bytes());
            put_bytes(&mut stream, STREAM_ENTRY, &entry);
        }
        put_bytes(&mut self.message, REQUEST_STREAM, &stream);
    }

    /// The body to be posted.
    pub fn compressed(&self) -> Vec<u8> {
        // The encoder fails for messages of 4 GiB only.
        let compressed = snap::raw::Encoder::new().compress_vec(&self.message);
        compressed.unwrap_or_default()
    }
}

fn put_number(out: &mut Vec<u8>, tag: u8, number: u64) {
    let mut bytes = [0; 10];
    out.push(tag);
    out.extend_from_slice(varint(&mut bytes, number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_has_the_bytes_of_the_protocol() {
        let mut push = Push::default();
        push.stream("{a=\"b\"}", [(2_000_000_003, "hi".to_owned())].into_iter());
        let mut expected = vec![0x0a, 21, 0x0a, 7];
        expected.extend_from_slice(b"{a=\"b\"}");
        expected.extend_from_slice(&[0x12, 10, 0x0a, 4, 0x08, 2, 0x10, 3, 0x12, 2, b'h', b'i']);
        let mut decoder = snap::raw::Decoder::new();
        assert_eq!(
            decoder.decompress_vec(&push.compressed()).unwrap(),
            expected
        );
    }
}
