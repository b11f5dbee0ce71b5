//! [`Status`]: how a call ended, in the words of gRPC. The other side of the error map in
//! `problem`.

use axum::http::{HeaderMap, HeaderValue};

use super::super::problem::{Cause, Problem};
use crate::meters::Limit;
use crate::wire::message::Message;

/// Bytes of a message in the trailers, before they are encoded: clients bound their size.
const TEXT_BYTES_MAX: usize = 1024;

/// The type of the detail that says when to try again.
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// gRPC's codes, as far as a call here ends with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    /// All is well.
    Ok = 0,
    /// The caller went away.
    Cancelled = 1,
    /// The message is wrong and will be wrong again.
    InvalidArgument = 3,
    /// It took longer than it may.
    DeadlineExceeded = 4,
    /// Who asks may not.
    PermissionDenied = 7,
    /// It is too much: for ever, or for now where the status says when to try again.
    ResourceExhausted = 8,
    /// There is no such method, or what the call uses is not known here.
    Unimplemented = 12,
    /// What came is no call of gRPC.
    Internal = 13,
    /// The server cannot take it now.
    Unavailable = 14,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    code: Code,
    message: String,
    /// After how many seconds the caller may try again.
    retry_seconds: Option<u32>,
    /// The limit that was met, if it was one.
    limit: Option<Limit>,
}

impl Status {
    /// An end after which the caller is not told when to try again.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Status {
            code,
            message: message.into(),
            retry_seconds: None,
            limit: None,
        }
    }

    /// The same, counted as a refusal by this limit.
    pub(crate) fn limited(self, limit: Limit) -> Self {
        Status {
            limit: Some(limit),
            ..self
        }
    }

    /// The limit that was met, if it was one.
    pub(super) fn limit(&self) -> Option<Limit> {
        self.limit
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// What stands in the trailers.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from(self.code as u16));
        if self.message.is_empty() {
            return headers;
        }
        let text = &self.message[..self.message.floor_char_boundary(TEXT_BYTES_MAX)];
        if let Ok(text) = HeaderValue::try_from(percent_encoded(text)) {
            headers.insert("grpc-message", text);
        }
        if let Some(seconds) = self.retry_seconds
            && let Ok(details) = HeaderValue::try_from(base64(&self.details(text, seconds)))
        {
            headers.insert("grpc-status-details-bin", details);
        }
        headers
    }

    /// `google.rpc.Status` with the detail when to try again.
    fn details(&self, text: &str, seconds: u32) -> Vec<u8> {
        let delay = Message::new().integer(1, i64::from(seconds));
        let retry = Message::new().message(1, delay);
        let detail = Message::new().bytes(1, RETRY_INFO).message(2, retry);
        Message::new()
            .integer(1, self.code as i64)
            .bytes(2, text)
            .message(3, detail)
            .into_bytes()
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let code = match problem.cause() {
            Cause::BadData | Cause::Execution | Cause::Empty => Code::InvalidArgument,
            Cause::Canceled => Code::Cancelled,
            Cause::Timeout => Code::DeadlineExceeded,
            Cause::TooLarge | Cause::Limit => Code::ResourceExhausted,
            Cause::Unsupported | Cause::Missing => Code::Unimplemented,
            Cause::Forbidden => Code::PermissionDenied,
            // What failed here may be tried again, which senders do not do for an internal error.
            Cause::Internal | Cause::Unavailable => Code::Unavailable,
        };
        Status {
            code,
            message: problem.message().to_owned(),
            retry_seconds: problem.retry_seconds(),
            limit: problem.limit(),
        }
    }
}

/// Bytes beyond the printable ones of ASCII, and the percent sign, as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// Base64 without padding, as trailers carry bytes.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            let six = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[six as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_bytes_are_encoded_as_trailers_carry_them() {
        assert_eq!(percent_encoded("a b%\n\u{e9}~"), "a b%25%0A%C3%A9~");
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob\xff\xfe", "Zm9vYv/+"),
        ] {
            assert_eq!(base64(bytes), text);
        }
    }

    #[test]
    fn a_long_message_is_cut_for_the_trailers() {
        let headers = Status::new(Code::Internal, "x".repeat(10_000)).headers();
        assert_eq!(headers["grpc-message"].len(), TEXT_BYTES_MAX);
        assert_eq!(headers["grpc-status"], "13");
    }

    #[test]
    fn who_may_try_again_is_told_when() {
        let of = |cause| Status::from(Problem::new(cause, "why"));
        for (cause, code, is_told) in [
            (Cause::BadData, Code::InvalidArgument, false),
            (Cause::TooLarge, Code::ResourceExhausted, false),
            (Cause::Limit, Code::ResourceExhausted, true),
            (Cause::Unavailable, Code::Unavailable, true),
            (Cause::Internal, Code::Unavailable, false),
            (Cause::Unsupported, Code::Unimplemented, false),
        ] {
            let status = of(cause);
            assert_eq!(status.code(), code, "{cause:?}");
            let headers = status.headers();
            assert_eq!(headers.contains_key("grpc-status-details-bin"), is_told);
        }
    }
}
