//! The table of settings: one row each, from which flags, environment variables, keys of the
//! configuration file, help and `docs/config.md` come.

use std::time::Duration;

use super::Settings;
use super::shape::Shape;

/// One setting.
pub(crate) struct Setting {
    /// Where it stands in a configuration file, with a dot between the levels.
    pub(crate) path: &'static str,
    /// What help calls its value.
    pub(crate) value: &'static str,
    pub(crate) about: &'static str,
    pub(crate) effect: Effect,
    /// Sets it from text. The error says what would be right.
    pub(crate) read: fn(&mut Settings, &str) -> Result<(), String>,
    pub(crate) show: fn(&Settings) -> String,
}

/// When a changed setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// When the server is started again.
    Start,
    /// When it reads its configuration again.
    Reload,
}

impl Setting {
    /// The name of its flag, without dashes in front.
    pub(crate) fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The name of its environment variable.
    pub(crate) fn variable(&self) -> String {
        let name = self.path.replace('.', "_").to_ascii_uppercase();
        format!("CHRONOLITH_{name}")
    }

    /// Sets it from text, and says of a value that is wrong what would be right.
    pub(crate) fn set(&self, settings: &mut Settings, text: &str) -> Result<(), String> {
        (self.read)(settings, text)
            .map_err(|right| format!("{text:?} is no {}: {right}", self.noun()))
    }

    /// What its value is called in a sentence.
    fn noun(&self) -> &'static str {
        match self.value {
            "ADDR" => "address",
            "COUNT" => "count",
            "BYTES" => "amount of bytes",
            "DURATION" => "duration",
            "PERCENT" => "percentage",
            "RULE" => "rule of retention",
            _ => "value for this",
        }
    }

    /// Whether it is switched on by naming it.
    pub(crate) fn is_switch(&self) -> bool {
        self.value == bool::NAME
    }
}

/// The row with this path.
pub(crate) fn row(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// What a field's sort of value is called.
const fn name<T: Shape>(_: fn(&Settings) -> &T) -> &'static str {
    T::NAME
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
                let value = Shape::read(text)?;
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
    ($path:literal, $effect:ident, $($field:ident).+, $about:literal) => {
        Setting {
            path: $path,
            value: u64::NAME,
            about: $about,
            effect: Effect::$effect,
            read: |settings, text| {
                let bytes = u64::read(text)?;
                settings.$($field).+ = usize::try_from(bytes).unwrap_or(usize::MAX);
                Ok(())
            },
            show: |settings| (settings.$($field).+ as u64).show(),
        }
    };
}

fn keeps_something(retention: &Option<Duration>) -> Result<(), String> {
    match retention {
        Some(Duration::ZERO) => Err(
            "a retention of nothing keeps nothing: write none, or leave \
                                     it out, to keep data for ever"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

fn positive(count: &usize) -> Result<(), String> {
    match count {
        0 => Err("write a number from 1 on".to_owned()),
        _ => Ok(()),
    }
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
        Reload,
        retention,
        "How long data is kept, such as 15d; none: for ever",
        keeps_something
    ),
    setting!(
        "retention_rules",
        Reload,
        retention_rules,
        "How long some series are kept instead: the first selector that accepts a series counts; \
         at most 16"
    ),
    setting!(
        "retention_bytes_max",
        Start,
        retention_bytes_max,
        "Bytes that all blocks together may take on disk; the oldest go first"
    ),
    setting!(
        "out_of_order_window",
        Reload,
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
        Reload,
        store.future_max,
        "How far ahead of the clock an entry may be"
    ),
    setting!(
        "query.timeout",
        Reload,
        query.timeout,
        "How long a query of metrics may take"
    ),
    setting!(
        "query.lookback",
        Reload,
        query.lookback,
        "How old the newest sample of a series may be to be its value"
    ),
    setting!(
        "query.samples_max",
        Reload,
        query.samples_max,
        "Samples that one query may hold at once",
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
        Reload,
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
        Reload,
        logs.retention,
        "How long lines are kept; none: as long as everything else",
        keeps_something
    ),
    setting!(
        "log.query_timeout",
        Reload,
        logs.query_timeout,
        "How long a query of logs may take"
    ),
    setting!(
        "log.labels_max",
        Reload,
        logs.labels_max,
        "Labels that a stream may have"
    ),
    bytes!(
        "log.label_name_bytes_max",
        Reload,
        logs.label_name_bytes_max,
        "Bytes that the name of a label may have"
    ),
    bytes!(
        "log.label_value_bytes_max",
        Reload,
        logs.label_value_bytes_max,
        "Bytes that the value of a label may have"
    ),
    bytes!(
        "log.line_bytes_max",
        Reload,
        logs.line_bytes_max,
        "Bytes that a line may have"
    ),
    setting!(
        "log.metadata_labels_max",
        Reload,
        logs.metadata_labels_max,
        "Labels that the metadata of a line may have"
    ),
    bytes!(
        "log.metadata_bytes_max",
        Reload,
        logs.metadata_bytes_max,
        "Bytes that the metadata of a line may have"
    ),
    setting!(
        "log.entries_max",
        Reload,
        logs.entries_max,
        "Lines that a query may answer"
    ),
    setting!(
        "log.series_max",
        Reload,
        logs.series_max,
        "Series that a query of logs may answer"
    ),
    setting!(
        "log.volumes_max",
        Reload,
        logs.volumes_max,
        "Volumes that a request may answer"
    ),
    setting!(
        "log.tails_max",
        Reload,
        logs.tails_max,
        "Live tails that may be open at once"
    ),
    setting!(
        "log.range_max",
        Reload,
        logs.range_max,
        "The longest range of a query of logs"
    ),
    setting!(
        "log.patterns",
        Reload,
        log_patterns,
        "Whether patterns of lines are looked for when Logs Drilldown asks for them"
    ),
];
