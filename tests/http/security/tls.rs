//! Encrypted doors: certificates, those of clients, and what happens when they change.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use chronolith_server::Settings;
use chronolith_server::testing::set;

use super::super::bed::{Bed, Folder, read_reply};
use super::super::settings::SOON;

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
    ask_for(address, authority, name, identity, "GET /ready", "")
}

/// The same for a request with these headers and nothing behind them.
fn ask_for(
    address: SocketAddr,
    authority: &Authority,
    name: &'static str,
    identity: Option<&Identity>,
    request: &str,
    headers: &str,
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
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream
        .write_all(request.as_bytes())
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
    bed_with(authority, more, |_| {})
}

fn bed_with(
    authority: &Authority,
    more: &str,
    change: impl FnOnce(&mut Settings),
) -> (Folder, Bed) {
    let config =
        format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}");
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    authority.write(&folder.0, "localhost");
    let file = folder.0.join("web.yml");
    std::fs::write(&file, config).unwrap();
    let bed = Bed::with(|settings| {
        settings.web_config_file = Some(file);
        change(settings);
    });
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

/// The web configuration that the page shows, with a real password and a real token.
fn shown_on_the_page() -> String {
    let page = chronolith_tests::workspace_root().join("docs/security.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, block) = page.split_once("```yaml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    // As htpasswd writes them, and the SHA-256 of "test".
    let password = bcrypt::hash_with_result("wonderland", 10).unwrap();
    let password = password.format_for_version(bcrypt::Version::TwoY);
    let token = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert!(block.contains("$2y$10$...") && block.contains("9f86d0..."));
    block
        .replace("$2y$10$...", &password)
        .replace("9f86d0...", token)
}

#[test]
fn the_web_configuration_that_the_page_shows_does_what_the_page_says() {
    let authority = Authority::new();
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    authority.write(&folder.0, "localhost");
    let file = folder.0.join("web.yml");
    std::fs::write(&file, shown_on_the_page()).unwrap();
    let bed = Bed::with(|settings| {
        settings.web_config_file = Some(file);
        settings.multi_tenant = true;
    });
    let identity = authority.sign("agent");
    let ask = |identity: Option<&Identity>, request: &str, headers: &str| {
        ask_for(
            bed.address(),
            &authority,
            "localhost",
            identity,
            request,
            headers,
        )
    };
    let (read, write) = ("GET /api/v1/labels", "POST /api/v1/import/prometheus");
    // alice:wonderland in base64.
    let alice = "Authorization: Basic YWxpY2U6d29uZGVybGFuZA==\r\n";
    let collector = "Authorization: Bearer test\r\n";
    let by_agent = |request: &str, headers: &str| ask(Some(&identity), request, headers);
    assert!(ask(None, read, alice).is_err());
    assert_eq!(by_agent(read, ""), Ok(401));
    assert_eq!(by_agent(read, alice), Ok(200));
    assert_eq!(by_agent(write, collector), Ok(204));
    assert_eq!(by_agent(read, collector), Ok(403));
    let elsewhere = format!("{collector}X-Scope-OrgID: team-b\r\n");
    assert_eq!(by_agent(write, &elsewhere), Ok(403));
}

#[test]
fn a_handshake_that_takes_too_long_is_given_up() {
    let (_folder, bed) = bed_with(&Authority::new(), "", |settings| {
        set(settings, "http.handshake_timeout", "20ms").unwrap();
    });
    let mut silent = TcpStream::connect(bed.loki_address()).unwrap();
    silent.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
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
fn the_command_line_shows_a_certificate_where_the_server_wants_one() {
    let authority = Authority::new();
    let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n";
    let (folder, bed) = bed(&authority, more);
    let client = authority.sign("operator");
    let (certificate, key) = (folder.0.join("me.crt"), folder.0.join("me.key"));
    std::fs::write(&certificate, client.certificate.pem()).unwrap();
    std::fs::write(&key, client.key.serialize_pem()).unwrap();
    let url = format!("https://localhost:{}", bed.address().port());
    let run = |key: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chronolith-tested"));
        command
            .args(["query", "--url", &url, "vector(7)"])
            .env("SSL_CERT_FILE", folder.0.join("ca.crt"));
        if let Some(key) = key {
            command.arg("--cert-file").arg(&certificate);
            command.arg("--key-file").arg(key);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = run(Some(&key));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(run(None).0, Some(1));
    let (code, said) = run(Some(&folder.0.join("no.key")));
    assert_eq!(code, Some(1));
    assert!(said.contains("no.key"), "{said}");
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
