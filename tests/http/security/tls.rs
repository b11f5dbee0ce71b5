//! Encrypted doors: certificates, those of clients, and what happens when they change.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::bed::{Bed, Folder, read_reply};

/// An authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in the forms of files and of connections.
struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn sign(&self, name: &str) -> Identity {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate, key }
    }

    /// Writes its certificate, and one with its key for the server.
    fn write(&self, folder: &Path, name: &str) {
        let server = self.sign(name);
        std::fs::write(folder.join("ca.crt"), self.0.pem()).unwrap();
        std::fs::write(folder.join("server.crt"), server.certificate.pem()).unwrap();
        std::fs::write(folder.join("server.key"), server.key.serialize_pem()).unwrap();
    }
}

/// What a client that trusts `authority` is answered, or why it is not.
fn ask(
    address: SocketAddr,
    authority: &Authority,
    name: &'static str,
    identity: Option<&Identity>,
) -> Result<u16, String> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
            let chain: Vec<CertificateDer<'static>> = vec![identity.certificate.der().clone()];
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(name).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let request = b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream
        .write_all(request)
        .map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer)
        && answer.is_empty()
    {
        return Err(error.to_string());
    }
    Ok(read_reply(&answer).ok_or("nothing came")?.code)
}

fn bed(authority: &Authority, more: &str) -> (Folder, Bed) {
    let config =
        format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}");
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    authority.write(&folder.0, "localhost");
    let file = folder.0.join("web.yml");
    std::fs::write(&file, config).unwrap();
    let bed = Bed::with(|settings| settings.web_config_file = Some(file));
    (folder, bed)
}

#[test]
fn every_door_is_encrypted_and_certificates_are_replaced_while_it_runs() {
    let (first, second) = (Authority::new(), Authority::new());
    let (folder, bed) = bed(&first, "  min_version: TLS13\n");
    assert_eq!(ask(bed.loki_address(), &first, "localhost", None), Ok(200));
    assert_eq!(ask(bed.address(), &first, "localhost", None), Ok(404));
    assert_eq!(ask(bed.otlp_address(), &first, "localhost", None), Ok(404));
    assert!(ask(bed.loki_address(), &second, "localhost", None).is_err());
    assert!(ask(bed.loki_address(), &first, "elsewhere", None).is_err());
    let plain = super::super::bed::raw(bed.loki_address(), b"GET /ready HTTP/1.1\r\n\r\n");
    assert!(!plain.contains("HTTP/1.1 200"), "{plain}");
    // A key that is not the certificate's is refused, and the old ones go on.
    second.write(&folder.0, "localhost");
    std::fs::write(
        folder.0.join("server.key"),
        first.sign("x").key.serialize_pem(),
    )
    .unwrap();
    let why = bed.reload().unwrap_err();
    assert!(
        why.contains("server.crt") && !why.contains("BEGIN"),
        "{why}"
    );
    assert_eq!(ask(bed.loki_address(), &first, "localhost", None), Ok(200));
    second.write(&folder.0, "localhost");
    bed.reload().unwrap();
    assert_eq!(ask(bed.loki_address(), &second, "localhost", None), Ok(200));
    assert!(ask(bed.loki_address(), &first, "localhost", None).is_err());
}

#[test]
fn clients_without_the_right_certificate_are_not_answered() {
    let (authority, other) = (Authority::new(), Authority::new());
    let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  \
                client_allowed_sans: [agent.example]\n";
    let (_folder, bed) = bed(&authority, more);
    let ask =
        |identity: Option<&Identity>| ask(bed.loki_address(), &authority, "localhost", identity);
    assert_eq!(ask(Some(&authority.sign("agent.example"))), Ok(200));
    assert!(ask(None).is_err());
    assert!(ask(Some(&authority.sign("another.example"))).is_err());
    assert!(ask(Some(&other.sign("agent.example"))).is_err());
    assert_eq!(ask(Some(&authority.sign("agent.example"))), Ok(200));
}

#[test]
fn the_command_line_speaks_to_whom_it_is_told_to_trust() {
    let authority = Authority::new();
    let (folder, bed) = bed(&authority, "");
    let url = format!("https://localhost:{}", bed.address().port());
    let run = |trusted: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_chronolith-tested"))
            .args(["query", "--url", &url, "vector(7)"])
            .env("SSL_CERT_FILE", trusted)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = run(&folder.0.join("ca.crt"));
    assert_eq!(code, Some(0), "{said}");
    Authority::new().write(&folder.0, "other");
    let (code, said) = run(&folder.0.join("ca.crt"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn an_import_reads_from_a_server_inside_of_tls_that_it_is_told_to_trust() {
    let authority = Authority::new();
    let (folder, bed) = bed(&authority, "");
    let url = format!("https://localhost:{}", bed.address().port());
    let run = |trusted: &Path, data: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_chronolith-tested"))
            .args(["import", "remote-read", &url, "--start", "0", "--end", "9"])
            .arg("--data")
            .arg(folder.0.join(data))
            .env("SSL_CERT_FILE", trusted)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = run(&folder.0.join("ca.crt"), "one");
    assert_eq!(code, Some(0), "{said}");
    Authority::new().write(&folder.0, "other");
    let (code, said) = run(&folder.0.join("ca.crt"), "two");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn calls_of_grpc_are_encrypted_as_http_2() {
    let authority = Authority::new();
    let (_folder, bed) = bed(&authority, "");
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(bed.grpc_address()).unwrap();
    connection.complete_io(&mut socket).unwrap();
    assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
}
