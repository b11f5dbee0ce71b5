//! What one stream's program is in the middle of: its host, its service, and the requests that it
//! is working on.
//!
//! Lines of one request share its ids, as in real logs: an id is new in about every third line.

use crate::logmix::random::Random;
use crate::logmix::text::{Civil, put_hex, put_number, put_uuid};
use crate::logmix::words::{AGENTS, PATHS, SERVICES, TOPICS};

/// People who visit; the first ones come most.
const CLIENTS: u64 = 40_000;

/// Requests that a program works on at a time.
const OPEN: usize = 6;

/// One stream's program.
pub struct Scene {
    /// Chance of this stream alone.
    pub random: Random,
    /// Now, in nanoseconds since 1970.
    pub time_ns: i64,
    /// The name of the machine or pod.
    pub host: String,
    /// The name of the program.
    pub service: &'static str,
    /// The number of the process.
    pub process: u64,
    open: [Request; OPEN],
}

/// A request in work.
#[derive(Clone, Copy, Default)]
pub struct Request {
    /// The id that all services write.
    pub trace: [u64; 2],
    /// Who asked.
    pub client: u64,
    /// What was asked about: an order, a product.
    pub subject: u64,
    /// Where in [`PATHS`].
    pub path: usize,
    /// Lines that it has written.
    pub lines: u32,
}

impl Scene {
    /// The program of stream `number`.
    pub fn new(seed: u64, number: usize, time_ns: i64) -> Self {
        let mut random = Random::new(seed, number as u64);
        let service = SERVICES[number % SERVICES.len()];
        let mut host = format!("{service}-");
        put_hex(&mut host, random.bits(), 9);
        host.push('-');
        put_hex(&mut host, random.bits(), 5);
        let process = random.between(300, 60_000);
        let open = std::array::from_fn(|_| Request::new(&mut random));
        Scene {
            random,
            time_ns,
            host,
            service,
            process,
            open,
        }
    }

    /// The time, taken apart.
    pub fn civil(&self) -> Civil {
        Civil::of(self.time_ns)
    }

    /// The request that the next line is about; after some lines a new one takes its place.
    pub fn request(&mut self) -> Request {
        let place = self.random.below(OPEN as u64) as usize;
        if self.open[place].lines > 0 && self.random.permille(400) {
            self.open[place] = Request::new(&mut self.random);
        }
        self.open[place].lines += 1;
        self.open[place]
    }
}

impl Request {
    fn new(random: &mut Random) -> Self {
        Request {
            trace: [random.bits(), random.bits()],
            client: random.rank(CLIENTS),
            subject: random.between(100_000, 9_999_999),
            path: random.rank(PATHS.len() as u64) as usize,
            lines: 0,
        }
    }

    /// The trace id: 32 hexadecimal digits.
    pub fn put_trace(&self, out: &mut String) {
        put_hex(out, self.trace[0], 16);
        put_hex(out, self.trace[1], 16);
    }
}

/// A path with its numbers, ids and words filled in.
pub fn put_path(out: &mut String, path: usize, random: &mut Random) {
    for part in PATHS[path].split_inclusive(['#', '@', '?']) {
        let Some(last) = part.chars().next_back() else {
            continue;
        };
        match last {
            '#' | '@' => out.push_str(&part[..part.len() - 1]),
            // A question mark behind a path begins the query and stands for itself.
            '?' if !part.ends_with("=?") && !part.ends_with("/?") => out.push_str(part),
            '?' => out.push_str(&part[..part.len() - 1]),
            _ => out.push_str(part),
        }
        match last {
            '#' => put_number(out, random.rank(80_000) + 1),
            '@' => put_uuid(out, random),
            '?' if part.ends_with("=?") || part.ends_with("/?") => {
                out.push_str(random.ranked(&TOPICS));
            }
            _ => {}
        }
    }
}

/// The program of a client; the same client has the same one.
pub fn put_agent(out: &mut String, client: u64) {
    let mut random = Random::new(client, 73);
    let agent = random.ranked(&AGENTS);
    let version = 100 + random.rank(40);
    for (place, part) in agent.split('#').enumerate() {
        if place > 0 {
            put_number(out, version);
        }
        out.push_str(part);
    }
}

/// The status of an answer.
pub fn status(random: &mut Random) -> u64 {
    match random.below(1_000) {
        0..=879 => 200,
        880..=909 => 304,
        910..=929 => 201,
        930..=944 => 204,
        945..=959 => 301,
        960..=979 => 404,
        980..=986 => 401,
        987..=990 => 429,
        991..=994 => 500,
        995..=997 => 502,
        _ => 503,
    }
}
