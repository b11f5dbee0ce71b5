//! The frame around a message: whether it is compressed, its length, itself.
//!
//! A body is held only as far as its bytes have come, and only while all bodies together are within
//! their bound. What a frame says of its length sizes no allocation.

use axum::body::Body;
use axum::http::HeaderMap;
use http_body_util::BodyExt;

use super::super::bodies::{Bodies, Held, Room};
use super::super::body::{self, Encoding};
use super::status::{Code, Status};
use crate::meters::Limit;
use crate::settings::HttpLimits;

/// Bytes before a message: a flag, and the length in four bytes, the largest first.
pub(crate) const FRAME_HEAD_BYTES: usize = 5;

/// Set in a frame whose message is compressed.
const COMPRESSED: u8 = 1;

/// Reads a body that should hold one frame, up to where it is found to hold anything else.
pub(crate) async fn read(
    mut body: Body,
    bodies: &Bodies,
    bytes_max: usize,
) -> Result<Held, Status> {
    let (mut bytes, mut room) = (Vec::new(), Room::default());
    while let Some(part) = body.frame().await {
        let part = part.map_err(|error| {
            Status::new(Code::Cancelled, format!("the call broke off: {error}"))
        })?;
        let Ok(data) = part.into_data() else {
            continue;
        };
        bodies.take(data.len(), &mut room)?;
        bytes.extend_from_slice(&data);
        let length = length(&bytes, bytes_max)?;
        if length.is_some_and(|length| bytes.len() - FRAME_HEAD_BYTES > length) {
            return Err(cardinality());
        }
    }
    Ok(Held::new(bytes.into(), room))
}

/// What the head of a frame says of its message, once it is there.
fn length(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Status> {
    let Some((head, _)) = bytes.split_first_chunk::<FRAME_HEAD_BYTES>() else {
        return Ok(None);
    };
    let [_, length @ ..] = *head;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    match length <= bytes_max {
        true => Ok(Some(length)),
        false => Err(Status::new(
            Code::ResourceExhausted,
            format!("a message may have {bytes_max} bytes, this one has {length}"),
        )
        .limited(Limit::BodyBytes)),
    }
}

fn cardinality() -> Status {
    Status::new(
        Code::Unimplemented,
        "a call takes one message, no more and no less",
    )
}

/// The message in a body of one frame, decompressed. Blocks.
pub(crate) fn unpack(
    body: &[u8],
    headers: &HeaderMap,
    limits: &HttpLimits,
) -> Result<Vec<u8>, Status> {
    if body.is_empty() {
        return Err(cardinality());
    }
    let broken = |why: &str| Status::new(Code::Internal, why);
    let Some(length) = length(body, limits.body_bytes_max)? else {
        return Err(broken("the frame ends before its message begins"));
    };
    let (head, message) = body.split_at(FRAME_HEAD_BYTES);
    if message.len() < length {
        return Err(broken("the frame ends before its message does"));
    }
    if message.len() > length {
        return Err(cardinality());
    }
    match (head[0], encoding(headers)?) {
        (0, _) => Ok(message.to_vec()),
        (COMPRESSED, Encoding::Plain) => Err(broken(
            "the frame says that its message is compressed, and grpc-encoding does not say how",
        )),
        (COMPRESSED, encoding) => {
            body::decompress(encoding, message, limits.decoded_bytes_max).map_err(Status::from)
        }
        _ => Err(broken("the first byte of the frame is neither 0 nor 1")),
    }
}

/// How compressed messages of a call are compressed.
fn encoding(headers: &HeaderMap) -> Result<Encoding, Status> {
    let Some(value) = headers.get("grpc-encoding") else {
        return Ok(Encoding::Plain);
    };
    match value.to_str().unwrap_or("?") {
        "identity" => Ok(Encoding::Plain),
        "gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        other => Err(Status::new(
            Code::Unimplemented,
            format!(
                "messages in {other:?} are not taken: send {}",
                super::ENCODINGS
            ),
        )),
    }
}

/// A message in a frame, not compressed.
pub(super) fn pack(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + message.len());
    frame.push(0);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use axum::http::HeaderValue;

    use super::*;

    fn encoded_as(name: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-encoding", HeaderValue::from_static(name));
        headers
    }

    fn unpack(body: &[u8], headers: &HeaderMap) -> Result<Vec<u8>, Status> {
        super::unpack(body, headers, &HttpLimits::default())
    }

    async fn read(body: Body, bodies: &Bodies) -> Result<Held, Status> {
        super::read(body, bodies, 32 << 20).await
    }

    fn code(body: &[u8], headers: &HeaderMap) -> Code {
        unpack(body, headers).unwrap_err().code()
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let plain = HeaderMap::new();
        assert_eq!(unpack(&pack(b"abc"), &plain).unwrap(), b"abc");
        assert_eq!(unpack(&pack(b""), &plain).unwrap(), b"");
        // A call whose encoding is named may still send a message as it is.
        assert_eq!(unpack(&pack(b"abc"), &encoded_as("gzip")).unwrap(), b"abc");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"abc").unwrap();
        let mut frame = pack(&gzip.finish().unwrap());
        frame[0] = COMPRESSED;
        assert_eq!(unpack(&frame, &encoded_as("gzip")).unwrap(), b"abc");
        let mut frame = pack(&zstd::bulk::compress(b"abc", 1).unwrap());
        frame[0] = COMPRESSED;
        assert_eq!(unpack(&frame, &encoded_as("zstd")).unwrap(), b"abc");
    }

    #[test]
    fn a_frame_that_is_cut_anywhere_is_an_error() {
        let (frame, plain) = (pack(b"abcdef"), HeaderMap::new());
        for cut in 1..frame.len() {
            assert_eq!(code(&frame[..cut], &plain), Code::Internal, "{cut}");
        }
        assert_eq!(code(b"", &plain), Code::Unimplemented);
    }

    #[test]
    fn two_frames_and_unknown_flags_and_encodings_are_errors() {
        let (frame, plain) = (pack(b"abc"), HeaderMap::new());
        let twice = [frame.as_slice(), &frame].concat();
        assert_eq!(code(&twice, &plain), Code::Unimplemented);
        assert_eq!(code(&frame, &encoded_as("br")), Code::Unimplemented);
        let mut odd = frame.clone();
        odd[0] = 2;
        assert_eq!(code(&odd, &plain), Code::Internal);
        odd[0] = COMPRESSED;
        assert_eq!(code(&odd, &plain), Code::Internal);
        assert_eq!(code(&odd, &encoded_as("identity")), Code::Internal);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_the_message_comes() {
        let head = [0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(code(&head, &HeaderMap::new()), Code::ResourceExhausted);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let refused = runtime.block_on(read(Body::from(head.to_vec()), &Bodies::new(100)));
        assert_eq!(refused.err().unwrap().code(), Code::ResourceExhausted);
    }

    #[test]
    fn bodies_beyond_their_bound_are_refused_until_others_are_done() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (bodies, frame) = (Bodies::new(10), pack(b"a"));
            let held = read(Body::from(frame.clone()), &bodies).await.ok().unwrap();
            assert_eq!(*held, frame[..]);
            let refused = read(Body::from(frame.clone()), &bodies)
                .await
                .err()
                .unwrap();
            assert_eq!(refused.code(), Code::Unavailable);
            drop(held);
            assert!(read(Body::from(frame), &bodies).await.is_ok());
        });
    }
}
