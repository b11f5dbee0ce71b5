//! Connections to a server. The one place that knows what they are made of: here TLS comes in.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::{Address, Scheme};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Something that bytes go through both ways.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects to a server.
pub(super) async fn connect(address: &Address) -> io::Result<Box<dyn Wire>> {
    let place = (address.host.as_str(), address.port);
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(place))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer"))??;
    // Where it cannot be set small requests wait a little.
    let _ = stream.set_nodelay(true);
    match address.scheme {
        Scheme::Http => Ok(Box::new(stream)),
        Scheme::Https => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this program speaks no TLS to servers yet",
        )),
    }
}
