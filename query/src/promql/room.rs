//! [`Room`]: memory that all queries at hand share, counted in samples.
//!
//! One query is bounded by its limits; many at once are bounded by the room that they share. A
//! query that finds no room left ends with an error that says to come again, and gives back what
//! it had.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::promql::error::{Error, ErrorKind, Result};

/// A sample takes so many bytes, as far as room is concerned.
const SAMPLE_BYTES: usize = 16;

/// How many samples all queries that are given it may hold at once. Clones are the same room.
#[derive(Clone, Debug)]
pub struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    samples_max: usize,
    held: AtomicUsize,
}

impl Room {
    /// Room for so many samples.
    pub fn new(samples_max: usize) -> Self {
        Room(Arc::new(Shared {
            samples_max,
            held: AtomicUsize::new(0),
        }))
    }

    /// How many samples are held.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }
}

/// What one query, or a part of it, holds of a room. Given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    room: Option<Room>,
    held: AtomicUsize,
}

impl Share {
    /// Nothing yet. Without a room there is no end to it.
    pub(crate) fn of(room: Option<&Room>) -> Self {
        Share {
            room: room.cloned(),
            held: AtomicUsize::new(0),
        }
    }

    /// A share for so many bytes of text, if there is room.
    pub(crate) fn of_text(room: Option<&Room>, bytes: usize) -> Result<Self> {
        let share = Share::of(room);
        share.grow(bytes.div_ceil(SAMPLE_BYTES))?;
        Ok(share)
    }

    /// Takes room for so many samples more.
    pub(crate) fn grow(&self, samples: usize) -> Result<()> {
        let Some(Room(shared)) = &self.room else {
            return Ok(());
        };
        let before = shared.held.fetch_add(samples, Ordering::Relaxed);
        if before.saturating_add(samples) > shared.samples_max {
            shared.held.fetch_sub(samples, Ordering::Relaxed);
            let message = format!(
                "the queries at hand hold as many samples as they may together ({}): try again \
                 later, or select less",
                shared.samples_max
            );
            return Err(Error::new(ErrorKind::Busy, message));
        }
        self.held.fetch_add(samples, Ordering::Relaxed);
        Ok(())
    }

    /// Gives room for so many samples back, or as much as is held.
    pub(crate) fn shrink(&self, samples: usize) {
        let Some(Room(shared)) = &self.room else {
            return;
        };
        let less = |held: usize| Some(held.saturating_sub(samples));
        let before = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .unwrap_or_else(|held| held);
        shared
            .held
            .fetch_sub(samples.min(before), Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fill_a_room_and_leave_it_empty() {
        let room = Room::new(100);
        let one = Share::of(Some(&room));
        let other = Share::of(Some(&room));
        one.grow(60).unwrap();
        assert_eq!(other.grow(41).unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(room.held(), 60);
        other.grow(40).unwrap();
        one.shrink(10);
        assert_eq!(room.held(), 90);
        // More than it holds is not given back.
        one.shrink(1_000);
        assert_eq!(room.held(), 40);
        drop(other);
        assert_eq!(room.held(), 0);
        let text = Share::of_text(Some(&room), 17).unwrap();
        assert_eq!(room.held(), 2);
        drop(text);
        assert!(Share::of_text(Some(&room), 1_601).is_err());
        assert_eq!(room.held(), 0);
        assert!(Share::of(None).grow(usize::MAX).is_ok());
    }
}
