//! What an operator chooses, as plain values with their defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
    /// How long data is kept (`None`: for ever).
    pub retention: Option<Duration>,
    /// How far behind the newest sample of its series a sample may be (`None`: as far as retention
    /// reaches; zero: never).
    pub out_of_order_window: Option<Duration>,
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
}

impl Default for LogLimits {
    fn default() -> Self {
        LogLimits {
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
            retention: None,
            out_of_order_window: None,
            otlp_translation: Translation::default(),
            otlp_delta_series_max: 100_000,
            logs: LogLimits::default(),
            multi_tenant: false,
            tenants_max: 100,
            log_patterns: false,
        }
    }
}
