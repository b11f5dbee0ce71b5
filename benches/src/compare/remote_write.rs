//! Requests of Prometheus' remote write, version 1: protobuf in a snappy frame, compressed or not.

use chronolith_engine::labels::Labels;

/// Fields of the messages, as tags of their wire.
const REQUEST_SERIES: u8 = 0x0a;
const SERIES_LABEL: u8 = 0x0a;
const SERIES_SAMPLE: u8 = 0x12;
const LABEL_NAME: u8 = 0x0a;
const LABEL_VALUE: u8 = 0x12;
const SAMPLE_VALUE: u8 = 0x09;
const SAMPLE_TIME: u8 = 0x10;

/// A snappy literal whose length stands in four bytes.
const LITERAL_FOUR: u8 = 63 << 2;

/// The label fields of a series, to be sent again and again.
pub fn label_fields(labels: Labels<'_>) -> Vec<u8> {
    let (mut fields, mut label) = (Vec::new(), Vec::new());
    for (name, value) in labels.iter() {
        label.clear();
        put_bytes(&mut label, LABEL_NAME, name.as_bytes());
        put_bytes(&mut label, LABEL_VALUE, value.as_bytes());
        put_bytes(&mut fields, SERIES_LABEL, &label);
    }
    fields
}

/// A request that is being written.
#[derive(Default)]
pub struct Request {
    message: Vec<u8>,
    series: Vec<u8>,
}

impl Request {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.message.clear();
    }

    /// Adds a series by its label fields, with samples.
    pub fn series(&mut self, labels: &[u8], samples: impl Iterator<Item = (i64, f64)>) {
        self.series.clear();
        self.series.extend_from_slice(labels);
        for (time_ms, value) in samples {
            let mut time = [0; 10];
            let time = varint(&mut time, time_ms as u64);
            self.series.push(SERIES_SAMPLE);
            // A sample is shorter than 128 bytes: its length is one byte.
            self.series.push((10 + time.len()) as u8);
            self.series.push(SAMPLE_VALUE);
            self.series.extend_from_slice(&value.to_le_bytes());
            self.series.push(SAMPLE_TIME);
            self.series.extend_from_slice(time);
        }
        put_bytes(&mut self.message, REQUEST_SERIES, &self.series);
    }

    /// The body to be posted, compressed as senders do.
    pub fn compressed(&self) -> Vec<u8> {
        // The encoder fails for messages of 4 GiB only.
        let compressed = snap::raw::Encoder::new().compress_vec(&self.message);
        compressed.unwrap_or_default()
    }

    /// The body to be posted, framed and not compressed: quick to make.
    pub fn framed(&self) -> Vec<u8> {
        let mut length = [0; 10];
        let mut body = varint(&mut length, self.message.len() as u64).to_vec();
        if let Some(last) = self.message.len().checked_sub(1) {
            body.push(LITERAL_FOUR);
            body.extend_from_slice(&(last as u32).to_le_bytes());
            body.extend_from_slice(&self.message);
        }
        body
    }
}

/// Appends a field of bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    let mut length = [0; 10];
    out.push(tag);
    out.extend_from_slice(varint(&mut length, bytes.len() as u64));
    out.extend_from_slice(bytes);
}

/// The bytes of a number.
pub(super) fn varint(out: &mut [u8; 10], mut value: u64) -> &[u8] {
    let mut length = 0;
    while value >= 0x80 {
        out[length] = value as u8 | 0x80;
        value >>= 7;
        length += 1;
    }
    out[length] = value as u8;
    &out[..=length]
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolith_engine::labels::LabelSet;

    #[test]
    fn a_request_has_the_bytes_of_the_protocol() {
        let labels = LabelSet::from_pairs([("__name__", "up")]).unwrap();
        let mut request = Request::default();
        request.series(
            &label_fields(labels.as_labels()),
            [(1_000, 1.0)].into_iter(),
        );
        let mut expected = vec![0x0a, 30, 0x0a, 14, 0x0a, 8];
        expected.extend_from_slice(b"__name__");
        expected.extend_from_slice(&[0x12, 2, b'u', b'p', 0x12, 12, 0x09]);
        expected.extend_from_slice(&1f64.to_le_bytes());
        expected.extend_from_slice(&[0x10, 0xe8, 0x07]);
        let mut frame = vec![32, 0xfc, 31, 0, 0, 0];
        frame.extend_from_slice(&expected);
        assert_eq!(request.framed(), frame);
    }
}
