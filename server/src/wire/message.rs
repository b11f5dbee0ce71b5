//! Protobuf messages as they are written.

/// A protobuf message that is being written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn put(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn tag(&mut self, field: u32, wire: u64) {
        self.put(u64::from(field) << 3 | wire);
    }

    /// Adds an integer that is not zigzagged.
    pub fn integer(mut self, field: u32, number: i64) -> Self {
        self.tag(field, 0);
        self.put(number as u64);
        self
    }

    /// Adds a zigzagged integer.
    pub fn zigzag(self, field: u32, number: i64) -> Self {
        self.integer(field, number << 1 ^ number >> 63)
    }

    /// Adds a float.
    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.tag(field, 1);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds an integer of eight bytes.
    pub fn fixed64(mut self, field: u32, number: i64) -> Self {
        self.tag(field, 1);
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// Adds bytes or a string.
    pub fn bytes(mut self, field: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.tag(field, 2);
        self.put(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Adds a message.
    pub fn message(self, field: u32, message: Message) -> Self {
        self.bytes(field, message.into_bytes())
    }

    /// Adds packed integers that are not zigzagged.
    pub fn packed(self, field: u32, numbers: &[u64]) -> Self {
        let mut packed = Message::new();
        numbers.iter().for_each(|number| packed.put(*number));
        self.message(field, packed)
    }

    /// Adds packed zigzagged integers.
    pub fn packed_zigzag(self, field: u32, numbers: &[i64]) -> Self {
        let zigzag = |number: &i64| (number << 1 ^ number >> 63) as u64;
        self.packed(field, &numbers.iter().map(zigzag).collect::<Vec<_>>())
    }

    /// Adds packed floats.
    pub fn packed_doubles(self, field: u32, values: &[f64]) -> Self {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.bytes(field, bytes)
    }
}
