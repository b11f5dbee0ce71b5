//! `serve`: flags to settings, and a process that runs until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::{MISUSED, fail, say};
use crate::config::{self, Given};
use crate::journal::{Journal, Level};
use crate::server::Server;
use crate::settings::table::{SETTINGS, Setting};
use crate::settings::{Settings, machine};

/// The flag that names the configuration file.
const CONFIG: &str = "config";
/// The environment variable that does.
const CONFIG_VARIABLE: &str = "CHRONOLITH_CONFIG";

/// The flags of `serve`.
pub(super) fn command() -> Command {
    let defaults = Settings::default();
    let file = Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .help(format!(
            "The configuration file; docs/config.md lists its keys [env: {CONFIG_VARIABLE}]"
        ))
        .value_parser(value_parser!(PathBuf));
    Command::new("serve")
        .about("Open a data directory and serve it until SIGTERM or SIGINT")
        .arg(file)
        .args(SETTINGS.iter().map(|setting| flag(setting, &defaults)))
}

fn flag(setting: &'static Setting, defaults: &Settings) -> Arg {
    let about = setting.about.trim_end_matches('.');
    let default = (setting.show)(defaults);
    let default = if default.is_empty() { "none" } else { &default };
    let arg = Arg::new(setting.path)
        .long(setting.flag())
        .value_name(setting.value)
        .help(format!("{about} [default: {default}]"))
        .value_parser(ValueParser::new(move |text: &str| {
            (setting.read)(&mut Settings::default(), text).map(|()| text.to_owned())
        }));
    match setting.is_switch() {
        true => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        false => arg,
    }
}

/// The variables of the environment that are text.
pub(super) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
        .collect()
}

/// What flags and environment say.
fn given(flags: &ArgMatches) -> Given {
    let told = |setting: &Setting| {
        let text = flags.get_one::<String>(setting.path)?;
        Some((setting.path, text.clone()))
    };
    let environment = environment();
    let by_variable = environment
        .iter()
        .find(|(name, _)| name == CONFIG_VARIABLE)
        .map(|(_, path)| PathBuf::from(path));
    Given {
        file: flags.get_one(CONFIG).cloned().or(by_variable),
        flags: SETTINGS.iter().filter_map(told).collect(),
        environment,
        memory: machine::memory(),
    }
}

/// Serves until the process is told to stop.
pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let given = given(flags);
    let settings = match config::load(&given) {
        Ok(settings) => settings,
        Err(complaints) => {
            say(&format!("chronolith: {complaints}\n"));
            return ExitCode::from(MISUSED);
        }
    };
    let journal = Journal::new(settings.journal.format);
    let again = move || config::load(&given).map_err(|complaints| complaints.to_string());
    let server = match Server::start_with(settings, Box::new(again)) {
        Ok(server) => server,
        Err(error) => return fail(&error.to_string()),
    };
    let scheme = match server.is_encrypted() {
        true => "https",
        false => "http",
    };
    let listening = format!(
        "Prometheus API on {scheme}://{}, Loki API on {scheme}://{}, OTLP on {scheme}://{}, OTLP \
         over gRPC on {scheme}://{}",
        server.prometheus_address(),
        server.loki_address(),
        server.otlp_http_address(),
        server.otlp_grpc_address()
    );
    journal.say(Level::Notice, &listening, &[]);
    match server.run_until_signal() {
        Ok(()) => ExitCode::SUCCESS,
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
        let given = Given {
            environment: Vec::new(),
            memory: None,
            ..given(&matches)
        };
        config::load(&given).map_err(|complaints| complaints.to_string())
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        assert_eq!(parsed(&[]).unwrap(), Settings::default());
    }

    #[test]
    fn every_flag_sets_its_setting_and_no_other() {
        let other = |setting: &Setting| match setting.value {
            _ if setting.path == "http.head_bytes_max" => "70KiB",
            _ if setting.path == "grpc.ahead_bytes_max" => "70KiB",
            "ADDR" => "[::1]:7",
            "BYTES" => "7KiB",
            "COUNT" | "PERCENT" => "7",
            "DURATION" => "5d",
            "RULE" => "{app=\"a\"} = 5d",
            "PATH" => "seven",
            "BOOL" => "true",
            "DURABILITY" => "7s",
            "STRATEGY" => "NoTranslation",
            "FORMAT" => "json",
            sort => panic!("write a value of {sort} here"),
        };
        for setting in SETTINGS {
            let flag = format!("--{}={}", setting.flag(), other(setting));
            let settings = parsed(&[&flag]).unwrap();
            for checked in SETTINGS {
                let shown = (checked.show)(&settings);
                match checked.path == setting.path {
                    true => assert_eq!(shown, other(setting), "{flag}"),
                    false => assert_eq!(shown, (checked.show)(&Settings::default()), "{flag}"),
                }
            }
        }
    }

    #[test]
    fn a_switch_needs_no_value() {
        assert!(parsed(&["--log-patterns"]).unwrap().log_patterns);
        assert!(!parsed(&["--log-patterns=false"]).unwrap().log_patterns);
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        let error = parsed(&["--retention", "15 days"]).unwrap_err();
        assert!(
            error.contains("--retention") && error.contains("such as 30m"),
            "{error}"
        );
        let error = parsed(&["--retention", "0s"]).unwrap_err();
        assert!(error.contains("keep data for ever"), "{error}");
        let error = parsed(&["--listen-loki", "nowhere"]).unwrap_err();
        assert!(error.contains("--listen-loki"), "{error}");
        assert!(parsed(&["--no-such-flag"]).is_err());
    }
}
