//! The first bytes of a block: what the file is, before anything in it is looked at.
//!
//! Fixed in length, with its checksum at the same place in every version, so that damage is told
//! from a version that this build does not know.

use crate::block::STRIPS_MAX;
use crate::codec::bytes::Cursor;
use crate::error::{Error, ErrorKind, Result};
use crate::time::{TickRange, Ticks};

const MAGIC: [u8; 8] = *b"chronblk";
/// The version that is written; older ones are read.
pub(crate) const VERSION: u16 = 2;
const VERSION_MIN: u16 = 1;

/// The length of a header, checksum included.
pub(crate) const HEADER_BYTES: usize = 64;
const CHECKED_BYTES: usize = HEADER_BYTES - 4;

/// What a block is: written by its writer, the same for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    /// The tag of the kind of its entries.
    pub(crate) kind: u8,
    /// How many ticks make a second for this kind.
    pub(crate) ticks_per_second: u32,
    /// How often its data has been compacted: 0 comes from the head.
    pub(crate) level: u8,
    /// The retention class of all of its series.
    pub(crate) class: u8,
    /// The partition that all of its entries lie in.
    pub(crate) partition: TickRange,
    /// The lowest LSN of its entries.
    pub(crate) lsn_min: u64,
    /// The highest LSN of its entries.
    pub(crate) lsn_max: u64,
}

/// A header as it was read, with what the file says of itself beside.
pub(crate) struct StoredHeader {
    pub(crate) header: BlockHeader,
    /// How many strips every chunk has.
    pub(crate) strips: u8,
    pub(crate) version: u16,
}

impl BlockHeader {
    /// What a header must fulfil, on the way out and on the way in.
    pub(crate) fn check(&self) -> Result<()> {
        if self.ticks_per_second == 0 {
            return Err(Error::invalid("a block needs at least one tick a second"));
        }
        if self.partition.start > self.partition.end {
            return Err(Error::invalid("a block's partition ends before it starts"));
        }
        if self.lsn_min > self.lsn_max {
            return Err(Error::invalid("a block's lowest LSN is above its highest"));
        }
        Ok(())
    }

    pub(crate) fn encode(&self, number: u64, strips: u8) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[self.kind, self.level, self.class, strips, 0, 0]);
        out.extend_from_slice(&self.ticks_per_second.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&self.partition.start.0.to_le_bytes());
        out.extend_from_slice(&self.partition.end.0.to_le_bytes());
        out.extend_from_slice(&self.lsn_min.to_le_bytes());
        out.extend_from_slice(&self.lsn_max.to_le_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.try_into()
            .expect("the fields add up to the header's length")
    }

    /// Reads a header; `number` is what the file's name says.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES], number: u64) -> Result<StoredHeader> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array::<8>()? != MAGIC {
            return Err(Error::corrupt("this is not a block: its magic is wrong"));
        }
        let version = cursor.u16()?;
        let crc = Cursor::new(&bytes[CHECKED_BYTES..]).u32()?;
        if crc32fast::hash(&bytes[..CHECKED_BYTES]) != crc {
            return Err(Error::corrupt("block header: crc mismatch"));
        }
        if !(VERSION_MIN..=VERSION).contains(&version) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("block version {version}, this build reads {VERSION_MIN} to {VERSION}"),
            ));
        }
        let [kind, level, class, strips, reserved @ ..] = cursor.array::<6>()?;
        let ticks_per_second = cursor.u32()?;
        let own_number = cursor.u64()?;
        let header = BlockHeader {
            kind,
            ticks_per_second,
            level,
            class,
            partition: TickRange::new(Ticks(cursor.i64()?), Ticks(cursor.i64()?)),
            lsn_min: cursor.u64()?,
            lsn_max: cursor.u64()?,
        };
        if own_number != number {
            return Err(Error::corrupt(format!(
                "the file of block {number} says that it is block {own_number}"
            )));
        }
        if reserved != [0, 0] || !(1..=STRIPS_MAX).contains(&usize::from(strips)) {
            return Err(Error::corrupt(format!(
                "block header: {strips} strips or reserved bits"
            )));
        }
        header
            .check()
            .map_err(|error| Error::corrupt(error.to_string()))?;
        Ok(StoredHeader {
            header,
            strips,
            version,
        })
    }
}
