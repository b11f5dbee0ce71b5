//! Samples as text: the format that Prometheus scrapes, and OpenMetrics.
//!
//! One line is one sample. A line that cannot be read refuses the whole text, with its number.

use std::borrow::Cow;

use super::columns::{Columns, WireLabel, WireMetadata};
use super::labels::LabelScratch;
use super::protobuf::Malformed;

/// What times in the text are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The text format 0.0.4: whole milliseconds.
    Prometheus,
    /// OpenMetrics: seconds with decimals, and `# EOF` at the end.
    OpenMetrics,
}

/// Reads a text. Samples without a time get `now`, in milliseconds.
pub(crate) fn decode(text: &str, dialect: Dialect, now: i64) -> Result<Columns<'_>, Malformed> {
    let mut reader = Reader {
        columns: Columns::default(),
        dialect,
        now,
        family: Family::default(),
    };
    for (place, line) in text.lines().enumerate() {
        let line = line.trim_matches([' ', '\t', '\r']);
        let read = match line.strip_prefix('#') {
            Some(_) if dialect == Dialect::OpenMetrics && is_eof(line) => break,
            Some(comment) => reader.comment(comment),
            None if line.is_empty() => Ok(()),
            None => reader.sample(line),
        };
        read.map_err(|why| Malformed::new(format!("line {}: {why}", place + 1)))?;
    }
    reader.end_family().map_err(Malformed::new)?;
    Ok(reader.columns)
}

/// Whether a line says that the text ends with it.
pub(crate) fn is_eof(line: &str) -> bool {
    let comment = line.trim().strip_prefix('#');
    comment.is_some_and(|comment| comment.trim() == "EOF")
}

struct Reader<'a> {
    columns: Columns<'a>,
    dialect: Dialect,
    now: i64,
    family: Family<'a>,
}

/// What comments have said of the family at hand.
#[derive(Default)]
struct Family<'a> {
    name: &'a str,
    kind: &'static str,
    help: &'a str,
    unit: &'a str,
}

/// The types of families; others are `unknown`.
const KINDS: [&str; 7] = [
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
];

type Read<T> = Result<T, String>;

impl<'a> Reader<'a> {
    fn comment(&mut self, comment: &'a str) -> Read<()> {
        let mut words = comment.trim_start().splitn(3, [' ', '\t']);
        let (word, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let rest = words.next().unwrap_or("").trim();
        if !matches!(word, "HELP" | "TYPE" | "UNIT") || name.is_empty() {
            return Ok(());
        }
        let name = name.trim_matches('"');
        if self.family.name != name {
            self.end_family()?;
            self.family.name = name;
        }
        match word {
            "HELP" => self.family.help = rest,
            "UNIT" => self.family.unit = rest,
            _ => {
                let known = KINDS.iter().find(|kind| **kind == rest);
                self.family.kind = known.copied().unwrap_or("unknown");
            }
        }
        Ok(())
    }

    fn end_family(&mut self) -> Read<()> {
        let family = std::mem::take(&mut self.family);
        if family.name.is_empty() {
            return Ok(());
        }
        let found = WireMetadata {
            family: family.name.as_bytes().into(),
            kind: if family.kind.is_empty() {
                "unknown"
            } else {
                family.kind
            },
            help: family.help.as_bytes(),
            unit: family.unit.as_bytes(),
        };
        self.columns
            .metadata(found)
            .map_err(|error| error.to_string())
    }

    fn sample(&mut self, line: &'a str) -> Read<()> {
        let mut cursor = Line { rest: line };
        let series = cursor.series()?;
        let value = number(cursor.word().ok_or("there is no value")?)?;
        let mut time = self.now;
        if let Some(word) = cursor.word_before_exemplar() {
            time = self.time(word)?;
        }
        if let Some((labels, value, at)) = cursor.exemplar()? {
            let at = at.map_or(Ok(time), |word| self.time(word))?;
            let added = self.columns.exemplar(at, number(value)?, labels);
            added.map_err(|error| error.to_string())?;
        }
        let mut scratch = LabelScratch::default();
        for (name, value) in &series {
            scratch.push(name.as_bytes(), value.as_bytes());
        }
        scratch.settle().map_err(|fault| fault.to_string())?;
        let added = self.columns.sample(time, 0, value);
        added
            .and_then(|()| self.columns.end_series(&scratch))
            .map_err(|error| error.to_string())
    }

    fn time(&self, word: &str) -> Read<i64> {
        let wrong = || format!("{word:?} is no time");
        match self.dialect {
            Dialect::Prometheus => word.parse().map_err(|_| wrong()),
            Dialect::OpenMetrics => {
                let seconds: f64 = word.parse().map_err(|_| wrong())?;
                match seconds.is_finite() {
                    true => Ok((seconds * 1000.0).round() as i64),
                    false => Err(wrong()),
                }
            }
        }
    }
}

fn number(word: &str) -> Read<f64> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

/// What of a line has not been read.
struct Line<'a> {
    rest: &'a str,
}

/// A name and a value, copied only where there are escapes.
type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Labels, a value and a time.
type LineExemplar<'a> = (Vec<WireLabel<'a>>, &'a str, Option<&'a str>);

impl<'a> Line<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, sign: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: char) -> Read<()> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(format!(
                "{sign:?} is missing before {:?}",
                shortened(self.rest)
            )),
        }
    }

    /// The metric name and the labels.
    fn series(&mut self) -> Read<Vec<Label<'a>>> {
        let mut labels = Vec::new();
        self.skip_space();
        let length = self.rest.find(['{', ' ', '\t']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        if !name.is_empty() {
            labels.push((Cow::Borrowed("__name__"), Cow::Borrowed(name)));
        }
        if self.take('{') {
            self.labels(&mut labels)?;
        }
        Ok(labels)
    }

    /// Labels up to the closing brace. A quoted text alone is the metric name.
    fn labels(&mut self, labels: &mut Vec<Label<'a>>) -> Read<()> {
        while !self.take('}') {
            let name = match self.take('"') {
                true => self.quoted()?,
                false => Cow::Borrowed(self.plain_name()?),
            };
            if self.take('=') {
                self.expect('"')?;
                labels.push((name, self.quoted()?));
            } else {
                labels.push((Cow::Borrowed("__name__"), name));
            }
            if !self.take(',') {
                return self.expect('}');
            }
        }
        Ok(())
    }

    fn plain_name(&mut self) -> Read<&'a str> {
        self.skip_space();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
        let end = self
            .rest
            .find(|letter| !is_part(letter))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        match name.is_empty() {
            true => Err(format!(
                "a label name is missing before {:?}",
                shortened(rest)
            )),
            false => Ok(name),
        }
    }

    /// The rest of a text behind its opening quote.
    fn quoted(&mut self) -> Read<Cow<'a, str>> {
        let mut unescaped: Option<String> = None;
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    let whole = &self.rest[..at];
                    self.rest = &self.rest[at + 1..];
                    return Ok(unescaped.map_or(Cow::Borrowed(whole), Cow::Owned));
                }
                '\\' => {
                    let out = unescaped.get_or_insert_with(|| self.rest[..at].to_owned());
                    match letters.next() {
                        Some((_, 'n')) => out.push('\n'),
                        Some((_, escaped @ ('\\' | '"'))) => out.push(escaped),
                        Some((_, other)) => out.extend(['\\', other]),
                        None => break,
                    }
                }
                _ => {
                    if let Some(out) = &mut unescaped {
                        out.push(letter);
                    }
                }
            }
        }
        Err("a quoted text does not end".to_owned())
    }

    fn word(&mut self) -> Option<&'a str> {
        self.skip_space();
        let end = self.rest.find([' ', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn word_before_exemplar(&mut self) -> Option<&'a str> {
        self.skip_space();
        match self.rest.starts_with('#') {
            true => None,
            false => self.word(),
        }
    }

    /// What stands behind `#`.
    fn exemplar(&mut self) -> Read<Option<LineExemplar<'a>>> {
        if !self.take('#') {
            return match self.rest.is_empty() {
                true => Ok(None),
                false => Err(format!("{:?} is too much", shortened(self.rest))),
            };
        }
        self.expect('{')?;
        let mut labels = Vec::new();
        self.labels(&mut labels)?;
        let value = self.word().ok_or("an exemplar has no value")?;
        let time = self.word();
        let bytes = |text| match text {
            Cow::Borrowed(text) => Cow::Borrowed(str::as_bytes(text)),
            Cow::Owned(text) => Cow::Owned(String::into_bytes(text)),
        };
        let labels = labels
            .into_iter()
            .map(|(name, value)| (bytes(name), bytes(value)));
        Ok(Some((labels.collect(), value, time)))
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use chronolith_engine::labels::{LabelSet, Labels};
    use chronolith_engine::metrics::{Sample, SampleValue};
    use chronolith_engine::time::Millis;

    use super::*;

    fn read(text: &str, dialect: Dialect) -> Vec<(String, i64, f64)> {
        let columns = decode(text, dialect, 7).unwrap();
        let samples = columns.samples().iter().enumerate().map(|(place, sample)| {
            let Sample {
                time: Millis(time),
                value: SampleValue::Float(value),
                ..
            } = sample
            else {
                panic!("the format has floats only");
            };
            let labels = Labels::from_bytes(columns.labels(place)).unwrap();
            (labels.to_string(), *time, *value)
        });
        samples.collect()
    }

    fn set(pairs: &[(&str, &str)]) -> String {
        LabelSet::from_pairs(pairs.iter().copied())
            .unwrap()
            .as_labels()
            .to_string()
    }

    #[test]
    fn the_format_of_prometheus_is_read() {
        let text = "# HELP up Whether it is up.\n# TYPE up gauge\n\
                    up 1\n\
                    up{job=\"a\",} 0 1768476600000\n\
                    # a comment\n\n\
                    {\"b.c\", \"x.y\"=\"p\\\"q\\\\r\\ns\\t\" , z = \"\"} +Inf -5\r\n\
                    nan{a=\"}\"} NaN\n";
        let read = read(text, Dialect::Prometheus);
        assert_eq!(read[0], (set(&[("__name__", "up")]), 7, 1.0));
        assert_eq!(
            read[1],
            (
                set(&[("__name__", "up"), ("job", "a")]),
                1_768_476_600_000,
                0.0
            )
        );
        let odd = set(&[("__name__", "b.c"), ("x.y", "p\"q\\r\ns\\t")]);
        assert_eq!(read[2], (odd, -5, f64::INFINITY));
        assert!(read[3].2.is_nan() && read[3].0.contains("}"));
        let columns = decode(text, Dialect::Prometheus, 7).unwrap();
        let expected = WireMetadata {
            family: b"up"[..].into(),
            kind: "gauge",
            help: b"Whether it is up.",
            unit: b"",
        };
        assert_eq!(columns.families(), [expected]);
    }

    #[test]
    fn open_metrics_has_seconds_exemplars_and_an_end() {
        let text = "# TYPE a counter\n# UNIT a seconds\n\
                    a_total{x=\"y\"} 5 1768476600.25 # {trace_id=\"abc\"} 0.5 1768476600\n\
                    a_total 6 # {} 1\n# EOF\nnot read\n";
        let columns = decode(text, Dialect::OpenMetrics, 7).unwrap();
        let times: Vec<i64> = columns
            .samples()
            .iter()
            .map(|sample| sample.time.0)
            .collect();
        assert_eq!(times, [1_768_476_600_250, 7]);
        let exemplars = columns.exemplars();
        assert_eq!(
            (exemplars[0].time, exemplars[0].value),
            (1_768_476_600_000, 0.5)
        );
        assert_eq!(
            exemplars[0].labels,
            [(b"trace_id"[..].into(), b"abc"[..].into())]
        );
        assert_eq!((exemplars[1].series, exemplars[1].time), (1, 7));
        assert_eq!(columns.families()[0].unit, b"seconds");
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        for (text, why) in [
            ("up 1\nup x", "line 2: \"x\" is no number"),
            ("up", "line 1: there is no value"),
            ("up 1 later", "line 1: \"later\" is no time"),
            ("up 1 2 3", "line 1: \"3\" is too much"),
            ("up{job=a} 1", "line 1: '\"' is missing before \"a} 1\""),
            ("up{job=\"a} 1", "line 1: a quoted text does not end"),
            ("up{job=\"a\" 1", "line 1: '}' is missing before \"1\""),
            (
                "{job=\"a\"} 1",
                "line 1: there is no metric name: add a __name__ label",
            ),
            (
                "up{a=\"1\",a=\"2\"} 1",
                "line 1: a label name is given twice",
            ),
        ] {
            let error = decode(text, Dialect::Prometheus, 7)
                .err()
                .unwrap()
                .to_string();
            assert_eq!(error, why, "{text}");
        }
    }
}
