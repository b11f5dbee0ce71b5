//! Doors for tests and fuzzing, behind the feature `testing`: an encoder of messages as senders
//! write them, and the decoders under names that take any bytes.

use std::sync::Mutex;

mod transfer;

pub use transfer::*;

use crate::cli;
use crate::http::times;
use crate::ingest::logs::levels::Level;
use crate::settings::{Settings, table};
use crate::wire::logs as wire_logs;
pub use crate::wire::message::Message;
use crate::wire::protobuf::Fields;
use crate::wire::text::{self, Dialect};
use crate::wire::{otlp as otlp_wire, read, write_v1, write_v2};

/// Sets what stands at this path of a configuration file, as the file, flags and environment do.
pub fn set(settings: &mut Settings, path: &str, text: &str) -> Result<(), String> {
    let setting = table::row(path).ok_or_else(|| format!("there is no setting {path}"))?;
    setting.set(settings, text)
}

/// What the program does not understand of a command line, which begins with its name. What is only
/// missing counts as understood.
pub fn misunderstood(arguments: &[String]) -> Option<String> {
    use clap::error::ErrorKind;
    let error = cli::program().try_get_matches_from(arguments).err()?;
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion
        | ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand => None,
        _ => Some(error.to_string()),
    }
}

/// The path of every setting.
pub fn setting_paths() -> impl Iterator<Item = &'static str> {
    table::SETTINGS.iter().map(|setting| setting.path)
}

/// Messages of remote write 1.0.
pub mod v1 {
    use super::Message;

    /// A series with these labels and nothing else yet.
    pub fn series(labels: &[(&str, &str)]) -> Message {
        labels.iter().fold(Message::new(), |series, (name, value)| {
            series.message(1, label(name, value))
        })
    }

    /// A label.
    pub fn label(name: &str, value: &str) -> Message {
        Message::new().bytes(1, name).bytes(2, value)
    }

    /// A sample, field 2 of a series.
    pub fn sample(time: i64, value: f64) -> Message {
        Message::new().double(1, value).integer(2, time)
    }

    /// An exemplar, field 3 of a series.
    pub fn exemplar(time: i64, value: f64, labels: &[(&str, &str)]) -> Message {
        series(labels).double(2, value).integer(3, time)
    }

    /// A request of these series.
    pub fn request(series: impl IntoIterator<Item = Message>) -> Message {
        series
            .into_iter()
            .fold(Message::new(), |request, series| request.message(1, series))
    }

    /// Metadata, field 3 of a request.
    pub fn metadata(kind: i64, family: &str, help: &str, unit: &str) -> Message {
        Message::new()
            .integer(1, kind)
            .bytes(2, family)
            .bytes(4, help)
            .bytes(5, unit)
    }
}

/// Messages of remote write 2.0.
pub mod v2 {
    use super::Message;

    /// A table of symbols as a request grows.
    #[derive(Clone, Debug)]
    pub struct Symbols {
        texts: Vec<String>,
    }

    impl Default for Symbols {
        fn default() -> Self {
            Symbols {
                texts: vec![String::new()],
            }
        }
    }

    impl Symbols {
        /// The reference of a text.
        pub fn reference(&mut self, text: &str) -> u64 {
            let found = self.texts.iter().position(|known| known == text);
            found.unwrap_or_else(|| {
                self.texts.push(text.to_owned());
                self.texts.len() - 1
            }) as u64
        }

        /// The references of labels.
        pub fn labels(&mut self, labels: &[(&str, &str)]) -> Vec<u64> {
            let pairs = labels.iter().flat_map(|(name, value)| [*name, *value]);
            pairs.map(|text| self.reference(text)).collect()
        }

        /// A series with these labels and nothing else yet.
        pub fn series(&mut self, labels: &[(&str, &str)]) -> Message {
            Message::new().packed(1, &self.labels(labels))
        }

        /// An exemplar, field 4 of a series.
        pub fn exemplar(&mut self, time: i64, value: f64, labels: &[(&str, &str)]) -> Message {
            Message::new()
                .packed(1, &self.labels(labels))
                .double(2, value)
                .integer(3, time)
        }

        /// Metadata, field 5 of a series.
        pub fn metadata(&mut self, kind: i64, help: &str, unit: &str) -> Message {
            let (help, unit) = (self.reference(help) as i64, self.reference(unit) as i64);
            Message::new()
                .integer(1, kind)
                .integer(3, help)
                .integer(4, unit)
        }

        /// A request of these series.
        pub fn request(&self, series: impl IntoIterator<Item = Message>) -> Message {
            let symbols = self
                .texts
                .iter()
                .fold(Message::new(), |request, text| request.bytes(4, text));
            series
                .into_iter()
                .fold(symbols, |request, series| request.message(5, series))
        }
    }

    /// A sample, field 2 of a series.
    pub fn sample(time: i64, start: i64, value: f64) -> Message {
        Message::new()
            .double(1, value)
            .integer(2, time)
            .integer(3, start)
    }
}

/// Messages of OpenTelemetry's metrics.
pub mod otlp {
    use super::Message;

    /// A second in nanoseconds.
    pub const SECOND: u64 = 1_000_000_000;

    /// An attribute of text.
    pub fn attribute(name: &str, value: &str) -> Message {
        Message::new()
            .bytes(1, name)
            .message(2, Message::new().bytes(1, value))
    }

    /// A point of this time and nothing else yet.
    pub fn point(time: u64) -> Message {
        Message::new().double(3, f64::from_bits(time))
    }

    /// A point of a sum or a gauge.
    pub fn number(start: u64, time: u64, value: f64) -> Message {
        point(time)
            .double(2, f64::from_bits(start))
            .double(4, value)
    }

    /// A request of one resource with these attributes and metrics.
    pub fn request(
        attributes: &[(&str, &str)],
        metrics: impl IntoIterator<Item = Message>,
    ) -> Message {
        let resource = attributes
            .iter()
            .fold(Message::new(), |resource, (name, value)| {
                resource.message(1, attribute(name, value))
            });
        let scope = metrics
            .into_iter()
            .fold(Message::new(), |scope, metric| scope.message(2, metric));
        Message::new().message(1, Message::new().message(1, resource).message(2, scope))
    }
}

/// Messages of promtail and its kin.
pub mod logs {
    use super::Message;

    const SECOND: i64 = 1_000_000_000;

    /// A stream with these labels and no lines yet.
    pub fn stream(labels: &str) -> Message {
        Message::new().bytes(1, labels)
    }

    /// A line, field 2 of a stream.
    pub fn entry(time: i64, line: &str) -> Message {
        let time = Message::new()
            .integer(1, time.div_euclid(SECOND))
            .integer(2, time.rem_euclid(SECOND));
        Message::new().message(1, time).bytes(2, line)
    }

    /// A label of structured metadata, field 3 of a line.
    pub fn pair(name: &str, value: &str) -> Message {
        Message::new().bytes(1, name).bytes(2, value)
    }

    /// A request of these streams.
    pub fn request(streams: impl IntoIterator<Item = Message>) -> Message {
        streams
            .into_iter()
            .fold(Message::new(), |request, stream| request.message(1, stream))
    }
}

/// An integer histogram with two buckets on the positive side: 3 and 5 observations, and 2 near
/// zero. Field 4 of a series of version 1, field 3 of version 2.
pub fn integer_histogram(time: i64) -> Message {
    Message::new()
        .integer(1, 10)
        .double(3, 18.5)
        .zigzag(4, 1)
        .double(5, 0.001)
        .integer(6, 2)
        .message(11, Message::new().zigzag(1, -1).integer(2, 2))
        .packed_zigzag(12, &[3, 2])
        .integer(14, 2)
        .integer(15, time)
}

/// A histogram of floats with custom borders.
pub fn custom_histogram(time: i64, start: i64) -> Message {
    Message::new()
        .double(2, 4.5)
        .double(3, 7.25)
        .zigzag(4, -53)
        .message(11, Message::new().zigzag(1, 0).integer(2, 3))
        .packed_doubles(13, &[1.5, 2.0, 1.0])
        .integer(15, time)
        .packed_doubles(16, &[0.5, 2.5])
        .integer(17, start)
}

/// A snappy block of a message.
pub fn snappy(message: &[u8]) -> Vec<u8> {
    let compressed = snap::raw::Encoder::new().compress_vec(message);
    compressed.expect("a buffer of the needed size is made for it")
}

/// The bytes of the top-level fields of a message in a snappy block.
///
/// # Panics
/// If it is none.
pub fn message_fields(block: &[u8]) -> Vec<Vec<u8>> {
    let message = snap::raw::Decoder::new().decompress_vec(block);
    let message = message.expect("the caller holds a snappy block");
    let (mut fields, mut found) = (Fields::new(&message), Vec::new());
    while let Some((_, value)) = fields.next().expect("the block holds a message") {
        found.push(value.bytes().expect("its fields are messages").to_vec());
    }
    found
}

/// Decodes any bytes as remote write 1.0 and walks over what comes out.
pub fn fuzz_write_v1(message: &[u8]) {
    if let Ok(columns) = write_v1::decode(message) {
        walk(&columns);
    }
}

/// Decodes any bytes as remote write 2.0 and walks over what comes out.
pub fn fuzz_write_v2(message: &[u8]) {
    if let Ok(columns) = write_v2::decode(message) {
        walk(&columns);
    }
}

/// Decodes any bytes as a request of remote read.
pub fn fuzz_read(message: &[u8]) {
    let _ = read::decode(message);
}

/// Decodes any bytes as metrics of OpenTelemetry and walks over what comes out.
pub fn fuzz_otlp(message: &[u8]) {
    let deltas = Mutex::new(otlp_wire::deltas::Deltas::new(100));
    let mut turn = otlp_wire::deltas::Turn::new(&deltas);
    if let Ok((columns, _)) = otlp_wire::decode(message, Default::default(), &mut turn) {
        walk(&columns);
    }
}

/// Decodes any bytes as pushed lines in protobuf, and walks over what comes out.
pub fn fuzz_push(message: &[u8]) {
    if let Ok(columns) = wire_logs::protobuf::decode(message) {
        walk_logs(&columns);
    }
}

/// Reads any text as pushed lines in JSON, and walks over what comes out.
pub fn fuzz_push_json(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(columns) = wire_logs::json::decode(&text, times::rfc3339_nanos) {
        walk_logs(&columns);
    }
}

/// Decodes any bytes as logs of OpenTelemetry, in protobuf and in JSON.
pub fn fuzz_otlp_logs(message: &[u8]) {
    if let Ok(columns) = wire_logs::otlp::decode(message, 0) {
        walk_logs(&columns);
    }
    if let Ok(message) = otlp_wire::json::to_protobuf(message, otlp_wire::json::LOGS)
        && let Ok(columns) = wire_logs::otlp::decode(&message, 0)
    {
        walk_logs(&columns);
    }
}

/// Looks for the level of any line, and reads it as the labels of a stream.
pub fn fuzz_line(bytes: &[u8]) {
    let line = String::from_utf8_lossy(bytes);
    let _ = Level::of_line(&line);
    let _ = wire_logs::labels::parse(&line);
}

fn walk_logs(columns: &wire_logs::LogColumns<'_>) {
    let mut lines = 0;
    for (_, places) in columns.streams() {
        for place in places {
            let _ = (columns.metadata_of(place), &columns.entries()[place].line);
            lines += 1;
        }
    }
    assert!(lines <= columns.entries().len());
}

/// Reads any text in both dialects and walks over what comes out.
pub fn fuzz_import(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for dialect in [Dialect::Prometheus, Dialect::OpenMetrics] {
        if let Ok(columns) = text::decode(&text, dialect, 0) {
            walk(&columns);
        }
    }
}

fn walk(columns: &crate::wire::columns::Columns<'_>) {
    let batch = columns.batch(chronolith_engine::BatchMode::Each, &[]);
    assert_eq!(batch.len(), columns.entries().len());
    for exemplar in columns.exemplars() {
        assert!(!columns.labels(exemplar.series).is_empty());
    }
}

/// Valid requests of version 1.
pub fn seeds_write_v1() -> Vec<Vec<u8>> {
    let labels = [("__name__", "up"), ("job", "node")];
    let floats = v1::series(&labels)
        .message(2, v1::sample(1_768_476_600_000, 1.5))
        .message(2, v1::sample(1_768_476_615_000, f64::NAN))
        .message(
            3,
            v1::exemplar(1_768_476_600_000, 1.5, &[("trace_id", "abc")]),
        );
    let histograms = v1::series(&labels)
        .message(4, integer_histogram(1_768_476_600_000))
        .message(4, custom_histogram(1_768_476_615_000, 0));
    let unsorted = v1::series(&[("job", "node"), ("empty", ""), ("__name__", "up")])
        .message(2, v1::sample(-1, -0.0));
    vec![
        v1::request([floats.clone()]).into_bytes(),
        v1::request([histograms]).into_bytes(),
        v1::request([unsorted, v1::series(&[]), floats])
            .message(3, v1::metadata(1, "up", "Whether it is up.", "bool"))
            .into_bytes(),
    ]
}

/// Valid requests of version 2.
pub fn seeds_write_v2() -> Vec<Vec<u8>> {
    let mut symbols = v2::Symbols::default();
    let floats = symbols
        .series(&[("__name__", "up"), ("job", "node")])
        .message(2, v2::sample(1_768_476_600_000, 1_768_476_000_000, 1.5))
        .message(
            4,
            symbols.exemplar(1_768_476_600_000, 1.5, &[("trace_id", "abc")]),
        )
        .message(5, symbols.metadata(1, "Whether it is up.", "bool"));
    let histograms = symbols
        .series(&[("__name__", "latency_seconds"), ("job", "node")])
        .message(3, integer_histogram(1_768_476_600_000))
        .message(3, custom_histogram(1_768_476_615_000, 1_768_476_000_000))
        .integer(6, 1_768_475_000_000);
    let lost = Message::new()
        .packed(1, &[1, 99])
        .message(2, v2::sample(1, 0, 1.0));
    vec![
        symbols.request([floats.clone()]).into_bytes(),
        symbols.request([floats, histograms, lost]).into_bytes(),
    ]
}

/// Valid requests of remote read.
pub fn seeds_read() -> Vec<Vec<u8>> {
    let matcher =
        |op, name: &str, value: &str| Message::new().integer(1, op).bytes(2, name).bytes(3, value);
    let query = Message::new()
        .integer(1, 1_768_476_600_000)
        .integer(2, 1_768_480_200_000)
        .message(3, matcher(0, "__name__", "up"))
        .message(3, matcher(3, "job", "a|b.*"));
    vec![
        Message::new()
            .message(1, query)
            .packed(2, &[1, 0])
            .into_bytes(),
    ]
}

/// Pushed lines in protobuf.
pub fn seeds_push() -> Vec<Vec<u8>> {
    let entry = logs::entry(1_768_476_600_000_000_001, "level=info msg=x");
    let stream = logs::stream("{app=\"shop\", env='dev'}")
        .message(2, entry.message(3, logs::pair("trace_id", "t")))
        .message(2, logs::entry(-1, ""))
        .integer(3, 7);
    vec![logs::request([stream, logs::stream("{}")]).into_bytes()]
}

/// Pushed lines in JSON, in both forms.
pub fn seeds_push_json() -> Vec<Vec<u8>> {
    let today = r#"{"streams":[{"stream":{"app":"shop"},"values":[
        ["1768476600000000001","a \"b\" \ud83d\ude00\n",{"k":"v"}]]}],"x":[1,{"y":null}]}"#;
    let of_old = r#"{"streams":[{"labels":"{a=\"b\"}","entries":[
        {"ts":"2026-01-15T11:30:00.5Z","line":"x"}]}]}"#;
    vec![today.into(), of_old.into()]
}

/// Logs of OpenTelemetry, in protobuf and in JSON.
pub fn seeds_otlp_logs() -> Vec<Vec<u8>> {
    let inside = Message::new().message(1, otlp::attribute("n", "v"));
    let map = Message::new()
        .bytes(1, "m")
        .message(2, Message::new().message(6, inside));
    let record = Message::new()
        .fixed64(1, 1_768_476_600_000_000_000)
        .integer(2, 17)
        .bytes(3, "ERROR")
        .message(5, Message::new().bytes(1, "boom"))
        .message(6, map)
        .bytes(9, [0xab; 16]);
    let scope = Message::new().bytes(1, "lib").bytes(2, "1.0");
    let scopes = Message::new().message(1, scope).message(2, record);
    let resource = Message::new().message(1, otlp::attribute("service.name", "shop"));
    let logs = Message::new().message(1, resource).message(2, scopes);
    let json = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name",
        "value":{"stringValue":"shop"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"5",
        "traceId":"ab01","body":{"kvlistValue":{"values":[{"key":"a","value":{"doubleValue":0.5}},
        {"key":"b","value":{"arrayValue":{"values":[{"intValue":"-3"}]}}}]}}}]}]}]}"#;
    vec![Message::new().message(1, logs).into_bytes(), json.into()]
}

/// Lines with levels, and labels.
pub fn seeds_line() -> Vec<Vec<u8>> {
    let lines = [
        "ts=1 msg=\"level=x\" lvl=warn",
        "{\"a\":{\"level\":\"ERR\"},\"b\":[1]}",
        "[FATAL] no disk",
        "{a=\"b\\n\\u00e9\", c=`d`, e='f',}",
    ];
    lines.map(Vec::from).to_vec()
}

/// Texts in both dialects.
pub fn seeds_import() -> Vec<Vec<u8>> {
    let prometheus = "# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n\
                      up{job=\"a\",} 0 1768476600000\n\
                      {\"b.c\", \"x.y\"=\"p\\\"q\\\\r\\ns\" , z = \"\"} +Inf -5\r\n";
    let open_metrics = "# TYPE a counter\n# UNIT a seconds\n\
                        a_total{x=\"y\"} 5 1768476600.25 # {trace_id=\"abc\"} 0.5 1768476600\n\
                        # EOF\n";
    vec![prometheus.into(), open_metrics.into()]
}

/// Valid requests of OpenTelemetry.
pub fn seeds_otlp() -> Vec<Vec<u8>> {
    let metric = |name: &str, kind, data| {
        Message::new()
            .bytes(1, name)
            .bytes(3, "s")
            .message(kind, data)
    };
    let sum = Message::new()
        .message(
            1,
            otlp::number(1, 60 * otlp::SECOND, 5.0).message(7, otlp::attribute("a.b", "c")),
        )
        .integer(2, 2)
        .integer(3, 1);
    let bits = |number: u64| f64::from_bits(number);
    let histogram = otlp::point(otlp::SECOND)
        .double(4, bits(3))
        .double(5, 1.5)
        .packed_doubles(6, &[bits(1), bits(2)])
        .packed_doubles(7, &[0.5]);
    let exponential = otlp::point(otlp::SECOND)
        .double(4, bits(3))
        .zigzag(6, 9)
        .message(8, Message::new().zigzag(1, -4).packed(2, &[1, 0, 2]));
    let summary = otlp::point(otlp::SECOND)
        .double(4, bits(2))
        .message(6, Message::new().double(1, 0.5).double(2, 3.0));
    let data = |point| Message::new().message(1, point).integer(2, 2);
    vec![
        otlp::request(
            &[("service.name", "shop"), ("host", "h")],
            [metric("x", 7, sum)],
        )
        .into_bytes(),
        otlp::request(
            &[],
            [
                metric("h", 9, data(histogram)),
                metric("e", 10, data(exponential)),
                metric("q", 11, data(summary)),
            ],
        )
        .into_bytes(),
    ]
}
