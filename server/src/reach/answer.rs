//! An answer: read piece by piece while it comes, so that a large one takes no memory.

use std::io::{self, Read};
use std::rc::Rc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::header::RETRY_AFTER;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::client::{Cause, Failure};

/// How much of an error is read.
const ERROR_BYTES_MAX: u64 = 64 << 10;

/// The body of an answer, as something to read from.
pub(crate) struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    runtime: Rc<Runtime>,
    body: Body,
    rest: Bytes,
}

impl Answer {
    pub(super) fn new(runtime: Rc<Runtime>, response: Response<Body>) -> Answer {
        let wait = response.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Answer {
            status: response.status().as_u16(),
            retry_after: wait.map(Duration::from_secs),
            runtime,
            body: response.into_body(),
            rest: Bytes::new(),
        }
    }

    /// The answer, unless it says that something was wrong.
    pub(super) fn accepted(mut self, who: &str) -> Result<Answer, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let mut bytes = Vec::new();
        // What could be read of an error is told, whatever came after it.
        let _ = (&mut self).take(ERROR_BYTES_MAX).read_to_end(&mut bytes);
        let said = String::from_utf8_lossy(&bytes);
        let why = reason(&said);
        let text = match (self.status, why.is_empty()) {
            (401, _) => format!(
                "{who} wants to know who asks (401): use --user with --password-file, or \
                 --bearer-token-file"
            ),
            (status, true) => format!("{who} answered with status {status}"),
            (status, false) => format!("{why} ({who} answered {status})"),
        };
        let cause = Cause::Refused(self.status, self.retry_after);
        Err(Failure::new(cause, text))
    }

    /// The whole answer as text.
    pub(crate) fn text(mut self) -> Result<String, Failure> {
        let mut text = String::new();
        self.read_to_string(&mut text)
            .map_err(|error| Failure::broken(format!("the answer broke off: {error}")))?;
        Ok(text)
    }
}

/// The reason in an error: the `error` of Prometheus' envelope, `message` in others, or the text.
fn reason(said: &str) -> String {
    let json: Option<Value> = serde_json::from_str(said).ok();
    let told = json.as_ref().and_then(|json| {
        let text = |key: &str| json.get(key).and_then(Value::as_str);
        text("error").or_else(|| text("message"))
    });
    told.unwrap_or(said).trim().to_owned()
}

impl Read for Answer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let frame = self.runtime.block_on(self.body.frame());
            match frame {
                None => return Ok(0),
                Some(Err(error)) => return Err(io::Error::other(error)),
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
            }
        }
        let length = self.rest.len().min(into.len());
        into[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_in_any_form_of_error() {
        let envelope = r#"{"status":"error","errorType":"bad_data","error":"no such thing"}"#;
        assert_eq!(reason(envelope), "no such thing");
        assert_eq!(reason(r#"{"message":"denied"}"#), "denied");
        assert_eq!(reason("too many lines\n"), "too many lines");
    }
}
