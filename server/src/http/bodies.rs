//! Room for pushed bodies: how many bytes of them are held together, of all requests and calls,
//! while they come and until they are stored.
//!
//! A body takes room as its bytes come, whatever its head says of them. Nobody waits for room with
//! a part of a body in hand: where there is none the body is refused, and may be sent again.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Cause, Problem};
use crate::meters::{Limit, Text};

/// Room for the bodies of all that is at hand. A handle: clones are the same room.
#[derive(Clone)]
pub(crate) struct Bodies {
    free: Arc<Semaphore>,
    bytes_max: usize,
}

/// What one body has of it, free again when this is dropped.
#[derive(Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

/// A whole body and its room.
pub(crate) struct Held {
    bytes: Bytes,
    _room: Room,
}

impl Bodies {
    /// Room for so many bytes.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        Bodies {
            free: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
        }
    }

    /// Bytes that are held at this moment.
    fn held_bytes(&self) -> usize {
        self.bytes_max - self.free.available_permits().min(self.bytes_max)
    }

    /// Writes how much is held.
    pub(crate) fn write(&self, out: &mut Text) {
        out.gauge(
            "chronolith_held_body_bytes",
            "Bytes of bodies that come or wait to be stored.",
            self.held_bytes() as f64,
        );
    }

    /// Adds to the room of a body.
    pub(crate) fn take(&self, bytes: usize, room: &mut Room) -> Result<(), Problem> {
        let count = u32::try_from(bytes).ok();
        let taken = count.and_then(|it| Arc::clone(&self.free).try_acquire_many_owned(it).ok());
        let Some(taken) = taken else {
            let why = "too many bytes of other requests wait to be stored: try again later";
            return Err(Problem::new(Cause::Unavailable, why).limited(Limit::HeldBytes));
        };
        match &mut room.0 {
            Some(room) => room.merge(taken),
            None => room.0 = Some(taken),
        }
        Ok(())
    }
}

impl Held {
    pub(crate) fn new(bytes: Bytes, room: Room) -> Self {
        Held { bytes, _room: room }
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_bit_by_bit_and_given_back_at_once() {
        let bodies = Bodies::new(10);
        let mut room = Room::default();
        for _ in 0..3 {
            bodies.take(3, &mut room).unwrap();
        }
        let refused = bodies.take(2, &mut Room::default()).unwrap_err();
        assert_eq!(refused.cause(), Cause::Unavailable);
        assert_eq!(refused.limit(), Some(Limit::HeldBytes));
        assert_eq!(bodies.held_bytes(), 9);
        drop(Held::new(Bytes::new(), room));
        assert_eq!(bodies.held_bytes(), 0);
        bodies.take(10, &mut Room::default()).unwrap();
    }
}
