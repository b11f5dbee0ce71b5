//! From settings to what a TLS connection is accepted with.
//!
//! Versions below 1.2 and certificates of clients that nobody checks are refused, not ignored.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};

use super::file::TlsConfig;

/// Sessions that are remembered to be resumed.
const SESSIONS_MAX: usize = 1024;

/// What a door speaks inside of TLS.
pub(crate) const HTTP1: &[u8] = b"http/1.1";

/// HTTP/2, as protocols are negotiated.
pub(crate) const HTTP2: &[u8] = b"h2";

/// What connections of a door are accepted with that speaks these protocols.
pub(crate) fn server_config(tls: &TlsConfig, protocols: &[&[u8]]) -> Result<ServerConfig, String> {
    let provider = Arc::new(provider(tls)?);
    let versions = versions(tls)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| format!("tls_server_config: {error}"))?;
    let builder = match verifier(tls, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let chain = certificates("cert_file", &tls.cert_file)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(|error| format!("key_file {}: {error}", tls.key_file.display()))?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("cert_file {}: {error}", tls.cert_file.display()))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let sessions = tokio_rustls::rustls::server::ServerSessionMemoryCache::new(SESSIONS_MAX);
    config.session_storage = sessions;
    Ok(config)
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |why: &dyn std::fmt::Display| format!("{key} {}: {why}", path.display());
    let read = CertificateDer::pem_file_iter(path).map_err(|error| named(&error))?;
    let chain: Result<Vec<_>, _> = read.collect();
    let chain = chain.map_err(|error| named(&error))?;
    match chain.is_empty() {
        true => Err(named(&"there is no certificate in it")),
        false => Ok(chain),
    }
}

fn versions(tls: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let place = |key: &str, name: &Option<String>, default: usize| match name.as_deref() {
        None => Ok(default),
        Some("TLS12") => Ok(0),
        Some("TLS13") => Ok(1),
        Some(other) => Err(format!(
            "{key}: {other:?} is not spoken: TLS12 and TLS13 are"
        )),
    };
    let lowest = place("min_version", &tls.min_version, 0)?;
    let highest = place("max_version", &tls.max_version, 1)?;
    match lowest <= highest {
        true => Ok([&TLS12, &TLS13][lowest..=highest].to_vec()),
        false => Err("min_version is above max_version".to_owned()),
    }
}

fn provider(tls: &TlsConfig) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    if !tls.cipher_suites.is_empty() {
        // As in Go, the list is about TLS 1.2: the suites of 1.3 are not chosen from.
        let mut chosen = provider.cipher_suites.clone();
        chosen.retain(|suite| matches!(suite, SupportedCipherSuite::Tls13(_)));
        for name in &tls.cipher_suites {
            chosen.push(suite(&provider, name)?);
        }
        provider.cipher_suites = chosen;
    }
    if !tls.curve_preferences.is_empty() {
        let groups = tls.curve_preferences.iter().map(|name| group(name));
        provider.kx_groups = groups.collect::<Result<_, String>>()?;
    }
    Ok(provider)
}

fn suite(provider: &CryptoProvider, name: &str) -> Result<SupportedCipherSuite, String> {
    // Go has an older name for these.
    let whole = match name.ends_with("CHACHA20_POLY1305") {
        true => format!("{name}_SHA256"),
        false => name.to_owned(),
    };
    let known = provider.cipher_suites.iter();
    let mut of_tls12 = known.filter(|suite| matches!(suite, SupportedCipherSuite::Tls12(_)));
    let found = of_tls12.find(|suite| suite.suite().as_str() == Some(&whole));
    found.copied().ok_or_else(|| {
        format!(
            "cipher_suites: {name:?} is not spoken: of TLS 1.2 those with ECDHE and an AEAD are"
        )
    })
}

fn group(name: &str) -> Result<&'static dyn SupportedKxGroup, String> {
    match name {
        "X25519" => Ok(ring::kx_group::X25519),
        "CurveP256" => Ok(ring::kx_group::SECP256R1),
        "CurveP384" => Ok(ring::kx_group::SECP384R1),
        _ => Err(format!(
            "curve_preferences: {name:?} is not spoken: X25519, CurveP256 and CurveP384 are"
        )),
    }
}

/// What checks certificates of clients, if they are wanted.
fn verifier(
    tls: &TlsConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let is_optional = match tls.client_auth_type.as_str() {
        "" | "NoClientCert" => {
            let is_silent = tls.client_ca_file.is_none() && tls.client_allowed_sans.is_empty();
            return match is_silent {
                true => Ok(None),
                false => Err(
                    "client_ca_file and client_allowed_sans count for nothing without \
                              client_auth_type: RequireAndVerifyClientCert"
                        .to_owned(),
                ),
            };
        }
        "VerifyClientCertIfGiven" => true,
        "RequireAndVerifyClientCert" => false,
        other => {
            return Err(format!(
                "client_auth_type: {other:?} is not taken, since a certificate that is not \
                 checked proves nothing: NoClientCert, VerifyClientCertIfGiven and \
                 RequireAndVerifyClientCert are"
            ));
        }
    };
    let Some(path) = &tls.client_ca_file else {
        return Err("client_auth_type wants client_ca_file beside it".to_owned());
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca_file", path)? {
        let added = roots.add(certificate);
        added.map_err(|error| format!("client_ca_file {}: {error}", path.display()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match is_optional {
        true => builder.allow_unauthenticated(),
        false => builder,
    };
    let chain = builder
        .build()
        .map_err(|error| format!("client_ca_file {}: {error}", path.display()))?;
    let names = tls.client_allowed_sans.iter().map(|name| {
        ServerName::try_from(name.clone()).map_err(|_| {
            format!("client_allowed_sans: {name:?} is neither a DNS name nor an address")
        })
    });
    let names = names.collect::<Result<Vec<_>, _>>()?;
    Ok(Some(match names.is_empty() {
        true => chain,
        false => Arc::new(Named { chain, names }),
    }))
}

/// Checks that a certificate is for one of some names, beside its chain.
#[derive(Debug)]
struct Named {
    chain: Arc<dyn ClientCertVerifier>,
    names: Vec<ServerName<'static>>,
}

impl ClientCertVerifier for Named {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end, between, now)?;
        let parsed = ParsedCertificate::try_from(end)?;
        let mut names = self.names.iter();
        match names.any(|name| verify_server_name(&parsed, name).is_ok()) {
            true => Ok(verified),
            false => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_spoken_is_refused_by_name() {
        let wrong = |change: fn(&mut TlsConfig)| {
            let mut tls = TlsConfig::default();
            change(&mut tls);
            server_config(&tls, &[HTTP1]).err().unwrap()
        };
        for (change, named) in [
            (
                (|tls| tls.min_version = Some("TLS10".into())) as fn(&mut TlsConfig),
                "TLS10",
            ),
            (|tls| tls.max_version = Some("SSL3".into()), "SSL3"),
            (
                |tls| {
                    tls.min_version = Some("TLS13".into());
                    tls.max_version = Some("TLS12".into());
                },
                "above max_version",
            ),
            (
                |tls| tls.cipher_suites = vec!["TLS_RSA_WITH_RC4_128_SHA".into()],
                "RC4",
            ),
            (
                |tls| tls.curve_preferences = vec!["CurveP521".into()],
                "CurveP521",
            ),
            (
                |tls| tls.client_auth_type = "RequestClientCert".into(),
                "proves nothing",
            ),
            (
                |tls| tls.client_auth_type = "RequireAndVerifyClientCert".into(),
                "client_ca_file",
            ),
            (
                |tls| tls.client_ca_file = Some("ca".into()),
                "count for nothing",
            ),
            (|tls| tls.cert_file = "no-such-file".into(), "no-such-file"),
        ] {
            let why = wrong(change);
            assert!(why.contains(named), "{why}");
        }
        let named = |name: &str| suite(&ring::default_provider(), name).is_ok();
        assert!(named("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        assert!(named("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"));
    }
}
