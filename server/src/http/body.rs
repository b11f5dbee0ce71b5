//! Request bodies: read up to a limit, and decompressed up to another.
//!
//! No length that a client states sizes an allocation before it has been found possible.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::bodies::{Bodies, Held, Room};
use super::problem::{Cause, Problem};
use crate::duration;
use crate::meters::Limit;
use crate::settings::HttpLimits;

/// Snappy's densest element makes 64 bytes of 3, so no block is larger than this many times its
/// compressed bytes.
const SNAPPY_RATIO_MAX: usize = 22;

/// How far back zstd may refer, as a power of two: the decoder allocates it on the word of a header
/// of some bytes. No more than a body may have, but never less than encoders use that are not told
/// otherwise, and never more than is sane.
const ZSTD_WINDOW_LOG_MIN: u32 = 23;
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Not at all.
    Plain,
    /// Snappy's block format.
    Snappy,
    /// Gzip.
    Gzip,
    /// Deflate without a frame around it.
    Deflate,
    /// Zstandard.
    Zstd,
}

impl Encoding {
    /// What the header says; the text that is no encoding of ours otherwise.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Encoding, String> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(Encoding::Plain);
        };
        match value.to_str().unwrap_or("?").trim() {
            "" | "identity" => Ok(Encoding::Plain),
            "snappy" => Ok(Encoding::Snappy),
            "gzip" => Ok(Encoding::Gzip),
            "deflate" => Ok(Encoding::Deflate),
            "zstd" => Ok(Encoding::Zstd),
            other => Err(other.to_owned()),
        }
    }
}

/// Reads a pushed body, which has its room until it is dropped.
pub(crate) async fn read(
    body: Body,
    limits: &HttpLimits,
    bodies: &Bodies,
) -> Result<Held, Problem> {
    let max = (limits.body_bytes_max, Limit::BodyBytes);
    read_up_to(body, max, limits.body_timeout, Some(bodies)).await
}

/// Reads a form. Doors put the room for it into each request.
pub(crate) async fn read_form(
    body: Body,
    limits: &HttpLimits,
    bodies: Option<&Bodies>,
) -> Result<Held, Problem> {
    let max = (limits.form_bytes_max, Limit::FormBytes);
    read_up_to(body, max, limits.body_timeout, bodies).await
}

async fn read_up_to(
    body: Body,
    max: (usize, Limit),
    patience: Duration,
    bodies: Option<&Bodies>,
) -> Result<Held, Problem> {
    let read = tokio::time::timeout(patience, collect(body, max, bodies));
    read.await.unwrap_or_else(|_| {
        let why = format!("the body took longer than {}", duration::format(patience));
        Err(Problem::bad_data(why).limited(Limit::BodyTimeout))
    })
}

async fn collect(
    body: Body,
    (max, limit): (usize, Limit),
    bodies: Option<&Bodies>,
) -> Result<Held, Problem> {
    let mut body = Limited::new(body, max);
    let (mut parts, mut room) = (Vec::<Bytes>::new(), Room::default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => {
                let why = format!("the body has more than {max} bytes");
                Problem::new(Cause::TooLarge, why).limited(limit)
            }
            false => Problem::bad_data(format!("the body cannot be read: {error}")),
        })?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        if let Some(bodies) = bodies {
            bodies.take(part.len(), &mut room)?;
        }
        parts.push(part);
    }
    // Most bodies come in one part, which is not copied.
    let whole = match parts.len() {
        1 => parts.remove(0),
        _ => parts.concat().into(),
    };
    Ok(Held::new(whole, room))
}

/// Decompresses a body to at most `max` bytes. Blocks.
pub(crate) fn decompress(encoding: Encoding, body: &[u8], max: usize) -> Result<Vec<u8>, Problem> {
    match encoding {
        Encoding::Plain => Ok(body.to_vec()),
        Encoding::Snappy => snappy(body, max),
        Encoding::Gzip => bounded(flate2::read::MultiGzDecoder::new(body), max, "gzip"),
        Encoding::Deflate => bounded(flate2::read::DeflateDecoder::new(body), max, "deflate"),
        Encoding::Zstd => match zstd_decoder(body, max) {
            Ok(decoder) => bounded(decoder, max, "zstd"),
            Err(error) => Err(undecodable("zstd", &error)),
        },
    }
}

fn zstd_decoder(
    body: &[u8],
    max: usize,
) -> std::io::Result<zstd::stream::read::Decoder<'_, &[u8]>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    let log = max.checked_ilog2().unwrap_or(0);
    decoder.window_log_max(log.clamp(ZSTD_WINDOW_LOG_MIN, ZSTD_WINDOW_LOG_MAX))?;
    Ok(decoder)
}

fn snappy(body: &[u8], max: usize) -> Result<Vec<u8>, Problem> {
    let length = snap::raw::decompress_len(body).map_err(|error| undecodable("snappy", &error))?;
    if length > max {
        let why =
            format!("the body says that it decodes to {length} bytes, at most {max} are taken");
        return Err(Problem::bad_data(why).limited(Limit::DecodedBytes));
    }
    if length > body.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(Problem::bad_data(format!(
            "the body says that {} bytes of snappy decode to {length}, which is not possible",
            body.len()
        )));
    }
    let mut decoded = vec![0; length];
    snap::raw::Decoder::new()
        .decompress(body, &mut decoded)
        .map_err(|error| undecodable("snappy", &error))?;
    Ok(decoded)
}

fn bounded(decoder: impl Read, max: usize, name: &str) -> Result<Vec<u8>, Problem> {
    let mut decoded = Vec::new();
    let read = decoder
        .take((max as u64).saturating_add(1))
        .read_to_end(&mut decoded);
    if decoded.len() > max {
        let why = format!("the body decodes to more than {max} bytes");
        return Err(Problem::new(Cause::TooLarge, why).limited(Limit::DecodedBytes));
    }
    read.map_err(|error| undecodable(name, &error))?;
    Ok(decoded)
}

fn undecodable(name: &str, error: &dyn std::error::Error) -> Problem {
    Problem::bad_data(format!("the body is not valid {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const DECODED_BYTES_MAX: usize = 32 << 20;

    fn decompress(encoding: Encoding, body: &[u8]) -> Result<Vec<u8>, Problem> {
        super::decompress(encoding, body, DECODED_BYTES_MAX)
    }

    #[test]
    fn a_few_bytes_of_zstd_cannot_ask_for_much_memory() {
        // A frame whose window is 2 to the power of `log`, with one block of one byte.
        let frame = |log: u8| {
            let window = (log - 10) << 3;
            vec![0x28, 0xb5, 0x2f, 0xfd, 0, window, 9, 0, 0, b'x']
        };
        assert_eq!(decompress(Encoding::Zstd, &frame(25)).unwrap(), b"x");
        for log in [26, 27, 31, 41] {
            let refused = decompress(Encoding::Zstd, &frame(log)).unwrap_err();
            assert_eq!(refused.cause(), Cause::BadData, "{log}");
        }
    }

    #[test]
    fn every_encoding_gives_back_what_went_in() {
        let text = b"one two three, one two three, one two three".repeat(50);
        let snappy = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&text).unwrap();
        let zstd = zstd::bulk::compress(&text, 3).unwrap();
        let level = flate2::Compression::default();
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), level);
        deflate.write_all(&text).unwrap();
        for (encoding, body) in [
            (Encoding::Plain, text.clone()),
            (Encoding::Deflate, deflate.finish().unwrap()),
            (Encoding::Snappy, snappy),
            (Encoding::Gzip, gzip.finish().unwrap()),
            (Encoding::Zstd, zstd),
        ] {
            assert_eq!(decompress(encoding, &body).unwrap(), text, "{encoding:?}");
        }
    }

    #[test]
    fn a_snappy_body_that_cannot_be_as_large_as_it_says_is_refused_unread() {
        // 31 MiB claimed by 47 bytes.
        let mut bomb = vec![0x80, 0x80, 0xc0, 0x0f];
        bomb.resize(47, 0xfe);
        let problem = decompress(Encoding::Snappy, &bomb).unwrap_err();
        assert!(problem.message().contains("not possible"), "{problem:?}");
        // 4 GiB claimed: over the limit whatever follows.
        let problem = decompress(Encoding::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0]).unwrap_err();
        assert!(problem.message().contains("at most"), "{problem:?}");
        assert_eq!(problem.cause(), Cause::BadData);
    }

    #[test]
    fn the_densest_snappy_body_is_taken() {
        let zeros = vec![0u8; 1 << 20];
        let dense = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
        assert!(zeros.len() / dense.len() < SNAPPY_RATIO_MAX);
        assert_eq!(decompress(Encoding::Snappy, &dense).unwrap(), zeros);
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0u8; DECODED_BYTES_MAX + 1];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&zeros).unwrap();
        let zstd = zstd::bulk::compress(&zeros, 1).unwrap();
        for (encoding, body) in [
            (Encoding::Gzip, gzip.finish().unwrap()),
            (Encoding::Zstd, zstd),
        ] {
            assert_eq!(
                decompress(encoding, &body).unwrap_err().cause(),
                Cause::TooLarge
            );
        }
    }

    #[test]
    fn cut_bodies_are_refused() {
        let text = b"one two three, one two three, one two three".repeat(5);
        let snappy = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        let zstd = zstd::bulk::compress(&text, 3).unwrap();
        for (encoding, body) in [(Encoding::Snappy, snappy), (Encoding::Zstd, zstd)] {
            for cut in 1..body.len() {
                let problem = decompress(encoding, &body[..cut]).unwrap_err();
                assert_eq!(problem.cause(), Cause::BadData, "{encoding:?} at {cut}");
            }
        }
    }
}
