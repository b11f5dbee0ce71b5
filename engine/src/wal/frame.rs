//! One frame: its layout, and what makes bytes a frame. docs/format/wal.md is the page.
//!
//! A frame's header carries its own checksum, which also covers the segment's first LSN and the
//! frame's offset. So a frame is valid in one place only: bytes of a body that look like a frame,
//! or a frame of another file, cannot pass for one when a reader looks for the next frame behind
//! damage.

use crc32fast::Hasher;

use super::options::{BODY_BYTES_MAX, TENANT_BYTES_MAX};

/// Every frame starts at a multiple of this, so looking for the next one is cheap.
pub(super) const FRAME_ALIGN: usize = 8;
/// The first bytes of every frame.
pub(super) const MARKER: [u8; 4] = [0xf7, b'F', b'R', 0x9a];
/// The bytes in front of a frame's payload.
pub(super) const FRAME_HEADER_BYTES: usize = 36;
/// The shortest frame: a one-byte tenant name is not required, nor is a body.
pub(super) const FRAME_BYTES_MIN: usize = FRAME_HEADER_BYTES.next_multiple_of(FRAME_ALIGN);

const LENGTH_AT: usize = 4;
const LSN_AT: usize = 8;
const DURABLE_AT: usize = 16;
const TENANT_LENGTH_AT: usize = 24;
const KIND_AT: usize = 25;
const RECORD_AT: usize = 26;
const PAYLOAD_CRC_AT: usize = 28;
const HEADER_CRC_AT: usize = 32;

const _: () = assert!(HEADER_CRC_AT + 4 == FRAME_HEADER_BYTES);
const _: () = assert!(TENANT_BYTES_MAX <= u8::MAX as usize);
const _: () = assert!(BODY_BYTES_MAX + TENANT_BYTES_MAX <= u32::MAX as usize);

/// What a frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) lsn: u64,
    /// The highest LSN that was durable when the frame was written.
    pub(super) durable: u64,
    pub(super) kind: u8,
    pub(super) record: u8,
    tenant_length: usize,
    /// Tenant and body, without the padding.
    length: usize,
    payload_crc: u32,
}

impl FrameHeader {
    /// The bytes from this frame's start to the next one's.
    pub(super) fn frame_bytes(&self) -> usize {
        frame_bytes(self.length)
    }

    /// Whether everything behind the header is as it was written.
    pub(super) fn matches(&self, behind: &[u8]) -> bool {
        crc32fast::hash(behind) == self.payload_crc
    }

    /// The tenant and body out of what [`FrameHeader::matches`], or nothing where the tenant is no
    /// text.
    pub(super) fn split<'a>(&self, behind: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
        let (tenant, body) = behind
            .get(..self.length)?
            .split_at_checked(self.tenant_length)?;
        Some((std::str::from_utf8(tenant).ok()?, body))
    }
}

/// What a record's tenant and body take as a frame; `length` is both together.
pub(super) fn frame_bytes(length: usize) -> usize {
    (FRAME_HEADER_BYTES + length).next_multiple_of(FRAME_ALIGN)
}

/// A record on its way to becoming a frame; its checksum is computed before any lock is taken.
pub(super) struct Record<'a> {
    tenant: &'a str,
    kind: u8,
    record: u8,
    body: &'a [u8],
    payload_crc: u32,
}

impl<'a> Record<'a> {
    /// The caller has checked the limits.
    pub(super) fn new(tenant: &'a str, kind: u8, record: u8, body: &'a [u8]) -> Self {
        assert!(tenant.len() <= TENANT_BYTES_MAX && body.len() <= BODY_BYTES_MAX);
        let mut hasher = Hasher::new();
        hasher.update(tenant.as_bytes());
        hasher.update(body);
        let length = tenant.len() + body.len();
        let padding = frame_bytes(length) - FRAME_HEADER_BYTES - length;
        hasher.update(&[0; FRAME_ALIGN][..padding]);
        Record {
            tenant,
            kind,
            record,
            body,
            payload_crc: hasher.finalize(),
        }
    }

    pub(super) fn frame_bytes(&self) -> usize {
        frame_bytes(self.tenant.len() + self.body.len())
    }

    /// Appends the frame, all but what only the writer knows; [`seal`] adds that.
    pub(super) fn encode(&self, lsn: u64, out: &mut Vec<u8>) {
        let end = out.len() + self.frame_bytes();
        out.reserve(self.frame_bytes());
        out.extend_from_slice(&MARKER);
        // Both lengths fit: asserted for the type's limits above.
        let length = (self.tenant.len() + self.body.len()) as u32;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&lsn.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&[self.tenant.len() as u8, self.kind, self.record, 0]);
        out.extend_from_slice(&self.payload_crc.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(self.tenant.as_bytes());
        out.extend_from_slice(self.body);
        out.resize(end, 0);
    }
}

/// The LSN and size of a frame that [`Record::encode`] made.
pub(super) fn encoded(frame: &[u8]) -> (u64, usize) {
    let length = u32_at(frame, LENGTH_AT) as usize;
    (u64_at(frame, LSN_AT), frame_bytes(length))
}

/// Completes an encoded frame for its place: the segment that starts at `first`, at `offset`.
pub(super) fn seal(frame: &mut [u8], durable: u64, first: u64, offset: u64) {
    frame[DURABLE_AT..DURABLE_AT + 8].copy_from_slice(&durable.to_le_bytes());
    let crc = header_crc(&frame[..FRAME_HEADER_BYTES], first, offset);
    frame[HEADER_CRC_AT..FRAME_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// Reads a header that lies at `offset` of the segment that starts at `first`, or nothing where
/// there is none: a marker, limit or checksum is wrong.
pub(super) fn decode(bytes: &[u8], first: u64, offset: u64) -> Option<FrameHeader> {
    let bytes = bytes.get(..FRAME_HEADER_BYTES)?;
    if bytes[..LENGTH_AT] != MARKER
        || u32_at(bytes, HEADER_CRC_AT) != header_crc(bytes, first, offset)
        || bytes[RECORD_AT + 1] != 0
    {
        return None;
    }
    let tenant_length = usize::from(bytes[TENANT_LENGTH_AT]);
    let length = u32_at(bytes, LENGTH_AT) as usize;
    let body_length = length.checked_sub(tenant_length)?;
    if tenant_length > TENANT_BYTES_MAX || body_length > BODY_BYTES_MAX {
        return None;
    }
    Some(FrameHeader {
        lsn: u64_at(bytes, LSN_AT),
        durable: u64_at(bytes, DURABLE_AT),
        kind: bytes[KIND_AT],
        record: bytes[RECORD_AT],
        tenant_length,
        length,
        payload_crc: u32_at(bytes, PAYLOAD_CRC_AT),
    })
}

fn header_crc(header: &[u8], first: u64, offset: u64) -> u32 {
    // One piece: the checksum of many short ones costs several times as much.
    let mut covered = [0; 16 + HEADER_CRC_AT];
    covered[..8].copy_from_slice(&first.to_le_bytes());
    covered[8..16].copy_from_slice(&offset.to_le_bytes());
    covered[16..].copy_from_slice(&header[..HEADER_CRC_AT]);
    crc32fast::hash(&covered)
}

/// The caller has checked the bounds; a slice that is too short is a programmer's error.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut array = [0; 4];
    array.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(array)
}

/// As [`u32_at`].
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut array = [0; 8];
    array.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(tenant: &str, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Record::new(tenant, 3, 4, body).encode(77, &mut out);
        assert_eq!(encoded(&out), (77, out.len()));
        seal(&mut out, 76, 70, 48);
        out
    }

    #[test]
    fn frames_round_trip_at_every_padding() {
        for length in 0..40 {
            let body: Vec<u8> = (0..length).collect();
            let frame = sealed("tenant", &body);
            assert_eq!(frame.len() % FRAME_ALIGN, 0);
            let header = decode(&frame, 70, 48).unwrap();
            assert_eq!((header.lsn, header.durable), (77, 76));
            assert_eq!((header.kind, header.record), (3, 4));
            assert_eq!(header.frame_bytes(), frame.len());
            let (tenant, read) = header.split(&frame[FRAME_HEADER_BYTES..]).unwrap();
            assert_eq!((tenant, read), ("tenant", &body[..]));
        }
        assert_eq!(sealed("", b"").len(), FRAME_BYTES_MIN);
    }

    #[test]
    fn a_frame_is_valid_only_in_its_place() {
        let frame = sealed("t", b"body");
        assert!(decode(&frame, 70, 48).is_some());
        assert!(decode(&frame, 71, 48).is_none());
        assert!(decode(&frame, 70, 56).is_none());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let frame = sealed("ten", b"some body");
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut bad = frame.clone();
                bad[at] ^= 1 << bit;
                let valid = decode(&bad, 70, 48)
                    .is_some_and(|header| header.matches(&bad[FRAME_HEADER_BYTES..]));
                assert!(!valid, "byte {at} bit {bit}");
            }
        }
    }
}
