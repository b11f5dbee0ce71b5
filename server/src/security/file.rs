//! The file of `--web-config-file`: what it may say, and what is wrong with it, with the line.
//!
//! The format is that of Prometheus' web configuration, with tokens and access beside it. No error
//! and no `Debug` shows a value of the file, since most of them are secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Bytes of the file, and of a file with a token.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Users and tokens together.
const NAMES_MAX: usize = 10_000;

/// What the file says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebConfig {
    pub(crate) tls_server_config: Option<TlsConfig>,
    pub(crate) http_server_config: HttpConfig,
    pub(crate) basic_auth_users: BTreeMap<String, Secret>,
    pub(crate) bearer_tokens: BTreeMap<String, TokenConfig>,
    pub(crate) access: BTreeMap<String, AccessConfig>,
}

/// How connections are encrypted, and which client certificates are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsConfig {
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
    pub(crate) client_auth_type: String,
    pub(crate) client_ca_file: Option<PathBuf>,
    pub(crate) client_allowed_sans: Vec<String>,
    pub(crate) min_version: Option<String>,
    pub(crate) max_version: Option<String>,
    pub(crate) cipher_suites: Vec<String>,
    /// The server's order always counts; the key is read for the sake of files that have it.
    pub(crate) prefer_server_cipher_suites: Option<bool>,
    pub(crate) curve_preferences: Vec<String>,
}

/// What is said beside every answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpConfig {
    /// Whether HTTP/2 may be spoken where the door can.
    pub(crate) http2: Option<bool>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// One token: its SHA-256 in hexadecimal digits, or a file that holds it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenConfig {
    pub(crate) sha256: Option<Secret>,
    pub(crate) file: Option<PathBuf>,
}

/// What a user or the holder of a token may do.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccessConfig {
    pub(crate) rights: Option<BTreeSet<Right>>,
    pub(crate) tenants: Option<BTreeSet<String>>,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Right {
    /// Push data.
    Write,
    /// Ask for data, and for how the server does.
    Read,
    /// Delete and copy data, and see how the server is configured.
    Admin,
}

/// Text that is never shown.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Reads the file. What is wrong is told with path and line.
pub(crate) fn read(path: &Path) -> Result<WebConfig, String> {
    let text = read_text(path)?;
    let named = |why: String| format!("{}: {why}", path.display());
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut config = parse(&text).map_err(named)?;
    config.place(folder);
    Ok(config)
}

/// The text of a small file.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let named = |why: &dyn fmt::Display| format!("cannot read {}: {why}", path.display());
    let length = std::fs::metadata(path)
        .map_err(|error| named(&error))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(named(&format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| named(&error))
}

fn parse(text: &str) -> Result<WebConfig, String> {
    // A file without a word says nothing.
    let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_empty) {
        return Ok(WebConfig::default());
    }
    let config: WebConfig = serde_saphyr::from_str(text).map_err(|error| describe(&error))?;
    config.check()?;
    Ok(config)
}

/// What is wrong and where. The text of the error itself may quote the file, so it is only used
/// where it speaks of keys.
fn describe(error: &serde_saphyr::Error) -> String {
    let bare = error.without_snippet().to_string();
    let first = bare.lines().next().unwrap_or_default();
    let speaks_of_keys = [
        "unknown field",
        "duplicate",
        "missing field",
        "unknown variant",
    ];
    let what = match speaks_of_keys.iter().any(|start| first.contains(start)) {
        true => first.to_owned(),
        false => "not what is wanted here: see docs/security.md".to_owned(),
    };
    match error.location() {
        Some(place) if !what.contains("line ") => {
            format!("line {}, column {}: {what}", place.line(), place.column())
        }
        _ => what,
    }
}

impl WebConfig {
    fn check(&self) -> Result<(), String> {
        if let Some(tls) = &self.tls_server_config {
            for (key, path) in [("cert_file", &tls.cert_file), ("key_file", &tls.key_file)] {
                if path.as_os_str().is_empty() {
                    return Err(format!("tls_server_config: {key} is missing"));
                }
            }
        }
        let count = self.basic_auth_users.len() + self.bearer_tokens.len();
        if count > NAMES_MAX {
            return Err(format!("{count} users and tokens, at most {NAMES_MAX}"));
        }
        for name in self.basic_auth_users.keys() {
            if name.is_empty() || name.contains(':') {
                return Err(format!(
                    "basic_auth_users: {name:?} cannot be a user's name"
                ));
            }
            if self.bearer_tokens.contains_key(name) {
                return Err(format!("{name:?} is both a user and a token: rename one"));
            }
        }
        for (name, token) in &self.bearer_tokens {
            if token.sha256.is_some() == token.file.is_some() {
                return Err(format!(
                    "bearer_tokens: {name:?} wants either sha256 or file"
                ));
            }
        }
        for (name, access) in &self.access {
            let is_known =
                self.basic_auth_users.contains_key(name) || self.bearer_tokens.contains_key(name);
            if !is_known {
                return Err(format!("access: {name:?} is neither a user nor a token"));
            }
            if access.tenants.as_ref().is_some_and(BTreeSet::is_empty) {
                return Err(format!("access: {name:?} has an empty list of tenants"));
            }
        }
        Ok(())
    }

    /// Takes paths for relative to the folder of the file, as Prometheus does.
    fn place(&mut self, folder: &Path) {
        let put = |path: &mut PathBuf| {
            if !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        };
        if let Some(tls) = &mut self.tls_server_config {
            put(&mut tls.cert_file);
            put(&mut tls.key_file);
            tls.client_ca_file.iter_mut().for_each(put);
        }
        let tokens = self.bearer_tokens.values_mut();
        tokens.filter_map(|token| token.file.as_mut()).for_each(put);
    }

    /// The files that it refers to.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let tokens = self.bearer_tokens.values();
        let mut files: Vec<PathBuf> = tokens.filter_map(|token| token.file.clone()).collect();
        if let Some(tls) = &self.tls_server_config {
            files.extend([tls.cert_file.clone(), tls.key_file.clone()]);
            files.extend(tls.client_ca_file.clone());
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_prometheus_is_read() {
        let text = "
tls_server_config:
  cert_file: a.crt
  key_file: a.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: /ca.crt
  min_version: TLS13
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
basic_auth_users:
  alice: $2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze
bearer_tokens:
  agent: { file: agent.token }
access:
  agent: { rights: [write], tenants: [a] }
";
        let mut config = parse(text).unwrap();
        config.place(Path::new("/etc"));
        let tls = config.tls_server_config.as_ref().unwrap();
        assert_eq!(tls.cert_file, Path::new("/etc/a.crt"));
        assert_eq!(tls.client_ca_file.as_deref(), Some(Path::new("/ca.crt")));
        assert_eq!(config.files().len(), 4);
        let rights = config.access["agent"].rights.clone().unwrap();
        assert_eq!(Vec::from_iter(rights), [Right::Write]);
        assert!(!format!("{config:?}").contains("$2y"));
        assert!(parse("").unwrap().basic_auth_users.is_empty());
        assert!(parse("# nothing\n").is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_secrets() {
        let wrong = |text: &str| parse(text).unwrap_err();
        let unknown = wrong("http_server_config:\n  http3: true\n");
        assert!(
            unknown.contains("http3") && unknown.contains("line 2"),
            "{unknown}"
        );
        let twice = wrong("basic_auth_users:\n  a: s3cret\n  a: s3cret\n");
        assert!(
            twice.contains("duplicate") && twice.contains("line 3"),
            "{twice}"
        );
        for text in [
            "basic_auth_users:\n  a: [s3cret]\n",
            "basic_auth_users: s3cret\n",
            "bearer_tokens:\n  a: { sha256: { s3cret: 1 } }\n",
            "bearer_tokens:\n  a: {}\n",
            "bearer_tokens:\n  a: { sha256: s3cret, file: s3cret }\n",
            "basic_auth_users:\n  'a:b': s3cret\n",
            "basic_auth_users: { a: s3cret }\nbearer_tokens: { a: { sha256: s3cret } }\n",
            "access:\n  a: { rights: [read] }\n",
            "basic_auth_users: { a: s3cret }\naccess: { a: { rights: [all] } }\n",
            "basic_auth_users: { a: s3cret }\naccess: { a: { tenants: [] } }\n",
            "basic_auth_users:\n  a: \"s3cret\n",
            "{{{{",
        ] {
            let why = wrong(text);
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
