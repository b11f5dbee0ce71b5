//! Where a server is: a URL taken apart.

use std::fmt;
use std::path::PathBuf;

use hyper::Uri;

use super::failure::Failure;

/// How a connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// The address of a server, and the path that stands before those of its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) scheme: Scheme,
    /// The name or number of the machine, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What the `Host` header says.
    pub(crate) authority: String,
    /// Empty, or a path without a slash at its end.
    prefix: String,
    /// What is shown to a server that wants to see who asks.
    pub(crate) identity: Option<Identity>,
}

/// The files of a certificate and of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Address {
    /// Reads a URL such as `http://127.0.0.1:9090` or `https://metrics.example.org/prometheus`.
    pub(crate) fn parse(text: &str) -> Result<Address, Failure> {
        let wrong = |why: &str| {
            Failure::misused(format!(
                "{text:?} is no address of a server: {why}; write it like http://127.0.0.1:9090"
            ))
        };
        let uri: Uri = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) => return Err(wrong("it begins with neither http:// nor https://")),
            None => return Err(wrong("it does not begin with http://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "a password in an address is seen by everybody: there are flags for it",
            ));
        }
        if uri.query().is_some() {
            return Err(wrong("it has parameters"));
        }
        let default = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        Ok(Address {
            scheme,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(default),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            identity: None,
        })
    }

    /// The same, with a certificate to show.
    pub(crate) fn showing(self, identity: Option<Identity>) -> Address {
        Address { identity, ..self }
    }

    /// A path of the API at this server.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.prefix)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_perhaps_a_path() {
        let address = Address::parse("http://127.0.0.1:9090").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("127.0.0.1", 9090));
        assert_eq!(address.path("/api/v1/query"), "/api/v1/query");
        let address = Address::parse("https://[::1]/prom/").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("::1", 443));
        assert_eq!(address.path("/api"), "/prom/api");
        assert_eq!(address.to_string(), "https://[::1]/prom");
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be() {
        for wrong in [
            "",
            "127.0.0.1:9090",
            "localhost",
            "ftp://a",
            "http://u:p@a",
            "http://a?x=1",
            "/metrics",
        ] {
            let failure = Address::parse(wrong).unwrap_err().to_string();
            assert!(failure.contains("http://127.0.0.1:9090"), "{failure}");
        }
    }
}
