//! A configuration file as keys with values, each with the line that it stands in.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// Bytes of a configuration file.
const BYTES_MAX: usize = 1 << 20;

/// One value of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The tenant in whose section it stands.
    pub(super) tenant: Option<String>,
    /// Its keys from the top, or from those of the tenant, with dots between them.
    pub(super) path: String,
    /// Its elements; one where it is no list.
    pub(super) values: Vec<String>,
    pub(super) line: u64,
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: u64,
    pub(super) why: String,
}

/// The section with a section for each tenant.
pub(super) const TENANTS: &str = "tenants";

/// Where a value stands.
#[derive(Clone, Default)]
struct Place {
    tenant: Option<String>,
    path: String,
    line: u64,
}

impl Place {
    fn below(&self, key: &str, line: u64) -> Place {
        let path = match &*self.path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        let tenant = self.tenant.clone();
        Place { tenant, path, line }
    }
}

/// Reads a file's text; an empty one says nothing.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Fault> {
    if text.len() > BYTES_MAX {
        return Err(Fault {
            line: 1,
            why: format!("the file has more than {BYTES_MAX} bytes"),
        });
    }
    // Values are text here, however they look: `retention: 15` must not lose what was written.
    let options = serde_saphyr::options! {
        with_snippet: false,
    };
    let root: Option<Spanned<Node>> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| Fault {
            line: error.location().map_or(1, |location| location.line()),
            why: in_our_words(&error.to_string()),
        })?;
    let mut found = Vec::new();
    match root {
        None => {}
        Some(root) => root.value.flatten(&Place::default(), &mut found)?,
    }
    Ok(found)
}

/// What is wrong with a text that is no YAML, without what the parser says to programmers.
fn in_our_words(why: &str) -> String {
    let said = why.split(" at line ").next().unwrap_or(why);
    let duplicate = said.strip_prefix("duplicate mapping key: ");
    if let Some(key) = duplicate.and_then(|rest| rest.split(", set ").next()) {
        return format!("the key {key} is there already: write it once");
    }
    match said.contains("multiple YAML documents") {
        true => "a second document begins here: a configuration is one".to_owned(),
        false => said.to_owned(),
    }
}

/// A value of the file.
enum Node {
    Nothing,
    Scalar(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    fn flatten(self, place: &Place, into: &mut Vec<Entry>) -> Result<(), Fault> {
        let (path, line) = (&place.path, place.line);
        let entry = |values| Entry {
            tenant: place.tenant.clone(),
            path: path.clone(),
            values,
            line,
        };
        match self {
            // A section with nothing in it says nothing.
            Node::Nothing => {}
            Node::Scalar(text) if path.is_empty() => {
                return Err(Fault {
                    line: line.max(1),
                    why: format!("{text:?} is no setting: write a key, a colon and a value"),
                });
            }
            Node::Scalar(text) => into.push(entry(vec![text])),
            Node::List(_) if path.is_empty() && place.tenant.is_none() => {
                return Err(Fault {
                    line: line.max(1),
                    why: "a list is no configuration: write keys, colons and values".to_owned(),
                });
            }
            Node::List(elements) => {
                let mut values = Vec::new();
                for element in elements {
                    match element.value {
                        Node::Scalar(text) => values.push(text),
                        _ => {
                            return Err(Fault {
                                line: element.referenced.line(),
                                why: format!("the elements of {path} are texts"),
                            });
                        }
                    }
                }
                into.push(entry(values));
            }
            Node::Map(pairs) => {
                for (key, value) in pairs {
                    let below = place.below(&key.value, key.referenced.line());
                    let is_tenants = below.tenant.is_none() && below.path == TENANTS;
                    match value.value {
                        Node::Map(tenants) if is_tenants => of_tenants(tenants, into)?,
                        value => value.flatten(&below, into)?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// Sections by the names of tenants, which may have dots in them.
fn of_tenants(
    tenants: Vec<(Spanned<String>, Spanned<Node>)>,
    into: &mut Vec<Entry>,
) -> Result<(), Fault> {
    for (name, section) in tenants {
        let place = Place {
            tenant: Some(name.value),
            path: String::new(),
            line: name.referenced.line(),
        };
        section.value.flatten(&place, into)?;
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list or keys with values")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Node::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Node::Map(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_joined_and_know_their_lines() {
        let text = "# a comment\ndata: /d\nlisten:\n  prometheus: 0.0.0.0:9090\n  \
                    loki: \"[::]:1\"\nlog:\n  labels_max: 20\n  patterns: true\nquery:\n\
                    retention_rules:\n  - '{a=\"b\"} = 1d'\n  - up{} = none\n";
        let found = entries(text).unwrap();
        let said: Vec<(&str, &str, u64)> = found
            .iter()
            .map(|entry| (entry.path.as_str(), entry.values[0].as_str(), entry.line))
            .collect();
        let expected = [
            ("data", "/d", 2),
            ("listen.prometheus", "0.0.0.0:9090", 4),
            ("listen.loki", "[::]:1", 5),
            ("log.labels_max", "20", 7),
            ("log.patterns", "true", 8),
            ("retention_rules", "{a=\"b\"} = 1d", 10),
        ];
        assert_eq!(said, expected);
        assert_eq!(found[5].values[1], "up{} = none");
        assert_eq!(entries("").unwrap(), []);
        assert_eq!(entries("# nothing\n").unwrap(), []);
    }

    #[test]
    fn sections_of_tenants_are_told_by_their_names() {
        let text = "tenants:\n  team.a:\n    log:\n      labels_max: 3\n  b:\n  tenants:\n    \
                    retention: 1d\n";
        let found = entries(text).unwrap();
        let said: Vec<(Option<&str>, &str, u64)> = found
            .iter()
            .map(|entry| (entry.tenant.as_deref(), entry.path.as_str(), entry.line))
            .collect();
        let expected = [
            (Some("team.a"), "log.labels_max", 4),
            (Some("tenants"), "retention", 7),
        ];
        assert_eq!(said, expected);
        // What is no section of sections is an entry like any other, and no key.
        assert_eq!(entries("tenants: x\n").unwrap()[0].path, "tenants");
    }

    #[test]
    fn a_file_that_is_no_yaml_is_answered_with_its_line() {
        let faults = [
            ("data: a\ndata: b\n", 2),
            ("data: a\n  b: c\n", 2),
            ("data: [a, b\n", 1),
            ("just text\n", 1),
            ("a:\n  - b: c\n", 2),
        ];
        for (text, line) in faults {
            let fault = entries(text).unwrap_err();
            assert_eq!(fault.line, line, "{text:?}: {}", fault.why);
        }
    }

    #[test]
    fn aliases_cannot_make_a_small_file_large() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let alias = vec![format!("*a{before}"); 10].join(",");
            text += &format!("a{level}: &a{level} [{alias}]\n");
        }
        assert!(entries(&text).is_err());
    }
}
