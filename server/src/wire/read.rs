//! Remote read: `prometheus.ReadRequest` to selectors, and series to `prometheus.ReadResponse`.

use chronolith_engine::Selector;
use chronolith_engine::labels::{Labels, MatchOp, Matcher};
use chronolith_engine::metrics::{
    BucketCounts, Counts, Histogram, ResetHint, SampleColumn, SampleRun, Span,
};
use chronolith_engine::time::Millis;

use super::message::Message;
use super::protobuf::{Fields, Malformed};

/// Queries of one request.
const QUERIES_MAX: usize = 100;

/// What is asked for.
pub(crate) struct Request {
    pub(crate) selectors: Vec<Selector>,
    pub(crate) form: Form,
}

/// How samples are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// All in one message.
    Samples,
    /// In chunks, frame by frame.
    Chunks,
}

/// Reads a request. The first of the forms that it accepts is taken, samples where it names none.
pub(crate) fn decode(message: &[u8]) -> Result<Request, Malformed> {
    let (mut fields, mut selectors) = (Fields::new(message), Vec::new());
    let (mut form, mut is_any_named) = (None, false);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 if selectors.len() >= QUERIES_MAX => {
                return Err(Malformed::new(format!(
                    "a request may hold {QUERIES_MAX} queries"
                )));
            }
            1 => selectors.push(query(value.bytes()?)?),
            2 => value.varints(|named| {
                is_any_named = true;
                form = form.or(match named {
                    0 => Some(Form::Samples),
                    1 => Some(Form::Chunks),
                    _ => None,
                });
                Ok(())
            })?,
            _ => {}
        }
    }
    let why = "none of the accepted types of answers is SAMPLES or STREAMED_XOR_CHUNKS";
    let form = match is_any_named {
        true => form.ok_or_else(|| Malformed::new(why))?,
        false => Form::Samples,
    };
    Ok(Request { selectors, form })
}

fn query(message: &[u8]) -> Result<Selector, Malformed> {
    let (mut fields, mut start, mut end) = (Fields::new(message), 0, 0);
    let mut matchers = Vec::new();
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => start = value.signed()?,
            2 => end = value.signed()?,
            3 => matchers.push(matcher(value.bytes()?)?),
            _ => {}
        }
    }
    Ok(Selector::new(matchers).between(Millis(start), Millis(end)))
}

fn matcher(message: &[u8]) -> Result<Matcher, Malformed> {
    let (mut fields, mut op, mut name, mut text) =
        (Fields::new(message), MatchOp::Equal, &[][..], &[][..]);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => {
                op = match value.unsigned()? {
                    0 => MatchOp::Equal,
                    1 => MatchOp::NotEqual,
                    2 => MatchOp::Regex,
                    3 => MatchOp::NotRegex,
                    other => return Err(Malformed::new(format!("matcher type {other}"))),
                };
            }
            2 => name = value.bytes()?,
            3 => text = value.bytes()?,
            _ => {}
        }
    }
    let utf8 =
        |bytes| std::str::from_utf8(bytes).map_err(|_| Malformed::new("a matcher is not UTF-8"));
    Matcher::new(op, utf8(name)?, utf8(text)?).map_err(|error| Malformed::new(error.to_string()))
}

/// One series of an answer while it is written.
pub(crate) struct SeriesMessage {
    message: Message,
    samples: usize,
}

impl SeriesMessage {
    /// A series without samples yet.
    pub(crate) fn new(labels: Labels<'_>) -> Self {
        let labels = labels
            .iter()
            .map(|(name, value)| Message::new().bytes(1, name).bytes(2, value));
        SeriesMessage {
            message: labels.fold(Message::new(), |series, label| series.message(1, label)),
            samples: 0,
        }
    }

    /// Adds samples.
    pub(crate) fn push(&mut self, run: &SampleRun) {
        let mut message = std::mem::take(&mut self.message);
        for (index, time) in run.times().iter().enumerate() {
            message = match run.values() {
                SampleColumn::Floats(values) => {
                    message.message(2, Message::new().double(1, values[index]).integer(2, *time))
                }
                SampleColumn::Histograms(values) => {
                    message.message(4, histogram(*time, &values[index]))
                }
            };
        }
        self.message = message;
        self.samples += run.len();
    }

    /// How many samples there are.
    pub(crate) fn len(&self) -> usize {
        self.samples
    }

    /// The message of the series.
    pub(crate) fn into_message(self) -> Message {
        self.message
    }
}

/// A histogram as remote write 1.0 carries it too.
fn histogram(time: i64, histogram: &Histogram) -> Message {
    let message = Message::new()
        .double(3, histogram.sum)
        .zigzag(4, i64::from(histogram.schema))
        .double(5, histogram.zero_threshold);
    let message = spans(message, 8, &histogram.negative_spans);
    let message = spans(message, 11, &histogram.positive_spans);
    let message = match &histogram.counts {
        Counts::Integer(BucketCounts {
            count,
            zero_count,
            positive,
            negative,
        }) => message
            .integer(1, *count as i64)
            .integer(6, *zero_count as i64)
            .packed_zigzag(9, &deltas(negative))
            .packed_zigzag(12, &deltas(positive)),
        Counts::Float(BucketCounts {
            count,
            zero_count,
            positive,
            negative,
        }) => message
            .double(2, *count)
            .double(7, *zero_count)
            .packed_doubles(10, negative)
            .packed_doubles(13, positive),
    };
    let hint = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    };
    message
        .integer(14, hint)
        .integer(15, time)
        .packed_doubles(16, &histogram.custom_values)
}

fn spans(message: Message, field: u32, spans: &[Span]) -> Message {
    spans.iter().fold(message, |message, span| {
        let span = Message::new()
            .zigzag(1, i64::from(span.offset))
            .integer(2, i64::from(span.length));
        message.message(field, span)
    })
}

fn deltas(counts: &[u64]) -> Vec<i64> {
    let mut before = 0;
    let each = counts.iter().map(|count| {
        let delta = count.wrapping_sub(before) as i64;
        before = *count;
        delta
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{custom_histogram, integer_histogram};
    use crate::wire::histogram;

    #[test]
    fn histograms_come_back_as_they_were_sent() {
        for sent in [integer_histogram(7), custom_histogram(7, 0)] {
            let (read, _) = histogram::read(&sent.into_bytes()).unwrap();
            let written = super::histogram(7, &read.histogram);
            let (again, _) = histogram::read(&written.into_bytes()).unwrap();
            assert_eq!((again.time, &again.histogram), (7, &read.histogram));
        }
    }

    #[test]
    fn a_request_names_matchers_and_a_range() {
        let matcher =
            |op, name, value| Message::new().integer(1, op).bytes(2, name).bytes(3, value);
        let query = Message::new()
            .integer(1, 10)
            .integer(2, 20)
            .message(3, matcher(0, "__name__", "up"))
            .message(3, matcher(2, "job", "a|b"));
        let request = Message::new()
            .message(1, query)
            .packed(2, &[1, 0])
            .into_bytes();
        let request = decode(&request).unwrap();
        assert_eq!((request.selectors.len(), request.form), (1, Form::Chunks));
        let wrong = Message::new().message(1, Message::new().message(3, matcher(9, "a", "b")));
        assert!(decode(&wrong.into_bytes()).is_err());
        let regex = Message::new().message(1, Message::new().message(3, matcher(2, "a", "(")));
        assert!(decode(&regex.into_bytes()).is_err());
    }

    #[test]
    fn the_first_form_that_is_known_is_taken() {
        let of = |named: &[u64]| {
            let request = Message::new().packed(2, named).into_bytes();
            decode(&request).ok().map(|request| request.form)
        };
        assert_eq!(of(&[7, 1, 0]), Some(Form::Chunks));
        assert_eq!(of(&[0, 1]), Some(Form::Samples));
        assert_eq!(of(&[7]), None);
        assert_eq!(decode(b"").unwrap().form, Form::Samples);
        // One number that is not packed.
        let one = Message::new().integer(2, 1).into_bytes();
        assert_eq!(decode(&one).unwrap().form, Form::Chunks);
    }
}
