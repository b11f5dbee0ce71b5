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
        }
    }
}
