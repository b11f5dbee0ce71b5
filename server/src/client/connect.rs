//! Connections to a server: plain, or inside of TLS with the authorities that the machine trusts.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::{Address, Identity, Scheme};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The variable that names a file of authorities, as for other programs.
const AUTHORITIES: &str = "SSL_CERT_FILE";

/// Where systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Something that bytes go through both ways.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects to a server.
pub(crate) async fn connect(address: &Address) -> io::Result<Box<dyn Wire>> {
    let place = (address.host.as_str(), address.port);
    let connecting = async {
        let stream = TcpStream::connect(place).await?;
        // Where it cannot be set small requests wait a little.
        let _ = stream.set_nodelay(true);
        match address.scheme {
            Scheme::Http => Ok(Box::new(stream) as Box<dyn Wire>),
            Scheme::Https => encrypted(address, stream).await,
        }
    };
    timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer"))?
}

async fn encrypted(address: &Address, stream: TcpStream) -> io::Result<Box<dyn Wire>> {
    let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(authorities()?);
    let config = match &address.identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.read()?;
            let config = config.with_client_auth_cert(chain, key);
            config.map_err(|error| identity.wrong(&error))?
        }
    };
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    Ok(Box::new(stream))
}

impl Identity {
    fn read(&self) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let certificates = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .map_err(|error| self.wrong(&error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| self.wrong(&error))?;
        Ok((certificates, key))
    }

    fn wrong(&self, why: &dyn std::fmt::Display) -> io::Error {
        io::Error::other(format!(
            "cannot show the certificate {} with the key {}: {why}",
            self.certificate.display(),
            self.key.display()
        ))
    }
}

/// Whom the machine trusts to say who a server is.
fn authorities() -> io::Result<RootCertStore> {
    let told = std::env::var_os(AUTHORITIES).map(PathBuf::from);
    let system = || {
        let paths = SYSTEM_AUTHORITIES.iter().map(PathBuf::from);
        paths.into_iter().find(|path| path.exists())
    };
    let Some(path) = told.or_else(system) else {
        return Err(io::Error::other(format!(
            "this machine has no file of authorities: name one by {AUTHORITIES}"
        )));
    };
    let wrong = |why: &dyn std::fmt::Display| {
        let path = path.display();
        io::Error::other(format!("cannot read authorities from {path}: {why}"))
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        // One that cannot be understood vouches for nobody, which hurts nobody else.
        let _ = store.add(certificate);
    }
    match store.is_empty() {
        true => Err(wrong(&"there is no certificate in it")),
        false => Ok(store),
    }
}
