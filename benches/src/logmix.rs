//! A mix of logs as a fleet writes them, with the entropy of the real thing: access lines, logfmt,
//! JSON, Java with stack traces, system logs; one format a stream.
//!
//! Everything follows from the seed. Ids, addresses, durations and sizes are drawn anew, templates,
//! paths and clients by Zipf's law, and the time within a line is the time of its entry. It is a
//! model, not a recording: no figure from it replaces one from somebody's own logs.

mod java;
mod json;
mod logfmt;
mod nginx;
mod random;
mod scene;
mod syslog;
mod text;
mod words;

use chronolith_engine::labels::put_label;

pub use json::put_request;
pub use random::Random;
use scene::Scene;

/// The time of the first line, in nanoseconds; the past, because the engine refuses the future.
pub const START_NS: i64 = 1_750_000_000_000_000_000;

/// The time that one turn of the mix covers.
pub const TURN_NS: i64 = 1_000_000_000;

/// The mean time between two lines of the busiest stream.
const GAP_NS: u64 = 8_000_000;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Access lines of a web server.
    Nginx,
    /// Keys and values of a Go service.
    Logfmt,
    /// Objects, one a line.
    Json,
    /// A Java service with stack traces.
    Java,
    /// A machine's system log.
    Syslog,
}

/// All formats, in the order in which streams take turns.
pub const FORMATS: [Format; 5] = [
    Format::Nginx,
    Format::Json,
    Format::Logfmt,
    Format::Java,
    Format::Syslog,
];

/// One stream: its labels and its next lines.
pub struct Stream {
    format: Format,
    labels: Vec<u8>,
    scene: Scene,
    gap_ns: u64,
}

impl Stream {
    /// Stream `number` of the mix of this seed, from [`START_NS`] on.
    pub fn new(seed: u64, number: usize) -> Self {
        Stream::starting(seed, number, START_NS)
    }

    /// The same stream at another time: only the times in its lines differ.
    pub fn starting(seed: u64, number: usize, start_ns: i64) -> Self {
        let format = FORMATS[number % FORMATS.len()];
        let scene = Scene::new(seed, number, start_ns);
        let mut labels = Vec::new();
        put_label(&mut labels, "app", scene.service);
        put_label(&mut labels, "cluster", "prod-eu-west-1-1");
        put_label(&mut labels, "format", &format!("{format:?}").to_lowercase());
        put_label(&mut labels, "namespace", "shop");
        put_label(&mut labels, "pod", &scene.host);
        put_label(&mut labels, "stream", ["stdout", "stderr"][number % 7 / 6]);
        // Streams differ in how busy they are: the last of sixteen writes a fifth of the first.
        let gap_ns = GAP_NS + GAP_NS * (number / FORMATS.len() % 16) as u64 / 4;
        Stream {
            format,
            labels,
            scene,
            gap_ns,
        }
    }

    /// How its lines look.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The canonical bytes of its labels.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Appends the next line to `out` and returns its time in nanoseconds; times rise.
    pub fn put_line(&mut self, out: &mut String) -> i64 {
        let gap = 1 + self.scene.random.tailed(self.gap_ns);
        self.scene.time_ns += gap as i64;
        match self.format {
            Format::Nginx => nginx::put_line(out, &mut self.scene),
            Format::Logfmt => logfmt::put_line(out, &mut self.scene),
            Format::Json => json::put_line(out, &mut self.scene),
            Format::Java => java::put_line(out, &mut self.scene),
            Format::Syslog => syslog::put_line(out, &mut self.scene),
        }
        self.scene.time_ns
    }

    /// The time of the newest line.
    pub fn time_ns(&self) -> i64 {
        self.scene.time_ns
    }
}

/// Lines of several streams over one stretch of time, as a shipper sends them.
#[derive(Default)]
pub struct Turn {
    text: String,
    lines: Vec<(usize, i64, usize)>,
}

impl Turn {
    /// Each line: the number of its stream, its time, its text. Streams follow each other.
    pub fn iter(&self) -> impl Iterator<Item = (usize, i64, &str)> {
        let mut start = 0;
        self.lines.iter().map(move |(stream, time_ns, end)| {
            let line = &self.text[start..*end];
            start = *end;
            (*stream, *time_ns, line)
        })
    }

    /// Bytes of all lines, ends of line not counted.
    pub fn size_bytes(&self) -> usize {
        self.text.len()
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no stream wrote anything.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Some streams that go on together.
pub struct LogMix {
    streams: Vec<Stream>,
    time_ns: i64,
}

impl LogMix {
    /// Streams `0..streams` of this seed, from [`START_NS`] on.
    pub fn new(seed: u64, streams: usize) -> Self {
        LogMix::starting(seed, streams, START_NS)
    }

    /// The same streams at another time.
    pub fn starting(seed: u64, streams: usize, start_ns: i64) -> Self {
        let stream = |number| Stream::starting(seed, number, start_ns);
        LogMix {
            streams: (0..streams).map(stream).collect(),
            time_ns: start_ns,
        }
    }

    /// The streams, by number.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Replaces the lines of `turn` by those of the next [`TURN_NS`].
    pub fn advance(&mut self, turn: &mut Turn) {
        turn.text.clear();
        turn.lines.clear();
        self.time_ns += TURN_NS;
        for (number, stream) in self.streams.iter_mut().enumerate() {
            while stream.time_ns() < self.time_ns {
                let time_ns = stream.put_line(&mut turn.text);
                turn.lines.push((number, time_ns, turn.text.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_turns(seed: u64) -> Vec<(usize, i64, String)> {
        let (mut mix, mut turn) = (LogMix::new(seed, 10), Turn::default());
        let mut all = Vec::new();
        for _ in 0..5 {
            mix.advance(&mut turn);
            let lines = turn.iter();
            all.extend(lines.map(|(stream, time, text)| (stream, time, text.to_owned())));
        }
        all
    }

    #[test]
    fn a_seed_gives_the_same_lines_again_and_another_seed_others() {
        assert_eq!(some_turns(1), some_turns(1));
        assert_ne!(some_turns(1), some_turns(2));
    }

    #[test]
    fn times_of_a_stream_rise_and_lines_have_text() {
        let mut newest = [0; 10];
        for (stream, time, text) in some_turns(3) {
            assert!(time > newest[stream]);
            newest[stream] = time;
            assert!(text.len() > 20, "{text}");
        }
        assert!(newest.iter().all(|time| *time > START_NS));
    }

    #[test]
    fn each_format_looks_like_itself() {
        for (stream, _, text) in some_turns(4) {
            let looks_right = match FORMATS[stream % FORMATS.len()] {
                Format::Nginx => text.contains(" HTTP/1.1\" "),
                Format::Logfmt => text.starts_with("ts=2025-06-15T") && text.contains(" msg="),
                Format::Json => text.starts_with('{') && text.ends_with('}'),
                Format::Java => text.contains("] c.e.shop."),
                Format::Syslog => text.starts_with("Jun 15 15:06:"),
            };
            assert!(looks_right, "{text}");
        }
    }
}
