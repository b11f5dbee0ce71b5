//! The flags that say where a command looks: at a server or into a data directory, and who asks.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, value_parser};

use crate::reach::{Access, Address, Credentials, Door, Failure, Identity, Reach};

/// Where the servers of the two APIs are if nobody says so.
const DEFAULT_URL: &str = "http://127.0.0.1:9090";
const DEFAULT_LOKI_URL: &str = "http://127.0.0.1:3100";

/// The variables of the environment that say it.
const URL_VARIABLE: &str = "CHRONOLITH_URL";
const LOKI_URL_VARIABLE: &str = "CHRONOLITH_LOKI_URL";

/// The heading of these flags in help.
const HEADING: &str = "Where to look";

/// The flags.
pub(super) fn arguments() -> Vec<Arg> {
    let flag = |name: &'static str, value: &'static str, help: String| {
        let flag = Arg::new(name).long(name).value_name(value).help(help);
        flag.help_heading(HEADING)
    };
    vec![
        flag(
            "url",
            "URL",
            format!(
                "The server [env: {URL_VARIABLE}, for logs {LOKI_URL_VARIABLE}; default: \
                 {DEFAULT_URL}, for logs {DEFAULT_LOKI_URL}]"
            ),
        )
        .conflicts_with("data"),
        flag(
            "data",
            "DIR",
            "Open this data directory instead of asking a server".to_owned(),
        )
        .value_parser(value_parser!(PathBuf)),
        flag("user", "NAME", "Who asks".to_owned()).requires("password-file"),
        flag(
            "password-file",
            "FILE",
            "A file with the password of --user".to_owned(),
        )
        .value_parser(value_parser!(PathBuf))
        .requires("user"),
        flag(
            "bearer-token-file",
            "FILE",
            "A file with the token that says who asks".to_owned(),
        )
        .value_parser(value_parser!(PathBuf))
        .conflicts_with("user"),
        flag(
            "cert-file",
            "FILE",
            "A certificate that says who asks, where the server wants to see one".to_owned(),
        )
        .value_parser(value_parser!(PathBuf))
        .requires("key-file"),
        flag("key-file", "FILE", "The key of --cert-file".to_owned())
            .value_parser(value_parser!(PathBuf))
            .requires("cert-file"),
        flag(
            "tenant",
            "NAME",
            "Whose data is meant (X-Scope-OrgID)".to_owned(),
        ),
    ]
}

/// Goes where the flags say.
pub(super) fn open(flags: &ArgMatches, door: Door, access: Access) -> Result<Reach, Failure> {
    let credentials = credentials(flags)?;
    match directory(flags) {
        Some(path) => Reach::directory(path, access, credentials),
        None => {
            let address = address(flags, door)?.showing(identity(flags));
            Reach::server(address, credentials)
        }
    }
}

/// The data directory that is named.
pub(super) fn directory(flags: &ArgMatches) -> Option<&Path> {
    flags.get_one::<PathBuf>("data").map(PathBuf::as_path)
}

fn address(flags: &ArgMatches, door: Door) -> Result<Address, Failure> {
    let (variable, default) = match door {
        Door::Prometheus => (URL_VARIABLE, DEFAULT_URL),
        Door::Loki => (LOKI_URL_VARIABLE, DEFAULT_LOKI_URL),
    };
    if let Some(url) = flags.get_one::<String>("url") {
        return Address::parse(url);
    }
    match std::env::var(variable) {
        Ok(url) if !url.is_empty() => Address::parse(&url)
            .map_err(|failure| Failure::misused(format!("{variable}: {failure}"))),
        _ => Address::parse(default),
    }
}

/// The certificate that a server may want to see.
fn identity(flags: &ArgMatches) -> Option<Identity> {
    Some(Identity {
        certificate: flags.get_one::<PathBuf>("cert-file")?.clone(),
        key: flags.get_one::<PathBuf>("key-file")?.clone(),
    })
}

fn credentials(flags: &ArgMatches) -> Result<Credentials, Failure> {
    let mut credentials = Credentials::default();
    if let Some(user) = flags.get_one::<String>("user") {
        let password = secret(flags, "password-file")?;
        credentials = credentials.basic(user, &password.unwrap_or_default())?;
    }
    if let Some(token) = secret(flags, "bearer-token-file")? {
        credentials = credentials.bearer(&token)?;
    }
    match flags.get_one::<String>("tenant") {
        Some(tenant) => credentials.tenant(tenant),
        None => Ok(credentials),
    }
}

/// What a file holds, without the end of its line.
fn secret(flags: &ArgMatches, flag: &str) -> Result<Option<String>, Failure> {
    let Some(path) = flags.get_one::<PathBuf>(flag) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::misused(format!("cannot read --{flag} {}: {error}", path.display()))
    })?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
