//! The chunks of Prometheus, and frames of them as remote read streams them: floats in chunks of
//! XOR, each native histogram in a chunk of its own.
//!
//! A frame is a `prometheus.ChunkedReadResponse`: its length, a checksum, itself. Knows no store,
//! no files and no query.

pub(crate) mod bits;
pub(crate) mod chunk;
pub(crate) mod histogram;
pub(crate) mod xor;

use chronolith_engine::labels::Labels;
use chronolith_engine::metrics::{SampleColumn, SampleRun};

use super::bytes::{crc32c, put_uvarint};
use super::message::Message;

/// Bytes of chunks after which a frame ends: as large as Prometheus makes them.
const FRAME_BYTES: usize = 1 << 20;

/// Floats of one chunk, as Prometheus cuts them.
pub(crate) const SAMPLES_MAX: usize = 120;

/// One series while its chunks are written.
pub(crate) struct ChunkedSeries {
    query: i64,
    labels: Message,
    /// The labels, and chunks that no frame has yet.
    series: Message,
    chunk_bytes: usize,
    /// Floats that no chunk has yet.
    times: Vec<i64>,
    values: Vec<f64>,
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
            times: Vec::with_capacity(SAMPLES_MAX),
            values: Vec::with_capacity(SAMPLES_MAX),
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
                    self.times.push(*time);
                    self.values.push(values[index]);
                    if self.times.len() == SAMPLES_MAX {
                        self.end_chunk();
                    }
                }
                SampleColumn::Histograms(values) => {
                    self.end_chunk();
                    let data = histogram::encode(&[*time], &[&*values[index]]);
                    let encoding = chunk::encoding_of(&values[index]);
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
        if let (Some(first), Some(last)) = (self.times.first(), self.times.last()) {
            let (times, data) = ((*first, *last), xor::encode(&self.times, &self.values));
            self.times.clear();
            self.values.clear();
            self.chunk(times, chunk::XOR, data);
        }
    }

    fn chunk(&mut self, times: (i64, i64), encoding: u8, data: Vec<u8>) {
        self.chunk_bytes += data.len();
        let chunk = Message::new()
            .integer(1, times.0)
            .integer(2, times.1)
            .integer(3, i64::from(encoding))
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
    let mut frame = Vec::new();
    put_uvarint(&mut frame, message.len() as u64);
    frame.reserve(message.len() + 4);
    frame.extend_from_slice(&crc32c(message).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}
