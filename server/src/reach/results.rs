//! Answers in JSON, element by element: a result of a million series is never held as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::answer::Answer;
use crate::client::Failure;

/// Bytes that are read ahead.
const AHEAD_BYTES: usize = 64 << 10;

/// One series of a vector or a matrix, or one stream of lines. Of the fields only those are there
/// that its type has.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Element {
    #[serde(default, alias = "stream")]
    pub(crate) metric: BTreeMap<String, String>,
    pub(crate) value: Option<(Value, Value)>,
    pub(crate) histogram: Option<(Value, Value)>,
    #[serde(default)]
    pub(crate) values: Vec<(Value, Value)>,
    #[serde(default)]
    pub(crate) histograms: Vec<(Value, Value)>,
}

/// One thing of an answer.
#[derive(Debug)]
pub(crate) enum Item {
    /// A stream of lines.
    Stream(Element),
    /// A series with one value, or with several.
    Series(Element),
    /// A value without labels: a scalar, or a text.
    Single(Value, Value),
    /// An element of a list: a name, or labels.
    Listed(Value),
}

/// What is told beside an answer.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) warnings: Vec<String>,
    pub(crate) infos: Vec<String>,
}

/// Reads an answer in Prometheus' envelope, and calls `each` with its elements as they come.
pub(crate) fn read_items<E: From<Failure>>(
    answer: Answer,
    mut each: impl FnMut(Item) -> Result<(), E>,
) -> Result<Notes, E> {
    let mut stopped = None;
    let mut take = |item| match each(item) {
        Ok(()) => true,
        Err(error) => {
            stopped = Some(error);
            false
        }
    };
    let read = envelope(answer, &mut take);
    match (stopped, read) {
        (Some(error), _) => Err(error),
        (None, read) => read.map_err(|error| unreadable(&error).into()),
    }
}

/// Reads the whole data of an answer in Prometheus' envelope.
pub(crate) fn read_whole(answer: Answer) -> Result<Value, Failure> {
    #[derive(Deserialize)]
    struct Envelope {
        data: Value,
    }
    let read: Result<Envelope, _> = serde_json::from_str(&answer.text()?);
    read.map(|envelope| envelope.data)
        .map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Failure {
    match error.is_io() || error.is_eof() {
        true => Failure::broken(format!("the answer broke off: {error}")),
        false => Failure::broken(format!(
            "the answer is not what this API says, is the address right? {error}"
        )),
    }
}

fn envelope(
    answer: impl Read,
    take: &mut dyn FnMut(Item) -> bool,
) -> Result<Notes, serde_json::Error> {
    let ahead = BufReader::with_capacity(AHEAD_BYTES, answer);
    let mut json = serde_json::Deserializer::from_reader(ahead);
    let notes = json.deserialize_map(Envelope { take })?;
    json.end()?;
    Ok(notes)
}

/// Where elements go; false ends the reading.
type Take<'t> = &'t mut dyn FnMut(Item) -> bool;

struct Envelope<'t> {
    take: Take<'t>,
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = Notes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with status and data")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
        let mut notes = Notes::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => map.next_value_seed(Data { take: self.take })?,
                "warnings" => notes.warnings = map.next_value()?,
                "infos" => notes.infos = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(notes)
    }
}

/// The data: a list, or an object with a result.
struct Data<'t> {
    take: Take<'t>,
}

impl<'de> DeserializeSeed<'de> for Data<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Data<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or an object with resultType and result")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        each::<A, Value>(seq, self.take, Item::Listed)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut kind = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "resultType" => kind = Some(map.next_value::<String>()?),
                "result" => {
                    let kind = kind.as_deref().unwrap_or_default();
                    map.next_value_seed(Results {
                        kind,
                        take: self.take,
                    })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The results of a type.
struct Results<'t, 'k> {
    kind: &'k str,
    take: Take<'t>,
}

impl<'de> DeserializeSeed<'de> for Results<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Results<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        match self.kind {
            "streams" => each::<A, Element>(seq, self.take, Item::Stream),
            "vector" | "matrix" => each::<A, Element>(seq, self.take, Item::Series),
            "scalar" | "string" => {
                let (time, value) = (seq.next_element()?, seq.next_element()?);
                let single = Item::Single(time.unwrap_or_default(), value.unwrap_or_default());
                give(self.take, single)
            }
            other => Err(A::Error::custom(format!(
                "a result of type {other:?} is not known"
            ))),
        }
    }
}

fn each<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(
    mut seq: A,
    take: Take<'_>,
    item: fn(T) -> Item,
) -> Result<(), A::Error> {
    while let Some(element) = seq.next_element_seed(PhantomData::<T>)? {
        give(take, item(element))?;
    }
    Ok(())
}

fn give<E: Error>(take: Take<'_>, item: Item) -> Result<(), E> {
    match take(item) {
        true => Ok(()),
        false => Err(E::custom("nobody wants the rest")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (Vec<Item>, Result<Notes, serde_json::Error>) {
        let mut items = Vec::new();
        let read = envelope(json.as_bytes(), &mut |item| {
            items.push(item);
            true
        });
        (items, read)
    }

    #[test]
    fn each_type_of_result_is_read() {
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"a":"b"},"values":[[1,"2"],[1.5,"3"]]},{"metric":{},"histograms":[]}]},
            "warnings":["w"]}"#;
        let (items, notes) = read(matrix);
        let [Item::Series(first), Item::Series(_)] = &items[..] else {
            unreachable!("{items:?}")
        };
        assert_eq!((first.values.len(), &*first.metric["a"]), (2, "b"));
        assert_eq!(notes.unwrap().warnings, ["w"]);
        let scalar = r#"{"data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert!(matches!(&read(scalar).0[..], [Item::Single(_, _)]));
        let list = r#"{"data":["a",{"b":"c"}]}"#;
        assert_eq!(read(list).0.len(), 2);
        let streams = r#"{"data":{"resultType":"streams","result":[
            {"stream":{"a":"b"},"values":[["1","x"]]}],"stats":{}}}"#;
        assert!(matches!(&read(streams).0[..], [Item::Stream(_)]));
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let whole = r#"{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#;
        assert!(read(whole).1.is_ok());
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).1.is_err(), "cut at {end}");
        }
    }
}
