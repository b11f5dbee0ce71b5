//! Numbers as Prometheus' files and chunks have them: big endian, Go's varints, CRC-32C.
//!
//! A reader never gives more than there is; what is missing is malformed.

use super::protobuf::{Malformed, unzigzag};

/// What a read gives.
pub(crate) type Result<T> = std::result::Result<T, Malformed>;

/// What is left of some bytes.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| {
            Malformed::new(format!(
                "{length} bytes are announced and {} are there",
                self.rest.len()
            ))
        })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn be16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn be32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn be64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn double(&mut self) -> Result<f64> {
        Ok(f64::from_bits(self.be64()?))
    }

    pub(crate) fn uvarint(&mut self) -> Result<u64> {
        uvarint(|| self.u8())
    }

    pub(crate) fn varint(&mut self) -> Result<i64> {
        self.uvarint().map(unzigzag)
    }

    /// A count of things of which each takes this many bytes at least, so that it cannot ask for
    /// more memory than there are bytes.
    pub(crate) fn count(&mut self, bytes_each: usize) -> Result<usize> {
        let count = self.uvarint()?;
        let possible = self.rest.len() / bytes_each.max(1);
        match usize::try_from(count) {
            Ok(count) if count <= possible => Ok(count),
            _ => Err(Malformed::new(format!(
                "{count} things are announced in {} bytes",
                self.rest.len()
            ))),
        }
    }

    /// Bytes behind their length.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8]> {
        let length = self.uvarint()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Go's varint from bytes that come one by one.
pub(crate) fn uvarint(mut next: impl FnMut() -> Result<u8>) -> Result<u64> {
    let mut number = 0u64;
    for place in 0..10 {
        let byte = next()?;
        if place == 9 && byte > 1 {
            break;
        }
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed::new("an integer does not end"))
}

pub(crate) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, number: i64) {
    put_uvarint(out, zigzag(number));
}

/// Bytes behind their length.
pub(crate) fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Castagnoli's polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// How many bytes are taken at a step.
const SLICES: usize = 8;

static TABLES: [[u32; 256]; SLICES] = tables();

const fn tables() -> [[u32; 256]; SLICES] {
    let mut tables = [[0u32; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[slice - 1][byte];
            tables[slice][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// The CRC-32C of some bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    let mut chunks = bytes.chunks_exact(SLICES);
    for chunk in &mut chunks {
        let mut next = 0;
        for (place, byte) in chunk.iter().enumerate() {
            let mixed = match place {
                0..4 => *byte ^ (crc >> (8 * place)) as u8,
                _ => *byte,
            };
            next ^= TABLES[SLICES - 1 - place][usize::from(mixed)];
        }
        crc = next;
    }
    for byte in chunks.remainder() {
        crc = (crc >> 8) ^ TABLES[0][usize::from(*byte ^ crc as u8)];
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of the catalogue of CRCs.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn numbers_come_back_and_what_is_missing_is_malformed() {
        let mut out = Vec::new();
        for number in [0, 1, -1, 300, i64::MIN, i64::MAX] {
            put_varint(&mut out, number);
        }
        put_prefixed(&mut out, b"text");
        let mut reader = Reader::new(&out);
        for number in [0, 1, -1, 300, i64::MIN, i64::MAX] {
            assert_eq!(reader.varint().unwrap(), number);
        }
        assert_eq!(reader.prefixed().unwrap(), b"text");
        assert!(reader.u8().is_err() && reader.be64().is_err());
        assert!(Reader::new(&[0xff; 11]).uvarint().is_err());
        assert!(Reader::new(&[100, 1, 2]).count(1).is_err());
    }
}
