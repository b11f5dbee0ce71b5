//! `serve`: flags to settings, and a process that runs until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::{fail, say};
use crate::duration;
use crate::server::Server;
use crate::settings::{LogLimits, Settings, Translation};

/// The name of a flag that takes a duration, and how durations are explained.
const DURATION: &str = "DURATION";

/// The flags of `serve`.
pub(super) fn command() -> Command {
    let defaults = Settings::default();
    let flag = |name: &'static str, value: &'static str, help: String| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let address = |name, what: &str, default: SocketAddr| {
        flag(
            name,
            "ADDR",
            format!("Where {what} listens [default: {default}]"),
        )
        .value_parser(value_parser!(SocketAddr))
    };
    Command::new("serve")
        .about("Open a data directory and serve it until SIGTERM or SIGINT")
        .arg(
            flag("data", "DIR", "The data directory [default: data]".into())
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(address(
            "listen-prometheus",
            "the Prometheus API",
            defaults.listen_prometheus,
        ))
        .arg(address("listen-loki", "the Loki API", defaults.listen_loki))
        .arg(address(
            "listen-otlp-grpc",
            "OTLP over gRPC",
            defaults.listen_otlp_grpc,
        ))
        .arg(address(
            "listen-otlp-http",
            "OTLP over HTTP",
            defaults.listen_otlp_http,
        ))
        .arg(
            flag(
                "retention",
                DURATION,
                "How long data is kept, such as 15d [default: for ever]".into(),
            )
            .value_parser(positive_duration()),
        )
        .arg(
            flag(
                "out-of-order-window",
                DURATION,
                "How far behind the newest sample of its series a sample may be; 0s takes none \
                 [default: as far as retention reaches]"
                    .into(),
            )
            .value_parser(any_duration()),
        )
        .args(otlp_arguments(&defaults))
        .args(log_arguments())
}

/// How metrics of OpenTelemetry are taken.
fn otlp_arguments(defaults: &Settings) -> [Arg; 2] {
    let names = Translation::NAMES.map(|(name, _)| name);
    [
        Arg::new("otlp-translation")
            .long("otlp-translation")
            .value_name("STRATEGY")
            .help(format!(
                "How names of OpenTelemetry become names of Prometheus: {} [default: {}]",
                names.join(", "),
                names[0]
            ))
            .value_parser(names),
        Arg::new("otlp-delta-series-max")
            .long("otlp-delta-series-max")
            .value_name("COUNT")
            .help(format!(
                "Series of delta temporality that are added up; 0 takes none [default: {}]",
                defaults.otlp_delta_series_max
            ))
            .value_parser(value_parser!(usize)),
    ]
}

fn translation(flags: &ArgMatches) -> Translation {
    let told = flags.get_one::<String>("otlp-translation");
    let named = |(name, translation): (&str, Translation)| {
        (Some(name) == told.map(String::as_str)).then_some(translation)
    };
    let known = Translation::NAMES.into_iter().find_map(named);
    known.unwrap_or_default()
}

/// The limits of those who send and read logs.
fn log_arguments() -> Vec<Arg> {
    let defaults = LogLimits::default();
    let count = |name: &'static str, what: &str, default: usize| {
        Arg::new(name)
            .long(name)
            .value_name("COUNT")
            .help(format!("{what} [default: {default}]"))
            .value_parser(value_parser!(usize))
    };
    let range = duration::format(defaults.range_max);
    vec![
        count(
            "log-labels-max",
            "Labels that a stream may have",
            defaults.labels_max,
        ),
        count(
            "log-line-bytes-max",
            "Bytes that a line may have",
            defaults.line_bytes_max,
        ),
        count(
            "log-entries-max",
            "Lines that a query may answer",
            defaults.entries_max,
        ),
        count(
            "log-series-max",
            "Series that a query of logs may answer",
            defaults.series_max,
        ),
        count(
            "log-tails-max",
            "Live tails that may be open at once",
            defaults.tails_max,
        ),
        Arg::new("log-patterns")
            .long("log-patterns")
            .action(ArgAction::SetTrue)
            .help("Look for patterns of lines when Logs Drilldown asks for them"),
        Arg::new("log-range-max")
            .long("log-range-max")
            .value_name(DURATION)
            .help(format!(
                "The longest range of a query of logs [default: {range}]"
            ))
            .value_parser(any_duration()),
    ]
}

fn any_duration() -> ValueParser {
    ValueParser::new(|text: &str| {
        duration::parse(text).ok_or_else(|| {
            format!("{text:?} is no duration: write numbers with units, such as 30m, 12h or 15d")
        })
    })
}

fn positive_duration() -> ValueParser {
    ValueParser::new(|text: &str| match duration::parse(text) {
        Some(Duration::ZERO) => Err("a retention of nothing keeps nothing: \
                                     leave the flag out to keep data for ever"
            .to_owned()),
        Some(duration) => Ok(duration),
        None => Err(format!(
            "{text:?} is no duration: write numbers with units, such as 30m, 12h or 15d"
        )),
    })
}

fn settings(flags: &ArgMatches) -> Settings {
    let defaults = Settings::default();
    let address = |name, default| {
        flags
            .get_one::<SocketAddr>(name)
            .copied()
            .unwrap_or(default)
    };
    let length = |name| flags.get_one::<Duration>(name).copied();
    Settings {
        data: flags.get_one("data").cloned().unwrap_or(defaults.data),
        listen_prometheus: address("listen-prometheus", defaults.listen_prometheus),
        listen_loki: address("listen-loki", defaults.listen_loki),
        listen_otlp_grpc: address("listen-otlp-grpc", defaults.listen_otlp_grpc),
        listen_otlp_http: address("listen-otlp-http", defaults.listen_otlp_http),
        retention: length("retention"),
        out_of_order_window: length("out-of-order-window"),
        otlp_translation: translation(flags),
        otlp_delta_series_max: flags
            .get_one("otlp-delta-series-max")
            .copied()
            .unwrap_or(defaults.otlp_delta_series_max),
        logs: log_limits(flags),
        log_patterns: flags.get_flag("log-patterns"),
    }
}

fn log_limits(flags: &ArgMatches) -> LogLimits {
    let defaults = LogLimits::default();
    let count = |name, default| flags.get_one::<usize>(name).copied().unwrap_or(default);
    let range = flags.get_one::<Duration>("log-range-max").copied();
    LogLimits {
        labels_max: count("log-labels-max", defaults.labels_max),
        line_bytes_max: count("log-line-bytes-max", defaults.line_bytes_max),
        entries_max: count("log-entries-max", defaults.entries_max),
        series_max: count("log-series-max", defaults.series_max),
        range_max: range.unwrap_or(defaults.range_max),
        tails_max: count("log-tails-max", defaults.tails_max),
        ..defaults
    }
}

/// Serves until the process is told to stop.
pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let server = match Server::start(settings(flags)) {
        Ok(server) => server,
        Err(error) => return fail(&error.to_string()),
    };
    say(&format!(
        "chronolith: Prometheus API on http://{}, Loki API on http://{}, OTLP on http://{}, \
         OTLP over gRPC on http://{}\n",
        server.prometheus_address(),
        server.loki_address(),
        server.otlp_http_address(),
        server.otlp_grpc_address()
    ));
    match server.run_until_signal(|recovered| say(&format!("chronolith: {recovered}\n"))) {
        Ok(()) => {
            say("chronolith: stopped\n");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(flags: &[&str]) -> Result<Settings, String> {
        let arguments = ["serve"].iter().chain(flags);
        let matches = command()
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        Ok(settings(&matches))
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        assert_eq!(parsed(&[]).unwrap(), Settings::default());
    }

    #[test]
    fn every_flag_sets_its_setting() {
        let flags = [
            "--data",
            "d",
            "--listen-prometheus",
            "0.0.0.0:1",
            "--listen-loki",
            "0.0.0.0:2",
            "--listen-otlp-grpc",
            "0.0.0.0:3",
            "--listen-otlp-http",
            "[::1]:4",
            "--retention",
            "15d",
            "--out-of-order-window",
            "0s",
            "--otlp-translation",
            "NoTranslation",
            "--otlp-delta-series-max",
            "7",
            "--log-labels-max",
            "20",
            "--log-line-bytes-max",
            "1000",
            "--log-entries-max",
            "100",
            "--log-series-max",
            "50",
            "--log-tails-max",
            "2",
            "--log-range-max",
            "1d",
            "--log-patterns",
        ];
        let address = |text: &str| text.parse().unwrap();
        let expected = Settings {
            data: "d".into(),
            listen_prometheus: address("0.0.0.0:1"),
            listen_loki: address("0.0.0.0:2"),
            listen_otlp_grpc: address("0.0.0.0:3"),
            listen_otlp_http: address("[::1]:4"),
            retention: Some(Duration::from_secs(15 * 24 * 3600)),
            out_of_order_window: Some(Duration::ZERO),
            otlp_translation: Translation::Nothing,
            otlp_delta_series_max: 7,
            logs: LogLimits {
                labels_max: 20,
                line_bytes_max: 1000,
                entries_max: 100,
                series_max: 50,
                tails_max: 2,
                range_max: Duration::from_secs(24 * 3600),
                ..LogLimits::default()
            },
            log_patterns: true,
        };
        assert_eq!(parsed(&flags).unwrap(), expected);
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        let error = parsed(&["--retention", "15 days"]).unwrap_err();
        assert!(
            error.contains("--retention") && error.contains("such as 30m"),
            "{error}"
        );
        let error = parsed(&["--retention", "0s"]).unwrap_err();
        assert!(error.contains("leave the flag out"), "{error}");
        let error = parsed(&["--listen-loki", "nowhere"]).unwrap_err();
        assert!(error.contains("--listen-loki"), "{error}");
        assert!(parsed(&["--no-such-flag"]).is_err());
    }
}
