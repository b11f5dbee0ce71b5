//! Samples in the chunks of Prometheus, as remote read streams them: floats in chunks of XOR, each
//! native histogram in a chunk of its own.
//!
//! Those are frames of `prometheus.ChunkedReadResponse`: its length, a checksum, itself. Knows no
//! store.

mod bits;
mod histogram;
mod xor;

use chronolith_engine::labels::Labels;
use chronolith_engine::metrics::{SampleColumn, SampleRun};

use super::message::Message;
use xor::XorChunk;

/// Bytes of chunks after which a frame ends: as large as Prometheus makes them.
const FRAME_BYTES: usize = 1 << 20;

/// Encodings of chunks.
const XOR: i64 = 1;

/// One series while its chunks are written.
pub(crate) struct ChunkedSeries {
    query: i64,
    labels: Message,
    /// The labels, and chunks that no frame has yet.
    series: Message,
    chunk_bytes: usize,
    open: XorChunk,
}

impl ChunkedSeries {
    /// A series of the query with this place, without samples yet.
    pub(crate) fn new(query: usize, labels: Labels<'_>) -> Self {
        let labels = labels
            .iter()
            .map(|(name, value)| Message::new().bytes(1, name).bytes(2, value));
        let labels = labels.fold(Message::new(), |series, label| series.message(1, label));
        ChunkedSeries {
            query: i64::try_from(query).unwrap_or(i64::MAX),
            series: labels.clone(),
            labels,
            chunk_bytes: 0,
            open: XorChunk::default(),
        }
    }

    /// Adds samples, and gives every frame that is full to `send`.
    pub(crate) fn push<E>(
        &mut self,
        run: &SampleRun,
        mut send: impl FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (index, time) in run.times().iter().enumerate() {
            match run.values() {
                SampleColumn::Floats(values) => {
                    self.open.push(*time, values[index]);
                    if self.open.is_full() {
                        self.end_chunk();
                    }
                }
                SampleColumn::Histograms(values) => {
                    self.end_chunk();
                    let (encoding, data) = histogram::chunk(*time, &values[index]);
                    self.chunk((*time, *time), encoding, data);
                }
            }
            if self.chunk_bytes >= FRAME_BYTES {
                send(self.frame())?;
            }
        }
        Ok(())
    }

    /// The last frame, if there is something that no frame has.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        self.end_chunk();
        (self.chunk_bytes > 0).then(|| self.frame())
    }

    fn end_chunk(&mut self) {
        if let Some((times, data)) = std::mem::take(&mut self.open).finish() {
            self.chunk(times, XOR, data);
        }
    }

    fn chunk(&mut self, times: (i64, i64), encoding: i64, data: Vec<u8>) {
        self.chunk_bytes += data.len();
        let chunk = Message::new()
            .integer(1, times.0)
            .integer(2, times.1)
            .integer(3, encoding)
            .bytes(4, data);
        self.series = std::mem::take(&mut self.series).message(2, chunk);
    }

    fn frame(&mut self) -> Vec<u8> {
        self.chunk_bytes = 0;
        let series = std::mem::replace(&mut self.series, self.labels.clone());
        let message = Message::new().message(1, series).integer(2, self.query);
        frame(&message.into_bytes())
    }
}

/// A message with its length and its checksum before it.
fn frame(message: &[u8]) -> Vec<u8> {
    let mut bits = bits::Bits::default();
    bits.varint(message.len() as u64);
    let mut frame = bits.into_bytes();
    frame.reserve(message.len() + 4);
    frame.extend_from_slice(&crc32c(message).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// The remainders of all bytes by Castagnoli's polynomial, reversed.
const REMAINDERS: [u32; 256] = {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let (mut remainder, mut bit) = (byte as u32, 0);
        while bit < 8 {
            let odd = remainder & 1;
            remainder = remainder >> 1 ^ (0x82f6_3b78 * odd);
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        crc >> 8 ^ REMAINDERS[usize::from(crc as u8 ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32C, and 32 bytes of zeros from RFC 3720.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
