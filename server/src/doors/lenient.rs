//! A connection whose requests may have in the query of their URL what a URL must not have: quotes,
//! angle brackets and bytes beyond ASCII. Go's server takes them, so that people ask Prometheus and
//! Loki by `curl -g 'http://host/api/v1/query?query=up{job="api"}'`; the parser here does not. They
//! are percent-encoded before it sees them, and nothing else is touched.
//!
//! That holds for the first request of a connection and for those behind it, up to the first with a
//! body or an upgrade: from there on bytes pass as they come, since where a body ends is not known
//! here. Limits, time-outs and what is refused are not this file's to decide: it waits for nothing,
//! and the head that is counted is the encoded one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of heads that are looked at in one go.
const PIECE: usize = 4096;

/// Headers behind whose head something else follows than the next head.
const FOLLOWED: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"upgrade"];

/// One more than the longest of these names has.
const NAME_MAX: usize = 18;

/// A stream that is read with the queries of its requests encoded.
pub(super) struct Lenient<S> {
    stream: S,
    heads: Heads,
    /// What is read and encoded, and did not fit where it was to go; what of it went since.
    rest: Vec<u8>,
    gone: usize,
}

impl<S> Lenient<S> {
    pub(super) fn new(stream: S) -> Self {
        Lenient {
            stream,
            heads: Heads::new(),
            rest: Vec::new(),
            gone: 0,
        }
    }

    /// Gives as much of the rest as there is room for.
    fn give_rest(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = &self.rest[self.gone..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.gone += count;
        if self.gone == self.rest.len() {
            self.gone = 0;
            match self.heads.place {
                // Never needed again.
                Place::Beyond => self.rest = Vec::new(),
                _ => self.rest.clear(),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            if this.heads.place == Place::Beyond {
                return Pin::new(&mut this.stream).poll_read(context, buffer);
            }
            let mut piece = [0; PIECE];
            let room = PIECE.min(buffer.remaining());
            let mut piece = ReadBuf::new(&mut piece[..room]);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut piece))?;
            this.heads.encode(piece.filled(), &mut this.rest);
        }
        this.give_rest(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Where in a request the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the URL.
    Method,
    /// In the URL, before its query.
    Path,
    Query,
    /// Behind the URL, in its line.
    Version,
    /// In the name of a header, or of what may become one.
    Name,
    /// Behind the name of a header.
    Value,
    /// Where nothing is looked at any more.
    Beyond,
}

/// Follows the heads of requests without a body, byte by byte.
struct Heads {
    place: Place,
    /// The name of the header at hand in small letters, as far as it matters, and its length.
    name: [u8; NAME_MAX],
    length: usize,
    /// Whether something else follows this head than the next.
    is_followed: bool,
}

impl Heads {
    fn new() -> Self {
        Heads {
            place: Place::Method,
            name: [0; NAME_MAX],
            length: 0,
            is_followed: false,
        }
    }

    /// Appends these bytes to `out`, encoded where they have to be.
    fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for (at, byte) in bytes.iter().enumerate() {
            match self.place {
                Place::Beyond => return out.extend_from_slice(&bytes[at..]),
                Place::Query if is_refused(*byte) => {
                    let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value)];
                    out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
                }
                _ => {
                    self.step(*byte);
                    out.push(*byte);
                }
            }
        }
    }

    /// Goes over one byte.
    fn step(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            // The parser passes over empty lines before a request, too.
            (Place::Method, b'\r' | b'\n') => Place::Method,
            (Place::Name, b'\n') if self.length == 0 => return self.end_head(),
            (_, b'\n') => {
                self.length = 0;
                Place::Name
            }
            (Place::Method, b' ') => Place::Path,
            (Place::Path, b'?') => Place::Query,
            (Place::Path | Place::Query, b' ') => Place::Version,
            (Place::Name, b':') => {
                self.is_followed |= FOLLOWED.contains(&&self.name[..self.length.min(NAME_MAX)]);
                Place::Value
            }
            (Place::Name, b'\r') => Place::Name,
            (Place::Name, letter) => {
                if let Some(place) = self.name.get_mut(self.length) {
                    *place = letter.to_ascii_lowercase();
                }
                self.length += 1;
                Place::Name
            }
            (place, _) => place,
        };
    }

    fn end_head(&mut self) {
        let is_followed = self.is_followed;
        *self = Heads::new();
        if is_followed {
            self.place = Place::Beyond;
        }
    }
}

/// Whether a byte is encoded in a query: what the parser refuses and Go's server takes, and the
/// sign of a fragment, at which the parser would cut what Go's server has as part of the query.
fn is_refused(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'#' | 0x80..)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What is read of what a client sends in pieces of `sent` bytes, `taken` bytes at a time.
    fn passed(bytes: &[u8], sent: usize, taken: usize) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(sent);
            let mut server = Lenient::new(server);
            let sending = async move { client.write_all(bytes).await.unwrap() };
            let reading = async {
                let (mut heard, mut part) = (Vec::new(), vec![0; taken]);
                loop {
                    match server.read(&mut part).await.unwrap() {
                        0 => return heard,
                        count => heard.extend_from_slice(&part[..count]),
                    }
                }
            };
            tokio::join!(sending, reading).1
        })
    }

    /// Asserts what becomes of a text, however it comes.
    fn assert_passed(text: &[u8], expected: &[u8]) {
        for (sent, taken) in [(1, 1), (1, 64), (7, 2), (64, 1), (4096, 3), (4096, 4096)] {
            let heard = passed(text, sent, taken);
            let heard = String::from_utf8_lossy(&heard).into_owned();
            assert_eq!(heard, String::from_utf8_lossy(expected), "{sent} {taken}");
        }
    }

    #[test]
    fn a_query_is_encoded_and_all_else_is_left() {
        assert_passed(
            "GET /a\"<b?q=up{job=\"é\"}<>#%22&x=1 HTTP/1.1\r\nHost: \"é<\"\r\n\r\n".as_bytes(),
            "GET /a\"<b?q=up{job=%22%C3%A9%22}%3C%3E%23%22&x=1 HTTP/1.1\r\nHost: \"é<\"\r\n\r\n"
                .as_bytes(),
        );
    }

    #[test]
    fn requests_without_a_body_are_followed_on_one_connection() {
        assert_passed(
            b"\r\nGET /?a=\" HTTP/1.1\r\nA: ?\"\r\n\r\nGET /?b=\" HTTP/1.1\nC:\"\n\nGET /?c=\"",
            b"\r\nGET /?a=%22 HTTP/1.1\r\nA: ?\"\r\n\r\nGET /?b=%22 HTTP/1.1\nC:\"\n\nGET /?c=%22",
        );
    }

    #[test]
    fn from_a_body_or_an_upgrade_on_nothing_is_touched() {
        let behind = b"POST /?x=\" HTTP/1.1\r\n\r\nGET /?y=\" HTTP/1.1\r\n\r\n";
        for header in [
            "content-length: 5",
            "Content-Length:5",
            "TRANSFER-ENCODING: chunked",
            "Upgrade: websocket",
        ] {
            let text = |quote: &str| {
                let head = format!("POST /?a={quote} HTTP/1.1\r\nHost: b\r\n{header}\r\n\r\n");
                [head.as_bytes(), behind].concat()
            };
            assert_passed(&text("\""), &text("%22"));
        }
        // These are others, however they begin or end.
        for header in [
            "content-lengths: 5",
            "x-upgrade: 1",
            "transfer-encoding-x: 1",
        ] {
            let text = |quote: &str| {
                format!("GET /?a={quote} HTTP/1.1\r\n{header}\r\n\r\nGET /?b={quote} HTTP/1.1")
            };
            assert_passed(text("\"").as_bytes(), text("%22").as_bytes());
        }
    }

    #[test]
    fn what_is_no_request_passes() {
        for text in [
            "",
            "\"",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\u{16}\u{3}\u{1}\"?\"",
        ] {
            assert_passed(text.as_bytes(), text.as_bytes());
        }
    }
}
