//! What an operator chooses, as plain values with their defaults.
//!
//! `table` names each of them once; flags, environment, file, help and documentation come from
//! there. Knows no file and no command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chronolith_engine::{Durability, Options, RetentionRule};

mod checks;
mod doors;
pub(crate) mod machine;
mod rows;
pub(crate) mod shape;
pub(crate) mod table;
pub(crate) mod tenants;

pub use doors::{GrpcLimits, HttpLimits};
pub use tenants::OwnSettings;

/// The settings of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The data directory, made if it is not there.
    pub data: PathBuf,
    /// Where the Prometheus API listens.
    pub listen_prometheus: SocketAddr,
    /// Where the Loki API listens.
    pub listen_loki: SocketAddr,
    /// Where OTLP over gRPC listens.
    pub listen_otlp_grpc: SocketAddr,
    /// Where OTLP over HTTP listens.
    pub listen_otlp_http: SocketAddr,
    /// Where administrative paths are answered; then they are not at the other addresses.
    pub listen_admin: Option<SocketAddr>,
    /// The file that says who is let in, and how connections are encrypted.
    pub web_config_file: Option<PathBuf>,
    /// How long data is kept (`None`: for ever).
    pub retention: Option<Duration>,
    /// How long the series that the first rule with all its matchers accepts are kept instead.
    pub retention_rules: Vec<KeepRule>,
    /// Bytes that the blocks of one tenant's metrics may take on disk, and those of its logs
    /// (`None`: no bound).
    pub retention_tenant_bytes_max: Option<u64>,
    /// Bytes that all blocks together may take on disk (`None`: no bound).
    pub retention_bytes_max: Option<u64>,
    /// How far behind the newest sample of its series a sample may be (`None`: as far as retention
    /// reaches; zero: never).
    pub out_of_order_window: Option<Duration>,
    /// When a write counts as done.
    pub durability: Durability,
    /// Bytes of memory that other defaults were derived from (`None`: the defaults as they are).
    pub memory_max: Option<u64>,
    /// What the engine may use of the machine.
    pub store: StoreLimits,
    /// What one tenant may push.
    pub ingest: IngestLimits,
    /// What queries of metrics may use.
    pub query: QueryLimits,
    /// What one request over HTTP may bring and take.
    pub http: HttpLimits,
    /// What connections of gRPC may bring and take.
    pub grpc: GrpcLimits,
    /// Connections of each door at once; more wait in the system's queue.
    pub connections_max: usize,
    /// Writes that run at once; more wait.
    pub writes_max: usize,
    /// Writes that may wait for one of these to end.
    pub writes_waiting_max: usize,
    /// What the server says about itself.
    pub journal: JournalSettings,
    /// How names of OpenTelemetry become names of Prometheus.
    pub otlp_translation: Translation,
    /// How many series of delta temporality are added up; further ones are refused.
    pub otlp_delta_series_max: usize,
    /// What senders and readers of logs may do.
    pub logs: LogLimits,
    /// Whether `X-Scope-OrgID` chooses the tenant. Otherwise the header is taken and not looked at.
    pub multi_tenant: bool,
    /// Tenants that there may be, the default one counted; a write of a further one is refused.
    pub tenants_max: usize,
    /// Whether patterns of lines are looked for when somebody asks, which reads the lines.
    pub log_patterns: bool,
    /// What tenants have that differs from the above.
    pub own: OwnSettings,
}

/// How long some series are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepRule {
    /// Which series, as it was written.
    pub selector: String,
    /// The same as the engine takes it.
    pub rule: RetentionRule,
}

/// What the engine may use of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of entries in memory before the largest head goes to blocks.
    pub head_bytes_max: u64,
    /// Bytes of decoded pages that are kept for repeated reads.
    pub cache_bytes_max: u64,
    /// Bytes of the log, which bound how long a restart takes.
    pub wal_bytes_max: u64,
    /// Series in memory.
    pub series_max: usize,
    /// Block files that stay open between two reads.
    pub open_files_max: usize,
    /// Bytes that are set aside for a full disk.
    pub reserve_bytes: u64,
    /// How much of one core merging may take, in percent.
    pub compaction_percent: u8,
    /// How far ahead of the clock an entry may be.
    pub future_max: Duration,
}

/// What one tenant may push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestLimits {
    /// Series of its metrics in memory (`None`: as many as of all tenants).
    pub series_max: Option<usize>,
    /// Streams of its logs in memory (`None`: as many as of all tenants).
    pub streams_max: Option<usize>,
    /// Samples and histograms a second, on average (`None`: no bound).
    pub samples_per_second: Option<usize>,
    /// Log lines a second, on average (`None`: no bound).
    pub lines_per_second: Option<usize>,
    /// Bytes of log lines and their metadata a second, on average (`None`: no bound).
    pub line_bytes_per_second: Option<u64>,
    /// How many seconds' worth of these may come at once after a rest.
    pub burst: Duration,
}

impl Default for IngestLimits {
    fn default() -> Self {
        IngestLimits {
            series_max: None,
            streams_max: None,
            samples_per_second: None,
            lines_per_second: None,
            line_bytes_per_second: None,
            burst: Duration::from_secs(10),
        }
    }
}

/// What queries of metrics may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// How long one query may take.
    pub timeout: Duration,
    /// How old the newest sample of a series may be to be its value.
    pub lookback: Duration,
    /// Samples that one query may hold at once.
    pub samples_max: usize,
    /// Samples that all queries together may hold at once.
    pub all_samples_max: usize,
    /// Queries that run at once, of metrics and of logs; more wait.
    pub concurrent_max: usize,
    /// Queries that may wait.
    pub waiting_max: usize,
    /// How many steps queries stand back behind pushes where cores are scarce.
    pub nice: usize,
}

/// What the server says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// How lines of the journal look.
    pub format: JournalFormat,
    /// Queries that take longer than this are told in the journal (zero: none).
    pub slow_query: Duration,
}

/// How lines of the journal look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalFormat {
    /// Words, with pairs of keys and values behind them.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How names of OpenTelemetry become names of Prometheus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Translation {
    /// Underscores for what is no letter or digit, and suffixes for units and kinds.
    #[default]
    UnderscoresAndSuffixes,
    /// Underscores alone.
    Underscores,
    /// Names as they are, with suffixes.
    Suffixes,
    /// Names as they are.
    Nothing,
}

impl Translation {
    /// All of them, as Prometheus calls them.
    pub const NAMES: [(&str, Translation); 4] = [
        (
            "UnderscoreEscapingWithSuffixes",
            Translation::UnderscoresAndSuffixes,
        ),
        (
            "UnderscoreEscapingWithoutSuffixes",
            Translation::Underscores,
        ),
        ("NoUTF8EscapingWithSuffixes", Translation::Suffixes),
        ("NoTranslation", Translation::Nothing),
    ];
}

/// What senders and readers of logs may do, as Loki limits it by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// How long lines are kept (`None`: as long as everything else).
    pub retention: Option<Duration>,
    /// How long one query may take.
    pub query_timeout: Duration,
    /// Labels of one stream, `service_name` not counted.
    pub labels_max: usize,
    /// Bytes of the name of a label.
    pub label_name_bytes_max: usize,
    /// Bytes of the value of a label.
    pub label_value_bytes_max: usize,
    /// Bytes of one line.
    pub line_bytes_max: usize,
    /// Labels of the structured metadata of one line.
    pub metadata_labels_max: usize,
    /// Bytes of the structured metadata of one line.
    pub metadata_bytes_max: usize,
    /// Lines that one query may answer.
    pub entries_max: usize,
    /// Series that one query may answer.
    pub series_max: usize,
    /// The longest range of one query.
    pub range_max: Duration,
    /// Volumes that one request may answer.
    pub volumes_max: usize,
    /// Live tails at once.
    pub tails_max: usize,
    /// How long a live tail lasts.
    pub tail_max: Duration,
    /// How long a frame of a live tail may take to be sent.
    pub tail_send_timeout: Duration,
}

impl Default for LogLimits {
    fn default() -> Self {
        LogLimits {
            retention: None,
            query_timeout: Duration::from_secs(60),
            labels_max: 15,
            label_name_bytes_max: 1024,
            label_value_bytes_max: 2048,
            line_bytes_max: 256 << 10,
            metadata_labels_max: 128,
            metadata_bytes_max: 64 << 10,
            entries_max: 5000,
            series_max: 500,
            range_max: Duration::from_secs((30 * 24 + 1) * 3600),
            volumes_max: 1000,
            tails_max: 10,
            tail_max: Duration::from_secs(3600),
            tail_send_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Settings {
            data: PathBuf::from("data"),
            listen_prometheus: local(9090),
            listen_loki: local(3100),
            listen_otlp_grpc: local(4317),
            listen_otlp_http: local(4318),
            listen_admin: None,
            web_config_file: None,
            retention: None,
            retention_rules: Vec::new(),
            retention_tenant_bytes_max: None,
            retention_bytes_max: None,
            out_of_order_window: None,
            durability: Durability::Always,
            memory_max: None,
            store: StoreLimits::default(),
            ingest: IngestLimits::default(),
            query: QueryLimits::default(),
            http: HttpLimits::default(),
            grpc: GrpcLimits::default(),
            connections_max: 512,
            writes_max: 32,
            writes_waiting_max: 1024,
            journal: JournalSettings {
                format: JournalFormat::Text,
                slow_query: Duration::from_secs(10),
            },
            otlp_translation: Translation::default(),
            otlp_delta_series_max: 100_000,
            logs: LogLimits::default(),
            multi_tenant: false,
            tenants_max: 100,
            log_patterns: false,
            own: OwnSettings::default(),
        }
    }
}

impl Default for StoreLimits {
    fn default() -> Self {
        let options = Options::default();
        StoreLimits {
            head_bytes_max: options.head_bytes_max,
            cache_bytes_max: options.cache_bytes_max,
            wal_bytes_max: options.wal_bytes_max,
            series_max: usize::try_from(options.series_max).unwrap_or(usize::MAX),
            open_files_max: options.open_files_max,
            reserve_bytes: options.reserve_bytes,
            compaction_percent: options.compaction_percent,
            future_max: options.limits.future_max,
        }
    }
}

impl Default for QueryLimits {
    fn default() -> Self {
        QueryLimits {
            timeout: Duration::from_secs(120),
            lookback: Duration::from_secs(5 * 60),
            samples_max: 50_000_000,
            // Half of the memory that defaults are written for.
            all_samples_max: 128 << 20,
            concurrent_max: 20,
            waiting_max: 256,
            nice: 5,
        }
    }
}
