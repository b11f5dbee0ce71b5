//! Who asks: what a server wants to see before it answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::http::request::Builder;

use crate::client::Failure;

/// The header that names the tenant.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");

/// The headers that tell a server who asks. Shown nowhere.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    authorization: Option<HeaderValue>,
    tenant: Option<HeaderValue>,
}

impl Credentials {
    /// A name and a password.
    pub(crate) fn basic(mut self, user: &str, password: &str) -> Result<Self, Failure> {
        if user.contains(':') {
            return Err(Failure::misused("a name for --user cannot have a colon"));
        }
        let pair = STANDARD.encode(format!("{user}:{password}"));
        self.authorization = Some(secret(&format!("Basic {pair}"), "--password-file")?);
        Ok(self)
    }

    /// A token.
    pub(crate) fn bearer(mut self, token: &str) -> Result<Self, Failure> {
        self.authorization = Some(secret(&format!("Bearer {token}"), "--bearer-token-file")?);
        Ok(self)
    }

    /// Whose data is meant.
    pub(crate) fn tenant(mut self, name: &str) -> Result<Self, Failure> {
        let value = HeaderValue::from_str(name)
            .map_err(|_| Failure::misused(format!("{name:?} cannot be a tenant's name")))?;
        self.tenant = Some(value);
        Ok(self)
    }

    /// Whose data is meant, if that was said.
    pub(super) fn tenant_name(&self) -> Option<&str> {
        self.tenant.as_ref()?.to_str().ok()
    }

    /// Puts them into a request.
    pub(super) fn sign(&self, mut request: Builder) -> Builder {
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(value) = &self.tenant {
            request = request.header(TENANT, value);
        }
        request
    }
}

fn secret(text: &str, flag: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Failure::misused(format!(
            "what {flag} holds has bytes that no header may have"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_headers_of_every_request() {
        let credentials = Credentials::default()
            .basic("Aladdin", "open sesame")
            .and_then(|credentials| credentials.tenant("a"))
            .unwrap();
        let request = credentials
            .sign(hyper::Request::builder())
            .body(())
            .unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(
            header("authorization"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(header("x-scope-orgid"), "a");
        assert!(Credentials::default().bearer("a\nb").is_err());
        assert!(Credentials::default().basic("a:b", "c").is_err());
    }
}
