//! The service manager: told when the server is ready, lives, and stops, in systemd's protocol.
//!
//! Without one, which is when `NOTIFY_SOCKET` is not set, nothing is told.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Tells the service manager; what it cannot hear is lost.
pub(crate) fn tell(state: &str) {
    if let Some(path) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = send(&path.to_string_lossy(), state);
    }
}

/// What says that the configuration is being read, which the manager wants with the time.
pub(crate) fn reloading() -> String {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = uptime.split(' ').next().and_then(|text| text.parse().ok());
    let micros = seconds.map_or(0, |seconds: f64| (seconds * 1e6) as u64);
    format!("RELOADING=1\nMONOTONIC_USEC={micros}")
}

/// How often the manager's watchdog wants to be told that the server lives, if it does.
pub(crate) fn watchdog() -> Option<Duration> {
    let for_us =
        std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
    let micros = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    for_us.then(|| half(micros))
}

/// Half of the time in which it must be told.
fn half(micros: u64) -> Duration {
    Duration::from_micros((micros / 2).max(1_000))
}

fn send(socket: &str, state: &str) -> std::io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name.as_bytes())?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let from = UnixDatagram::unbound()?;
    from.set_nonblocking(true)?;
    from.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reaches_a_socket_by_path_and_by_abstract_name() {
        let id = std::process::id();
        let path = std::env::temp_dir().join(format!("chronolith-notify-{id}"));
        let by_path = UnixDatagram::bind(&path).unwrap();
        send(path.to_str().unwrap(), "READY=1").unwrap();
        std::fs::remove_file(&path).unwrap();
        let name = format!("chronolith-notify-{id}");
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        send(&format!("@{name}"), "WATCHDOG=1").unwrap();
        let mut buffer = [0; 64];
        let read = by_path.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"READY=1");
        let read = by_name.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"WATCHDOG=1");
        assert!(send("/no/such/socket", "READY=1").is_err());
    }

    #[test]
    fn the_watchdog_is_told_twice_in_its_time() {
        assert_eq!(half(30_000_000), Duration::from_secs(15));
        assert_eq!(half(0), Duration::from_millis(1));
    }
}
