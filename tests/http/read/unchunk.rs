//! A reader of `prometheus.ChunkedReadResponse`: frames, messages and chunks, from their
//! descriptions.

/// One series of one frame.
pub(super) struct Series {
    pub(super) query: u64,
    pub(super) labels: Vec<(String, String)>,
    pub(super) points: Vec<Point>,
    pub(super) chunk_lengths: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Point {
    Float(i64, f64),
    Histogram(i64, Box<Histogram>),
}

/// What the counts of a histogram are.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Integer,
    Float,
}

/// A native histogram with either sort of counts; those that it has not are 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    schema: i64,
    sum: f64,
    zero_threshold: f64,
    count: u64,
    zero_count: u64,
    float_counts: (f64, f64, [Vec<f64>; 2]),
    spans: [Vec<(i64, u64)>; 2],
    deltas: [Vec<i64>; 2],
    custom: Vec<f64>,
}

/// The value of a field of a message.
enum Field<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn number(&self) -> u64 {
        match self {
            Field::Number(number) => *number,
            _ => unreachable!("an integer"),
        }
    }

    fn double(&self) -> f64 {
        match self {
            Field::Double(value) => *value,
            _ => unreachable!("a float"),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            _ => unreachable!("bytes"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            return number;
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => {
                let bytes = take(&mut message, 8).try_into().unwrap();
                Field::Double(f64::from_le_bytes(bytes))
            }
            2 => {
                let length = varint(&mut message) as usize;
                Field::Bytes(take(&mut message, length))
            }
            other => unreachable!("wire type {other}"),
        };
        found.push((tag >> 3, field));
    }
    found
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Bit by bit, as the polynomial says.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

/// The series of all frames.
pub(super) fn frames(mut body: &[u8]) -> Vec<Series> {
    let mut found = Vec::new();
    while !body.is_empty() {
        let length = varint(&mut body) as usize;
        let checksum = u32::from_be_bytes(take(&mut body, 4).try_into().unwrap());
        let message = take(&mut body, length);
        assert_eq!(crc32c(message), checksum);
        // Prometheus reads frames of up to 50 MB, and makes them of 1 MiB.
        assert!(length < 2 << 20, "{length}");
        let (mut query, mut series) = (0, Vec::new());
        for (number, field) in fields(message) {
            match number {
                1 => series.push(one_series(field.bytes())),
                2 => query = field.number(),
                other => unreachable!("field {other}"),
            }
        }
        found.extend(series.into_iter().map(|series| Series { query, ..series }));
    }
    found
}

fn one_series(message: &[u8]) -> Series {
    let mut series = Series {
        query: 0,
        labels: Vec::new(),
        points: Vec::new(),
        chunk_lengths: Vec::new(),
    };
    for (number, field) in fields(message) {
        match number {
            1 => {
                let pair = fields(field.bytes());
                series.labels.push((pair[0].1.text(), pair[1].1.text()));
            }
            2 => {
                let points = chunk(field.bytes());
                series.chunk_lengths.push(points.len());
                series.points.extend(points);
            }
            other => unreachable!("field {other}"),
        }
    }
    series
}

fn chunk(message: &[u8]) -> Vec<Point> {
    let (mut times, mut encoding, mut data) = ((0, 0), 0, &[][..]);
    for (number, field) in fields(message) {
        match number {
            1 => times.0 = field.number() as i64,
            2 => times.1 = field.number() as i64,
            3 => encoding = field.number(),
            4 => data = field.bytes(),
            other => unreachable!("field {other}"),
        }
    }
    let (points, first, last) = match encoding {
        1 => {
            let points = xor(data);
            let (first, last) = (points[0].0, points[points.len() - 1].0);
            let points = points
                .into_iter()
                .map(|(time, value)| Point::Float(time, value));
            (points.collect(), first, last)
        }
        2 => {
            let (time, histogram) = one_histogram(data, Sort::Integer);
            (
                vec![Point::Histogram(time, Box::new(histogram))],
                time,
                time,
            )
        }
        3 => {
            let (time, histogram) = one_histogram(data, Sort::Float);
            (
                vec![Point::Histogram(time, Box::new(histogram))],
                time,
                time,
            )
        }
        other => unreachable!("encoding {other}"),
    };
    assert_eq!(times, (first, last));
    points
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> bool {
        let byte = self.bytes[self.at / 8];
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        bit == 1
    }

    fn take(&mut self, count: u32) -> u64 {
        (0..count).fold(0, |number, _| number << 1 | u64::from(self.bit()))
    }

    /// How many ones come before a zero, at most so many.
    fn ones(&mut self, max: usize) -> usize {
        (0..max).take_while(|_| self.bit()).count()
    }

    fn varint(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take(8);
            number |= (byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    }

    /// A number whose highest half of the range is below zero, but for its first element.
    fn signed(&mut self, width: u32) -> i64 {
        let number = self.take(width) as i64;
        match width < 64 && number > 1 << (width - 1) {
            true => number - (1 << width),
            false => number,
        }
    }

    fn width(&mut self) -> u32 {
        [0, 3, 6, 9, 12, 18, 25, 56, 64][self.ones(8)]
    }

    fn varbit(&mut self) -> i64 {
        match self.width() {
            0 => 0,
            width => self.signed(width),
        }
    }

    fn unsigned_varbit(&mut self) -> u64 {
        let width = self.width();
        self.take(width)
    }

    fn float(&mut self) -> f64 {
        f64::from_bits(self.take(64))
    }
}

fn xor(data: &[u8]) -> Vec<(i64, f64)> {
    let count = usize::from(u16::from_be_bytes([data[0], data[1]]));
    let mut bits = Bits {
        bytes: &data[2..],
        at: 0,
    };
    let (mut time, mut value) = (zigzag(bits.varint()), bits.take(64));
    let mut points = vec![(time, f64::from_bits(value))];
    let (mut step, mut leading, mut trailing) = (0i64, 0, 0);
    for index in 1..count {
        step = match index {
            1 => bits.varint() as i64,
            _ => match bits.ones(4) {
                0 => step,
                ones => step.wrapping_add(bits.signed([14, 17, 20, 64][ones - 1])),
            },
        };
        time = time.wrapping_add(step);
        if bits.bit() {
            if bits.bit() {
                leading = bits.take(5) as u32;
                let width = match bits.take(6) as u32 {
                    0 => 64,
                    width => width,
                };
                trailing = 64 - leading - width;
            }
            value ^= bits.take(64 - leading - trailing) << trailing;
        }
        points.push((time, f64::from_bits(value)));
    }
    // What is left fills the last byte.
    assert_eq!(bits.at.div_ceil(8), bits.bytes.len());
    points
}

fn one_histogram(data: &[u8], sort: Sort) -> (i64, Histogram) {
    assert_eq!(data[..2], [0, 1], "one sample");
    let mut bits = Bits {
        bytes: &data[3..],
        at: 0,
    };
    let zero_threshold = match bits.take(8) {
        0 => 0.0,
        255 => bits.float(),
        power => 2f64.powi(power as i32 - 244),
    };
    let schema = bits.varbit();
    let spans: [Vec<(i64, u64)>; 2] = std::array::from_fn(|_| {
        let count = bits.unsigned_varbit();
        let each = (0..count).map(|_| {
            let length = bits.unsigned_varbit();
            (bits.varbit(), length)
        });
        each.collect()
    });
    let custom = match schema {
        -53 => {
            let count = bits.unsigned_varbit();
            let each = (0..count).map(|_| match bits.unsigned_varbit() {
                0 => bits.float(),
                thousandths => (thousandths - 1) as f64 / 1000.0,
            });
            each.collect()
        }
        _ => Vec::new(),
    };
    let mut made = Histogram {
        schema,
        zero_threshold,
        custom,
        ..Histogram::default()
    };
    let time = bits.varbit();
    let buckets = [0, 1].map(|side: usize| spans[side].iter().map(|(_, length)| length).sum());
    let each = |side: usize| 0..buckets[side];
    match sort {
        Sort::Integer => {
            made.count = bits.unsigned_varbit();
            made.zero_count = bits.unsigned_varbit();
            made.sum = bits.float();
            made.deltas = [0, 1].map(|side| each(side).map(|_: u64| bits.varbit()).collect());
        }
        Sort::Float => {
            let heads = (bits.float(), bits.float());
            made.sum = bits.float();
            let counts = [0, 1].map(|side| each(side).map(|_: u64| bits.float()).collect());
            made.float_counts = (heads.0, heads.1, counts);
        }
    }
    made.spans = spans;
    assert_eq!(bits.at.div_ceil(8), bits.bytes.len());
    (time, made)
}

/// The histograms of an answer in samples: `prometheus.ReadResponse` in a snappy block.
pub(super) fn histograms_of_samples(block: &[u8]) -> Vec<(i64, Histogram)> {
    let mut found = Vec::new();
    for result in chronolith_server::testing::message_fields(block) {
        for (_, series) in fields(&result) {
            for (number, field) in fields(series.bytes()) {
                if number == 4 {
                    found.push(sample(field.bytes()));
                }
            }
        }
    }
    found
}

fn sample(message: &[u8]) -> (i64, Histogram) {
    let (mut time, mut made) = (0, Histogram::default());
    for (number, field) in fields(message) {
        match number {
            1 => made.count = field.number(),
            2 => made.float_counts.0 = field.double(),
            3 => made.sum = field.double(),
            4 => made.schema = zigzag(field.number()),
            5 => made.zero_threshold = field.double(),
            6 => made.zero_count = field.number(),
            7 => made.float_counts.1 = field.double(),
            8 => made.spans[1].push(span(field.bytes())),
            9 => made.deltas[1] = packed(field.bytes()),
            10 => made.float_counts.2[1] = floats(field.bytes()),
            11 => made.spans[0].push(span(field.bytes())),
            12 => made.deltas[0] = packed(field.bytes()),
            13 => made.float_counts.2[0] = floats(field.bytes()),
            15 => time = field.number() as i64,
            16 => made.custom = floats(field.bytes()),
            _ => {}
        }
    }
    (time, made)
}

fn span(message: &[u8]) -> (i64, u64) {
    let (mut offset, mut length) = (0, 0);
    for (number, field) in fields(message) {
        match number {
            1 => offset = zigzag(field.number()),
            2 => length = field.number(),
            other => unreachable!("field {other}"),
        }
    }
    (offset, length)
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let float = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
    bytes.chunks(8).map(float).collect()
}

fn packed(mut bytes: &[u8]) -> Vec<i64> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(zigzag(varint(&mut bytes)));
    }
    numbers
}
