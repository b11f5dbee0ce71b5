//! The codecs, each as bytes of a column of floats and back.

use chronolith_engine::testing::{ColumnCodec, Decimals, decimal_integers};
use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress};

mod tsz {
    //! One column of integers.
    use tsz_compress::prelude::*;

    #[derive(Copy, Clone, CompressV2, DecompressV2)]
    pub struct Number {
        pub value: i64,
    }

    pub use compress::NumberCompressorImpl;
    pub use decompress::NumberDecompressorImpl;
}

/// What may go wrong in the codecs of others.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A codec of a column.
#[derive(Clone, Copy, Debug)]
pub enum Codec {
    /// What compaction writes.
    Tiles,
    /// What a freeze writes.
    Packed,
    Xor,
    Raw,
    /// Pco of the floats, at its usual level.
    Pco,
    /// Pco of the integers of decimals; of the floats where they are none.
    PcoOfIntegers,
    /// Tsz of the integers of decimals; raw where they are none.
    Tsz,
    /// Zstd -3 of the XORs, byte by byte of each.
    ZstdOfXors,
    /// Zstd -3 of what compaction writes.
    ZstdOfTiles,
}

/// All, in the order of the report.
pub const ALL: [Codec; 9] = [
    Codec::Tiles,
    Codec::Packed,
    Codec::Xor,
    Codec::Raw,
    Codec::Pco,
    Codec::PcoOfIntegers,
    Codec::Tsz,
    Codec::ZstdOfXors,
    Codec::ZstdOfTiles,
];

/// What a column of integers or of floats begins with, where it may be either.
const INTEGERS: u8 = 1;
const FLOATS: u8 = 0;

impl Codec {
    pub fn name(self) -> &'static str {
        match self {
            Codec::Tiles => "tiles",
            Codec::Packed => "as frozen",
            Codec::Xor => "xor",
            Codec::Raw => "raw",
            Codec::Pco => "pco -8",
            Codec::PcoOfIntegers => "pco -8 of scaled integers",
            Codec::Tsz => "tsz V2 of scaled integers",
            Codec::ZstdOfXors => "zstd -3 of shuffled xors",
            Codec::ZstdOfTiles => "zstd -3 of tiles",
        }
    }

    pub fn write(self, values: &[f64]) -> Outcome<Vec<u8>> {
        let level = ChunkConfig::default();
        Ok(match self {
            Codec::Tiles => ColumnCodec::Tiles.write(values),
            Codec::Packed => ColumnCodec::Packed.write(values),
            Codec::Xor => ColumnCodec::Xor.write(values),
            Codec::Raw => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Codec::Pco => simple_compress(values, &level)?,
            Codec::PcoOfIntegers => match decimal_integers(values) {
                Some((head, integers)) => {
                    [&[INTEGERS][..], &head, &simple_compress(&integers, &level)?].concat()
                }
                None => [vec![FLOATS], Codec::Pco.write(values)?].concat(),
            },
            Codec::Tsz => match decimal_integers(values) {
                Some((head, integers)) => [&[INTEGERS][..], &head, &write_tsz(&integers)].concat(),
                None => [vec![FLOATS], Codec::Raw.write(values)?].concat(),
            },
            Codec::ZstdOfXors => zstd::bulk::compress(&shuffled(values), 3)?,
            Codec::ZstdOfTiles => zstd::bulk::compress(&ColumnCodec::Tiles.write(values), 3)?,
        })
    }

    pub fn read(self, bytes: &[u8], count: usize) -> Outcome<Vec<f64>> {
        Ok(match self {
            Codec::Tiles => ColumnCodec::Tiles.read(bytes, count)?,
            Codec::Packed => ColumnCodec::Packed.read(bytes, count)?,
            Codec::Xor => ColumnCodec::Xor.read(bytes, count)?,
            Codec::Raw => {
                let (words, _) = bytes.as_chunks::<8>();
                words.iter().map(|word| f64::from_le_bytes(*word)).collect()
            }
            Codec::Pco => simple_decompress(bytes)?,
            Codec::PcoOfIntegers if bytes[0] == FLOATS => Codec::Pco.read(&bytes[1..], count)?,
            Codec::Tsz if bytes[0] == FLOATS => Codec::Raw.read(&bytes[1..], count)?,
            Codec::PcoOfIntegers => {
                let (decimals, rest) = Decimals::read(&bytes[1..])?;
                decimals.values(&simple_decompress(rest)?, count)?
            }
            Codec::Tsz => {
                let (decimals, rest) = Decimals::read(&bytes[1..])?;
                decimals.values(&read_tsz(rest)?, count)?
            }
            Codec::ZstdOfXors => unshuffled(&zstd::bulk::decompress(bytes, count * 8)?, count),
            Codec::ZstdOfTiles => {
                let tiles = zstd::bulk::decompress(bytes, count * 9 + 64)?;
                ColumnCodec::Tiles.read(&tiles, count)?
            }
        })
    }
}

fn write_tsz(integers: &[i64]) -> Vec<u8> {
    use tsz_compress::prelude::*;
    let mut compressor = tsz::NumberCompressorImpl::new(integers.len());
    for value in integers {
        compressor.compress(tsz::Number { value: *value });
    }
    compressor.finish()
}

fn read_tsz(bytes: &[u8]) -> Outcome<Vec<i64>> {
    use tsz_compress::prelude::*;
    let mut decompressor = tsz::NumberDecompressorImpl::new();
    let read = decompressor.decompress(bytes);
    read.map_err(|_| "tsz does not read what it wrote")?;
    Ok(decompressor.col_value().to_vec())
}

/// The first bytes of all XORs of neighbours, then the second ones, and so on.
fn shuffled(values: &[f64]) -> Vec<u8> {
    let mut last = 0;
    let xors: Vec<[u8; 8]> = values
        .iter()
        .map(|value| {
            (value.to_bits() ^ std::mem::replace(&mut last, value.to_bits())).to_le_bytes()
        })
        .collect();
    (0..8)
        .flat_map(|place| xors.iter().map(move |xor| xor[place]))
        .collect()
}

fn unshuffled(bytes: &[u8], count: usize) -> Vec<f64> {
    let mut last = 0;
    let value = |place: usize| {
        let byte = |at: usize| bytes[at * count + place];
        last ^= u64::from_le_bytes(std::array::from_fn(byte));
        f64::from_bits(last)
    };
    (0..count).map(value).collect()
}
