//! The file `tombstones` of a block: which times of which series are deleted.

use std::collections::HashMap;
use std::path::Path;

use super::super::fault::{Fault, Result};
use crate::wire::bytes::{Reader, crc32c};

const MAGIC: u32 = 0x0130_ba30;
const VERSION: u8 = 1;
const CRC_BYTES: usize = 4;
const MAGIC_BYTES: usize = 4;

/// Deleted times, both ends included, by the reference of their series.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    stones: HashMap<u64, Vec<(i64, i64)>>,
}

impl Tombstones {
    /// Reads the file; none deletes nothing.
    pub(crate) fn open(path: &Path) -> Result<Tombstones> {
        match std::fs::read(path) {
            Ok(bytes) => Tombstones::decode(&bytes).map_err(|fault| fault.at(path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Tombstones::default()),
            Err(error) => Err(Fault::io("cannot read", path, &error)),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Tombstones> {
        let body = bytes
            .len()
            .checked_sub(CRC_BYTES)
            .ok_or_else(|| Fault::new("too short for a file of tombstones"))?;
        let (body, crc) = bytes.split_at(body);
        let mut reader = Reader::new(body);
        if reader.be32()? != MAGIC {
            return Err(Fault::new("no file of tombstones"));
        }
        let version = reader.u8()?;
        if version != VERSION {
            return Err(Fault::new(format!("version {version} is unknown")));
        }
        // The version is not under the checksum.
        if Reader::new(crc).be32()? != crc32c(&body[MAGIC_BYTES + 1..]) {
            return Err(Fault::new("its checksum does not match"));
        }
        let mut found = Tombstones::default();
        while !reader.is_empty() {
            let series = reader.uvarint()?;
            found.add(series, (reader.varint()?, reader.varint()?));
        }
        Ok(found)
    }

    pub(crate) fn add(&mut self, series: u64, times: (i64, i64)) {
        self.stones.entry(series).or_default().push(times);
    }

    /// What is deleted of a series.
    pub(crate) fn of(&self, series: u64) -> &[(i64, i64)] {
        self.stones.get(&series).map_or(&[], Vec::as_slice)
    }
}

/// The bytes of a file that deletes nothing.
pub(crate) fn empty() -> Vec<u8> {
    let mut bytes = MAGIC.to_be_bytes().to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(&crc32c(&[]).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bytes::{put_uvarint, put_varint};

    #[test]
    fn what_is_deleted_is_read_and_damage_is_seen() {
        let mut stones = Vec::new();
        for (series, start, end) in [(1, -5, 7), (300, 8, i64::MAX), (1, 9, 9)] {
            put_uvarint(&mut stones, series);
            put_varint(&mut stones, start);
            put_varint(&mut stones, end);
        }
        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(&stones);
        bytes.extend_from_slice(&crc32c(&stones).to_be_bytes());
        let found = Tombstones::decode(&bytes).unwrap();
        assert_eq!(found.of(1), [(-5, 7), (9, 9)]);
        assert_eq!(found.of(300), [(8, i64::MAX)]);
        assert!(found.of(2).is_empty());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(Tombstones::decode(&damaged).is_err(), "{at}");
            assert!(Tombstones::decode(&bytes[..at]).is_err(), "{at}");
        }
        assert!(Tombstones::decode(&empty()).unwrap().stones.is_empty());
    }
}
