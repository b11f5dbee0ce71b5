//! What requests and connections may bring and take.

use std::time::Duration;

/// What one request over HTTP may bring and take, and how long its client may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Bytes of a pushed body as it comes.
    pub body_bytes_max: usize,
    /// Bytes of a body when it is decompressed.
    pub decoded_bytes_max: usize,
    /// Bytes of a message of OTLP in JSON, decompressed: its tree takes many times as much.
    pub json_bytes_max: usize,
    /// Bytes of a form.
    pub form_bytes_max: usize,
    /// Bytes of all bodies that come or wait to be stored, calls of gRPC among them.
    pub held_bytes_max: u64,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// How long the head of a request may take; also how long a connection may be idle.
    pub head_timeout: Duration,
    /// Headers of a request.
    pub headers_max: usize,
    /// Bytes of the head of a request.
    pub head_bytes_max: usize,
    /// How long a client may take nothing of what is sent to it.
    pub write_timeout: Duration,
    /// How long a handshake of TLS may take.
    pub handshake_timeout: Duration,
    /// How long requests have to end once the server stops.
    pub drain_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            body_bytes_max: 32 << 20,
            decoded_bytes_max: 32 << 20,
            json_bytes_max: 8 << 20,
            form_bytes_max: 10 << 20,
            held_bytes_max: 256 << 20,
            body_timeout: Duration::from_secs(5 * 60),
            head_timeout: Duration::from_secs(5 * 60),
            headers_max: 100,
            head_bytes_max: 408 << 10,
            write_timeout: Duration::from_secs(2 * 60),
            handshake_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// What connections of gRPC may bring and take, and how long their clients may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcLimits {
    /// Calls at once on one connection.
    pub calls_max: usize,
    /// Bytes of the headers of one call.
    pub header_bytes_max: usize,
    /// Bytes that a client may send ahead of what is read: on one connection, whatever its calls.
    pub ahead_bytes_max: usize,
    /// Calls that a client may take back before they were looked at. One more closes the
    /// connection.
    pub resets_max: usize,
    /// Calls that may break the protocol before the connection is closed.
    pub errors_max: usize,
    /// How often a client is asked whether it is there.
    pub keep_alive: Duration,
    /// How long it has to say so.
    pub keep_alive_timeout: Duration,
    /// A connection is closed that had no call for so long; it may be twice as long.
    pub idle_timeout: Duration,
}

impl Default for GrpcLimits {
    fn default() -> Self {
        GrpcLimits {
            calls_max: 64,
            header_bytes_max: 16 << 10,
            ahead_bytes_max: 512 << 10,
            resets_max: 20,
            errors_max: 100,
            keep_alive: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(5 * 60),
        }
    }
}
