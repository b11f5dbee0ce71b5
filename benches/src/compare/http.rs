//! The little HTTP that a load needs: one connection that is kept, requests with a length.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Headers of an answer, and its body, at most.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A connection to a server on this machine.
pub struct Connection {
    stream: BufReader<TcpStream>,
    port: u16,
}

/// An answer.
pub struct Answer {
    /// 200 and the like.
    pub status: u16,
    /// Its text.
    pub body: String,
}

impl Connection {
    /// Connects to a port of 127.0.0.1.
    pub fn open(port: u16) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream: BufReader::new(stream),
            port,
        })
    }

    /// Sends a request with further header lines, each closed by `\r\n`.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}Content-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        let out = self.stream.get_mut();
        out.write_all(head.as_bytes())?;
        out.write_all(body)?;
        self.read()
    }

    fn read(&mut self) -> std::io::Result<Answer> {
        let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let mut input = self.stream.by_ref().take(ANSWER_BYTES_MAX);
        let (mut line, mut length, mut is_chunked) = (String::new(), 0, false);
        input.read_line(&mut line)?;
        let status = line.split_whitespace().nth(1);
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| broken("the answer has no status"))?;
        loop {
            line.clear();
            if input.read_line(&mut line)? == 0 {
                return Err(broken("the answer ends in its headers"));
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    let value = value.trim().parse();
                    length = value.map_err(|_| broken("the answer's length is no number"))?;
                } else if name.eq_ignore_ascii_case("transfer-encoding") {
                    is_chunked = true;
                }
            }
        }
        let mut body = Vec::new();
        loop {
            if is_chunked {
                line.clear();
                input.read_line(&mut line)?;
                let size = line.split(';').next().unwrap_or("").trim();
                length = usize::from_str_radix(size, 16)
                    .map_err(|_| broken("a chunk's length is no number"))?;
            }
            let read = input.by_ref().take(length as u64).read_to_end(&mut body)?;
            if read < length {
                return Err(broken("the answer is cut"));
            }
            if is_chunked {
                line.clear();
                input.read_line(&mut line)?;
            }
            if !is_chunked || length == 0 {
                break;
            }
        }
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// A text as it stands in the query of an address.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
