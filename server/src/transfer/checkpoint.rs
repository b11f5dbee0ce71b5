//! How far an import is, in a file of the data directory, so that the next one continues it.
//!
//! The file is written after the batch that it speaks of is durable. A process that is killed in
//! between stores that batch once more, and the store knows its entries again.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::fault::{Fault, Result};
use super::tally::Tally;

const VERSION: u64 = 1;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    /// What is imported, as the operator named it.
    pub(crate) source: String,
    /// Entries that the store had before the import began.
    pub(crate) before: u64,
    /// How often it has been continued.
    pub(crate) continued: u64,
    /// Units of the source that are done: blocks, files.
    pub(crate) done: Vec<String>,
    /// The unit at hand, how far it is, and how many entries of it were seen and stored.
    pub(crate) unit: String,
    pub(crate) position: u64,
    pub(crate) unit_seen: u64,
    pub(crate) unit_stored: u64,
    /// What else the source has to know.
    pub(crate) detail: Value,
    pub(crate) tally: Tally,
}

/// A state and the file that holds it.
pub(crate) struct Checkpoint {
    path: PathBuf,
    pub(crate) state: State,
}

impl Checkpoint {
    /// Opens the checkpoint of this source in a data directory. Whether there was one.
    pub(crate) fn open(directory: &Path, source: &str) -> Result<(Checkpoint, bool)> {
        let path = directory.join(file_name(source));
        let begun = match std::fs::read(&path) {
            Ok(bytes) => State::decode(&bytes).map_err(|fault| {
                fault.at(format_args!(
                    "{} (remove it to begin again)",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let state = State {
                    source: source.to_owned(),
                    ..State::default()
                };
                return Ok((Checkpoint { path, state }, false));
            }
            Err(error) => return Err(Fault::io("cannot read", &path, &error)),
        };
        if begun.source != source {
            return Err(Fault::new(format!(
                "{} belongs to the import of {}: finish that or remove the file",
                path.display(),
                begun.source
            )));
        }
        Ok((Checkpoint { path, state: begun }, true))
    }

    /// Makes the state durable.
    pub(crate) fn save(&self) -> Result<()> {
        let io = |error: std::io::Error| Fault::io("cannot write", &self.path, &error);
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh).map_err(io)?;
        file.write_all(self.state.encode().as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        std::fs::rename(&fresh, &self.path).map_err(io)?;
        match self.path.parent().map(File::open) {
            Some(Ok(folder)) => folder.sync_all().map_err(io),
            _ => Ok(()),
        }
    }

    /// Removes the file: the import is done.
    pub(crate) fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Fault::io("cannot remove", &self.path, &error))
            }
            _ => Ok(()),
        }
    }
}

/// The name of the file: each source has one of its own.
fn file_name(source: &str) -> String {
    // FNV-1a: the name has to stay the same from version to version.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in source.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("import-{hash:016x}.checkpoint")
}

impl State {
    fn encode(&self) -> String {
        let json = json!({
            "version": VERSION,
            "source": self.source,
            "before": self.before,
            "continued": self.continued,
            "done": self.done,
            "unit": self.unit,
            "position": self.position,
            "unit_seen": self.unit_seen,
            "unit_stored": self.unit_stored,
            "detail": self.detail,
            "counts": self.tally.to_json(),
        });
        format!("{json}\n")
    }

    fn decode(bytes: &[u8]) -> Result<State> {
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|error| Fault::new(format!("no checkpoint: {error}")))?;
        if json["version"] != VERSION {
            return Err(Fault::new(format!(
                "version {} is unknown",
                json["version"]
            )));
        }
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let count = |key: &str| json[key].as_u64().unwrap_or(0);
        let done = json["done"].as_array().into_iter().flatten();
        Ok(State {
            source: text("source"),
            before: count("before"),
            continued: count("continued"),
            done: done
                .filter_map(|unit| unit.as_str().map(str::to_owned))
                .collect(),
            unit: text("unit"),
            position: count("position"),
            unit_seen: count("unit_seen"),
            unit_stored: count("unit_stored"),
            detail: json["detail"].clone(),
            tally: Tally::from_json(&json["counts"]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_found_again_until_it_is_removed() {
        let name = format!("chronolith-checkpoint-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (mut checkpoint, found) = Checkpoint::open(&folder, "a").unwrap();
        assert!(!found);
        checkpoint.state.done.push("one".to_owned());
        checkpoint.state.position = 7;
        checkpoint.state.detail = json!({"last": "x"});
        checkpoint.state.tally.refuse("why", 3);
        checkpoint.save().unwrap();
        let (again, found) = Checkpoint::open(&folder, "a").unwrap();
        assert_eq!((&again.state, found), (&checkpoint.state, true));
        assert!(!Checkpoint::open(&folder, "b").unwrap().1);
        again.remove().unwrap();
        assert!(!Checkpoint::open(&folder, "a").unwrap().1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
