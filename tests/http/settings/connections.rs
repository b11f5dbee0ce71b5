//! What connections may have and how long they are waited for.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{SOON, bed, met, until};

const ASK: &[u8] = b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

#[test]
fn a_door_takes_no_more_connections_than_it_may() {
    let bed = bed(&[("connections_max", "1")]);
    let mut first = connect(bed.address());
    first.write_all(ASK).unwrap();
    assert_ne!(first.read(&mut [0; 1000]).unwrap(), 0);
    let mut second = connect(bed.address());
    second.write_all(ASK).unwrap();
    let moment = Duration::from_millis(50);
    second.set_read_timeout(Some(moment)).unwrap();
    let waits = second.read(&mut [0; 1000]).unwrap_err().kind();
    assert!(matches!(waits, ErrorKind::WouldBlock | ErrorKind::TimedOut));
    drop(first);
    second.set_read_timeout(Some(SOON)).unwrap();
    assert_ne!(second.read(&mut [0; 1000]).unwrap(), 0);
}

#[test]
fn who_does_not_read_what_was_asked_for_is_let_go() {
    let bed = bed(&[("http.write_timeout", "20ms")]);
    // Far more than the buffers of both ends hold.
    let path = "/api/v1/query_range?query=vector(1)&start=0&end=10999&step=1";
    let ask = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(200);
    let mut stream = connect(bed.address());
    stream.write_all(ask.as_bytes()).unwrap();
    until("the connection ends", || met(&bed, "write_timeout") == 1);
}

#[test]
fn a_server_that_stops_waits_for_requests_no_longer_than_it_may() {
    let mut bed = bed(&[("http.drain_timeout", "20ms")]);
    let mut stream = connect(bed.address());
    let head = "POST /api/v1/import/prometheus HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // From here on the request is at hand, and its body never comes.
    let read = stream.read(&mut [0; 1000]).unwrap();
    assert_ne!(read, 0);
    let stopping = std::thread::spawn(move || bed.stop());
    let ended = stream.read_to_end(&mut Vec::new());
    let is_late = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut);
    assert!(!ended.is_err_and(|error| is_late(error.kind())));
    stopping.join().unwrap();
}
