//! The rows of the table of settings, in the order in which help and the documentation list them.

use super::Settings;
use super::checks::{
    ahead_bytes, head_bytes, keeps_something, lasts, line_bytes, metadata_bytes, name_bytes, nice,
    positive, rules, series, value_bytes,
};
use super::shape::Shape;
use super::table::{Effect, Setting};

/// What a field's sort of value is called.
const fn name<T: Shape>(_: fn(&Settings) -> &T) -> &'static str {
    T::NAME
}

/// Reads a value of the sort of a field.
fn read_as<T: Shape>(_: &T, text: &str) -> Result<T, String> {
    T::read(text)
}

/// A row for a field of [`Settings`], with a condition on its value where there is one.
macro_rules! setting {
    ($path:literal, $effect:ident, $($field:ident).+, $about:literal $(, $check:expr)?) => {
        Setting {
            path: $path,
            value: name(|settings| &settings.$($field).+),
            about: $about,
            effect: Effect::$effect,
            read: |settings, text| {
                let value = read_as(&settings.$($field).+, text)?;
                $($check(&value)?;)?
                settings.$($field).+ = value;
                Ok(())
            },
            show: |settings| settings.$($field).+.show(),
        }
    };
}

/// A row for a field that counts bytes in memory.
macro_rules! bytes {
    ($path:literal, $effect:ident, $($field:ident).+, $about:literal $(, $check:expr)?) => {
        Setting {
            path: $path,
            value: u64::NAME,
            about: $about,
            effect: Effect::$effect,
            read: |settings, text| {
                let bytes = usize::try_from(u64::read(text)?).unwrap_or(usize::MAX);
                $($check(bytes)?;)?
                settings.$($field).+ = bytes;
                Ok(())
            },
            show: |settings| (settings.$($field).+ as u64).show(),
        }
    };
}

/// All settings, as help and the documentation list them.
pub(crate) const SETTINGS: &[Setting] = &[
    setting!(
        "data",
        Start,
        data,
        "The data directory, made if it is not there"
    ),
    setting!(
        "listen.prometheus",
        Start,
        listen_prometheus,
        "Where the Prometheus API listens"
    ),
    setting!(
        "listen.loki",
        Start,
        listen_loki,
        "Where the Loki API listens"
    ),
    setting!(
        "listen.otlp_grpc",
        Start,
        listen_otlp_grpc,
        "Where OTLP over gRPC listens"
    ),
    setting!(
        "listen.otlp_http",
        Start,
        listen_otlp_http,
        "Where OTLP over HTTP listens"
    ),
    setting!(
        "listen.admin",
        Start,
        listen_admin,
        "Where administrative paths are answered; then they are not at the other addresses"
    ),
    setting!(
        "retention",
        Tenant,
        retention,
        "How long data is kept, such as 15d; none: for ever",
        keeps_something
    ),
    setting!(
        "retention_rules",
        Tenant,
        retention_rules,
        "How long some series are kept instead: the first selector that accepts a series counts; \
         at most 16",
        rules
    ),
    setting!(
        "retention_tenant_bytes_max",
        Tenant,
        retention_tenant_bytes_max,
        "Bytes that the blocks of one tenant's metrics may take on disk, and those of its logs; \
         the oldest go first"
    ),
    setting!(
        "retention_bytes_max",
        Start,
        retention_bytes_max,
        "Bytes that all blocks together may take on disk; the oldest go first"
    ),
    setting!(
        "out_of_order_window",
        Tenant,
        out_of_order_window,
        "How far behind the newest sample of its series a sample may be; 0s takes none; none: as \
         far as retention reaches"
    ),
    setting!(
        "durability",
        Start,
        durability,
        "When a write counts as done: always (on the disk), an interval at which the log is \
         synced, or never"
    ),
    setting!(
        "memory_max",
        Start,
        memory_max,
        "Bytes of memory that defaults follow from; none: what the machine has, or its control \
         group allows"
    ),
    setting!(
        "store.head_bytes_max",
        Start,
        store.head_bytes_max,
        "Bytes of entries in memory before they go to blocks"
    ),
    setting!(
        "store.cache_bytes_max",
        Start,
        store.cache_bytes_max,
        "Bytes of decoded pages that are kept for repeated reads"
    ),
    setting!(
        "store.wal_bytes_max",
        Start,
        store.wal_bytes_max,
        "Bytes of the log, which bound how long a restart takes"
    ),
    setting!(
        "store.series_max",
        Start,
        store.series_max,
        "Series in memory; new ones beyond are refused"
    ),
    setting!(
        "store.open_files_max",
        Start,
        store.open_files_max,
        "Block files that stay open between two reads"
    ),
    setting!(
        "store.reserve_bytes",
        Start,
        store.reserve_bytes,
        "Bytes that are set aside for commits on a full disk"
    ),
    setting!(
        "store.compaction_percent",
        Start,
        store.compaction_percent,
        "How much of one core merging may take; 0 merges when asked only"
    ),
    setting!(
        "store.future_max",
        Tenant,
        store.future_max,
        "How far ahead of the clock an entry may be"
    ),
    setting!(
        "ingest.series_max",
        Tenant,
        ingest.series_max,
        "Series of one tenant in memory; new ones beyond are refused; none: as many as \
         store.series_max",
        series
    ),
    setting!(
        "ingest.streams_max",
        Tenant,
        ingest.streams_max,
        "Streams of logs of one tenant in memory; new ones beyond are refused; none: as many as \
         store.series_max",
        series
    ),
    setting!(
        "ingest.samples_per_second",
        Tenant,
        ingest.samples_per_second,
        "Samples and histograms that one tenant may push a second on average; a push beyond is \
         answered with 429 and Retry-After"
    ),
    setting!(
        "ingest.lines_per_second",
        Tenant,
        ingest.lines_per_second,
        "Log lines that one tenant may push a second on average; a push beyond is answered likewise"
    ),
    setting!(
        "ingest.line_bytes_per_second",
        Tenant,
        ingest.line_bytes_per_second,
        "Bytes of log lines and their metadata that one tenant may push a second on average; a \
         push beyond is answered likewise"
    ),
    setting!(
        "ingest.burst",
        Tenant,
        ingest.burst,
        "How many seconds' worth of these a tenant may push at once after a rest",
        lasts
    ),
    setting!(
        "query.timeout",
        Tenant,
        query.timeout,
        "How long a query of metrics may take"
    ),
    setting!(
        "query.lookback",
        Tenant,
        query.lookback,
        "How old the newest sample of a series may be to be its value"
    ),
    setting!(
        "query.samples_max",
        Tenant,
        query.samples_max,
        "Samples that one query may hold at once, of metrics or logs",
        positive
    ),
    setting!(
        "query.all_samples_max",
        Start,
        query.all_samples_max,
        "Samples that all queries together may hold at once; 16 bytes of a line count as one",
        positive
    ),
    setting!(
        "query.concurrent_max",
        Start,
        query.concurrent_max,
        "Queries that run at once, of metrics and logs",
        positive
    ),
    setting!(
        "query.waiting_max",
        Start,
        query.waiting_max,
        "Queries that may wait for one of these to end"
    ),
    setting!(
        "query.nice",
        Start,
        query.nice,
        "How many steps queries stand back behind pushes where cores are scarce, up to 19",
        nice
    ),
    setting!(
        "connections_max",
        Start,
        connections_max,
        "Connections of each door at once; more wait in the system's queue",
        positive
    ),
    setting!(
        "writes_max",
        Start,
        writes_max,
        "Writes that run at once; more wait",
        positive
    ),
    setting!(
        "writes_waiting_max",
        Start,
        writes_waiting_max,
        "Writes that may wait for one of these to end"
    ),
    bytes!(
        "http.body_bytes_max",
        Reload,
        http.body_bytes_max,
        "Bytes that a pushed body may have as it comes"
    ),
    bytes!(
        "http.decoded_bytes_max",
        Reload,
        http.decoded_bytes_max,
        "Bytes that a body may have when it is decompressed"
    ),
    bytes!(
        "http.json_bytes_max",
        Reload,
        http.json_bytes_max,
        "Bytes that a message of OTLP in JSON may have, decompressed"
    ),
    bytes!(
        "http.form_bytes_max",
        Reload,
        http.form_bytes_max,
        "Bytes that a form may have"
    ),
    setting!(
        "http.held_bytes_max",
        Start,
        http.held_bytes_max,
        "Bytes of bodies that come or wait to be stored, of all requests and calls of gRPC together"
    ),
    setting!(
        "http.body_timeout",
        Reload,
        http.body_timeout,
        "How long a body may take to come",
        lasts
    ),
    setting!(
        "http.head_timeout",
        Reload,
        http.head_timeout,
        "How long the head of a request may take, and a connection be idle",
        lasts
    ),
    setting!(
        "http.headers_max",
        Reload,
        http.headers_max,
        "Headers that a request may have",
        positive
    ),
    bytes!(
        "http.head_bytes_max",
        Reload,
        http.head_bytes_max,
        "Bytes that the head of a request may have",
        head_bytes
    ),
    setting!(
        "http.write_timeout",
        Reload,
        http.write_timeout,
        "How long a client may take nothing of what is sent to it",
        lasts
    ),
    setting!(
        "http.handshake_timeout",
        Reload,
        http.handshake_timeout,
        "How long a handshake of TLS may take",
        lasts
    ),
    setting!(
        "http.drain_timeout",
        Reload,
        http.drain_timeout,
        "How long requests have to end once the server stops"
    ),
    setting!(
        "grpc.calls_max",
        Reload,
        grpc.calls_max,
        "Calls that a connection of gRPC may have at once",
        positive
    ),
    bytes!(
        "grpc.header_bytes_max",
        Reload,
        grpc.header_bytes_max,
        "Bytes that the headers of a call may have"
    ),
    bytes!(
        "grpc.ahead_bytes_max",
        Reload,
        grpc.ahead_bytes_max,
        "Bytes that a connection may send ahead of what is read",
        ahead_bytes
    ),
    setting!(
        "grpc.resets_max",
        Reload,
        grpc.resets_max,
        "Calls that a client may take back before they were looked at"
    ),
    setting!(
        "grpc.errors_max",
        Reload,
        grpc.errors_max,
        "Calls that may break the rules of HTTP/2 before the connection is closed"
    ),
    setting!(
        "grpc.keep_alive",
        Reload,
        grpc.keep_alive,
        "How often a client is asked whether it is there",
        lasts
    ),
    setting!(
        "grpc.keep_alive_timeout",
        Reload,
        grpc.keep_alive_timeout,
        "How long it has to say so",
        lasts
    ),
    setting!(
        "grpc.idle_timeout",
        Reload,
        grpc.idle_timeout,
        "How long a connection may have no call; it may be twice as long",
        lasts
    ),
    setting!(
        "web_config_file",
        Start,
        web_config_file,
        "The file that says who is let in and how connections are encrypted; docs/security.md"
    ),
    setting!(
        "multi_tenant",
        Start,
        multi_tenant,
        "Whether X-Scope-OrgID chooses the tenant; otherwise the header is not looked at"
    ),
    setting!(
        "tenants_max",
        Reload,
        tenants_max,
        "Tenants that there may be, the default one counted; a write of a further one is refused",
        positive
    ),
    setting!(
        "journal.format",
        Start,
        journal.format,
        "How the journal on standard error looks: text or json"
    ),
    setting!(
        "journal.slow_query",
        Reload,
        journal.slow_query,
        "Queries that take longer are told in the journal; 0s tells none"
    ),
    setting!(
        "otlp.translation",
        Tenant,
        otlp_translation,
        "How names of OpenTelemetry become names of Prometheus: UnderscoreEscapingWithSuffixes, \
         UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes or NoTranslation"
    ),
    setting!(
        "otlp.delta_series_max",
        Start,
        otlp_delta_series_max,
        "Series of delta temporality that are added up; 0 takes none"
    ),
    setting!(
        "log.retention",
        Tenant,
        logs.retention,
        "How long lines are kept; none: as long as everything else",
        keeps_something
    ),
    setting!(
        "log.query_timeout",
        Tenant,
        logs.query_timeout,
        "How long a query of logs may take"
    ),
    setting!(
        "log.labels_max",
        Tenant,
        logs.labels_max,
        "Labels that a stream may have"
    ),
    bytes!(
        "log.label_name_bytes_max",
        Tenant,
        logs.label_name_bytes_max,
        "Bytes that the name of a label may have",
        name_bytes
    ),
    bytes!(
        "log.label_value_bytes_max",
        Tenant,
        logs.label_value_bytes_max,
        "Bytes that the value of a label may have",
        value_bytes
    ),
    bytes!(
        "log.line_bytes_max",
        Tenant,
        logs.line_bytes_max,
        "Bytes that a line may have",
        line_bytes
    ),
    setting!(
        "log.metadata_labels_max",
        Tenant,
        logs.metadata_labels_max,
        "Labels that the metadata of a line may have"
    ),
    bytes!(
        "log.metadata_bytes_max",
        Tenant,
        logs.metadata_bytes_max,
        "Bytes that the metadata of a line may have",
        metadata_bytes
    ),
    setting!(
        "log.entries_max",
        Tenant,
        logs.entries_max,
        "Lines that a query may answer"
    ),
    setting!(
        "log.series_max",
        Tenant,
        logs.series_max,
        "Series that a query of logs may answer"
    ),
    setting!(
        "log.volumes_max",
        Tenant,
        logs.volumes_max,
        "Volumes that a request may answer"
    ),
    setting!(
        "log.tails_max",
        Tenant,
        logs.tails_max,
        "Live tails that may be open at once"
    ),
    setting!(
        "log.tail_max",
        Tenant,
        logs.tail_max,
        "How long a live tail may last",
        lasts
    ),
    setting!(
        "log.tail_send_timeout",
        Tenant,
        logs.tail_send_timeout,
        "How long a frame of a live tail may take to be sent",
        lasts
    ),
    setting!(
        "log.range_max",
        Tenant,
        logs.range_max,
        "The longest range of a query of logs"
    ),
    setting!(
        "log.patterns",
        Tenant,
        log_patterns,
        "Whether patterns of lines are looked for when Logs Drilldown asks for them"
    ),
];
