//! A walk over the fields of a protobuf message, without a message.
//!
//! Knows the wire format alone: what a field means is the caller's. Unknown fields are passed over,
//! as protobuf wants it.

/// Bytes that are no message of the kind that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    message: String,
}

impl Malformed {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Malformed {
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// The value of a field as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Value<'a> {
    fn wrong(wanted: &str) -> Malformed {
        Malformed::new(format!("a field that should be {wanted} is something else"))
    }

    /// Bytes, a string or a message.
    #[inline]
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Value::wrong("bytes")),
        }
    }

    /// An unsigned integer.
    #[inline]
    pub(crate) fn unsigned(self) -> Result<u64, Malformed> {
        match self {
            Value::Varint(number) => Ok(number),
            _ => Err(Value::wrong("an integer")),
        }
    }

    /// An integer that was not zigzagged: two's complement in 64 bits.
    #[inline]
    pub(crate) fn signed(self) -> Result<i64, Malformed> {
        self.unsigned().map(|number| number as i64)
    }

    /// A zigzagged integer.
    pub(crate) fn zigzag(self) -> Result<i64, Malformed> {
        self.unsigned().map(unzigzag)
    }

    /// A float of 64 bits.
    #[inline]
    pub(crate) fn double(self) -> Result<f64, Malformed> {
        match self {
            Value::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(Value::wrong("a double")),
        }
    }

    /// The elements of a repeated field of varints, packed or one alone.
    pub(crate) fn varints(
        self,
        mut each: impl FnMut(u64) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match self {
            Value::Varint(number) => each(number),
            Value::Bytes(bytes) => {
                let mut fields = Fields::new(bytes);
                while !fields.rest.is_empty() {
                    each(fields.varint()?)?;
                }
                Ok(())
            }
            _ => Err(Value::wrong("integers")),
        }
    }

    /// The elements of a repeated field of doubles, packed or one alone.
    pub(crate) fn doubles(
        self,
        mut each: impl FnMut(f64) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match self {
            Value::Fixed64(bits) => each(f64::from_bits(bits)),
            Value::Bytes(bytes) => {
                let mut fields = Fields::new(bytes);
                while !fields.rest.is_empty() {
                    each(f64::from_bits(fields.fixed64()?))?;
                }
                Ok(())
            }
            _ => Err(Value::wrong("doubles")),
        }
    }
}

/// Undoes protobuf's `sint` coding.
pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// The fields of one message.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    /// The next field's number and value; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 {
            return Err(Malformed::new("a field has an impossible number"));
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.fixed64()?),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(self.take(4)?);
                Value::Fixed32(u32::from_le_bytes(bytes))
            }
            other => {
                return Err(Malformed::new(format!("a field has wire type {other}")));
            }
        };
        Ok(Some((number, value)))
    }

    /// How many bytes are left.
    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for (place, &byte) in self.rest.iter().take(10).enumerate() {
            if place == 9 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return Ok(number);
            }
        }
        Err(Malformed::new("an integer does not end"))
    }

    #[inline]
    fn fixed64(&mut self) -> Result<u64, Malformed> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Malformed::new(format!(
                "{length} bytes are announced and {} are there",
                self.rest.len()
            ))),
        }
    }
}

/// Hands on each message or text that stands in a field.
pub(super) fn each_field<'a>(
    message: &'a [u8],
    field: u32,
    mut each: impl FnMut(&'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        if number == field {
            each(value.bytes()?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        let (mut walk, mut found) = (Fields::new(message), Vec::new());
        while let Some(field) = walk.next()? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn every_wire_type_is_read() {
        let message = [
            0x08, 0x96, 0x01, // 1: 150
            0x12, 0x02, b'h', b'i', // 2: "hi"
            0x19, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, // 3: 1.0
            0x25, 1, 0, 0, 0, // 4: fixed 1
        ];
        let expected = vec![
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed64(1.0f64.to_bits())),
            (4, Value::Fixed32(1)),
        ];
        assert_eq!(fields(&message), Ok(expected));
    }

    #[test]
    fn what_is_cut_or_impossible_is_an_error() {
        for message in [
            &[0x08][..],         // no value
            &[0x12, 0x05, b'h'], // shorter than announced
            &[0x19, 0, 0],       // shorter than a double
            &[0x0b],             // a group
            &[0x00, 0x01],       // field 0
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
            ], // 65 bits
            &[
                0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ], // 2^64 bytes
        ] {
            assert!(fields(message).is_err(), "{message:?}");
        }
    }

    #[test]
    fn repeated_numbers_come_packed_or_alone() {
        let mut found = Vec::new();
        let mut note = |number| {
            found.push(number);
            Ok(())
        };
        Value::Bytes(&[1, 0x96, 1]).varints(&mut note).unwrap();
        Value::Varint(3).varints(&mut note).unwrap();
        assert!(Value::Bytes(&[0x96]).varints(&mut note).is_err());
        assert_eq!(found, [1, 150, 3]);
    }

    #[test]
    fn zigzag_is_undone() {
        let numbers = [
            (0, 0),
            (1, -1),
            (2, 1),
            (u64::MAX, i64::MIN),
            (u64::MAX - 1, i64::MAX),
        ];
        for (wire, number) in numbers {
            assert_eq!(unzigzag(wire), number);
        }
    }
}
