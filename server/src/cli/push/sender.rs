//! A batch sent until the server has it, has refused it, or has been away for too long.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::cli::say;
use crate::reach::{Cause, Door, Failure, Reach};

/// How long to wait before a batch is sent again; each time longer, up to the last.
const REST: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(5);

/// What became of a batch.
pub(super) enum Sent {
    Stored,
    /// It is refused, or something in it, and why.
    Refused(String),
}

/// Sends batches.
pub(super) struct Sender<'r> {
    reach: &'r Reach,
    retry_for: Duration,
}

impl<'r> Sender<'r> {
    pub(super) fn new(reach: &'r Reach, retry_for: Duration) -> Sender<'r> {
        Sender { reach, retry_for }
    }

    /// Sends a batch. An error means that no further batch need be tried.
    pub(super) fn send(
        &mut self,
        door: Door,
        target: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Sent, Failure> {
        let (began, mut rest) = (Instant::now(), REST);
        let mut has_told = false;
        loop {
            let sent = self.reach.post(door, target, headers, body.clone());
            let failure = match sent.and_then(|answer| answer.text()) {
                Ok(_) => return Ok(Sent::Stored),
                Err(failure) => failure,
            };
            if !failure.is_passing() {
                return match failure.cause() {
                    Cause::Refused(400 | 413 | 422, _) => Ok(Sent::Refused(failure.to_string())),
                    _ => Err(failure),
                };
            }
            if began.elapsed() >= self.retry_for {
                return Err(failure);
            }
            if !has_told {
                has_told = true;
                let long = crate::duration::format(self.retry_for);
                say(&format!("chronolith: {failure}; trying again for {long}\n"));
            }
            let wait = failure.retry_after().unwrap_or(rest);
            let left = self.retry_for.saturating_sub(began.elapsed());
            std::thread::sleep(wait.min(REST_MAX).min(left));
            rest = (rest * 2).min(REST_MAX);
        }
    }
}
