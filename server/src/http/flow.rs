//! [`Flow`]: bytes as they are written, of which finished parts are sent while more are written.

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

/// Bytes after which a part is sent.
const PART_BYTES: usize = 64 << 10;

/// The reader of a streamed answer has gone away.
#[derive(Debug)]
pub(crate) struct Gone;

/// What is written, as far as it is not sent.
pub(crate) struct Flow {
    pub(super) out: Vec<u8>,
    sink: Option<Sender<Bytes>>,
}

impl Flow {
    /// Bytes that are kept until they are whole.
    pub(super) fn whole() -> Self {
        Flow {
            out: Vec::new(),
            sink: None,
        }
    }

    /// Bytes of which finished parts go to `sink`.
    pub(super) fn streamed(sink: Sender<Bytes>) -> Self {
        Flow {
            out: Vec::new(),
            sink: Some(sink),
        }
    }

    /// Writes bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Sends what is written so far if it is much. To be called between elements, off the runtime.
    pub(crate) fn pass(&mut self) -> Result<(), Gone> {
        let Some(sink) = &self.sink else {
            return Ok(());
        };
        if self.out.len() < PART_BYTES {
            return Ok(());
        }
        let part = std::mem::replace(&mut self.out, Vec::with_capacity(PART_BYTES + 4096));
        sink.blocking_send(part.into()).map_err(|_| Gone)
    }
}
