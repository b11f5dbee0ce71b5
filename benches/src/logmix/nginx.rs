//! Access lines of a web server: the combined format, times and the request's id behind it.

use crate::logmix::scene::{Scene, put_agent, put_path, status};
use crate::logmix::text::{put_address, put_number, put_thousandths};
use crate::logmix::words::{METHODS, REFERRERS};

/// The next line.
pub fn put_line(out: &mut String, scene: &mut Scene) {
    let request = scene.request();
    put_address(out, request.client);
    out.push_str(" - - [");
    scene.civil().put_access(out);
    out.push_str("] \"");
    let random = &mut scene.random;
    out.push_str(random.ranked(&METHODS));
    out.push(' ');
    put_path(out, request.path, random);
    out.push_str(" HTTP/1.1\" ");
    let status = status(random);
    put_number(out, status);
    out.push(' ');
    // What does not change has one size; what is made for the request has its own.
    let bytes = match request.path % 5 {
        _ if status == 304 || status == 204 => 0,
        0 => 1_000 + 977 * request.path as u64,
        _ => random.tailed(3_000),
    };
    put_number(out, bytes);
    out.push_str(" \"");
    out.push_str(random.ranked(&REFERRERS));
    out.push_str("\" \"");
    put_agent(out, request.client);
    out.push_str("\" ");
    let took = random.tailed(40);
    put_thousandths(out, took);
    out.push(' ');
    if bytes == 0 {
        out.push_str("- -");
    } else {
        put_thousandths(out, took - took.min(random.below(3)));
        out.push_str(" 10.42.");
        put_number(out, random.below(4));
        out.push('.');
        put_number(out, random.between(2, 40));
        out.push_str(":8080");
    }
    out.push(' ');
    request.put_trace(out);
}
