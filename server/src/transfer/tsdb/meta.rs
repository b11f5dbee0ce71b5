//! The file `meta.json` of a block: what it holds, and of which blocks it was made.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::fault::{Fault, Result};

/// What is used of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) ulid: String,
    pub(crate) min_time: i64,
    /// Behind the last sample.
    pub(crate) max_time: i64,
    /// What the file says how much there is, before deletions; 0 where it does not say.
    pub(crate) samples: u64,
    pub(crate) series: u64,
    pub(crate) chunks: u64,
    /// Blocks that are all in this one.
    pub(crate) parents: Vec<String>,
}

impl Meta {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Meta> {
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|error| Fault::new(format!("no JSON: {error}")))?;
        if json["version"] != 1 {
            return Err(Fault::new(format!(
                "version {} is unknown",
                json["version"]
            )));
        }
        let time = |key: &str| {
            json[key]
                .as_i64()
                .ok_or_else(|| Fault::new(format!("{key} is no time")))
        };
        let count = |key: &str| json["stats"][key].as_u64().unwrap_or(0);
        let parents = json["compaction"]["parents"].as_array();
        let parents = parents.into_iter().flatten();
        Ok(Meta {
            ulid: json["ulid"].as_str().unwrap_or_default().to_owned(),
            min_time: time("minTime")?,
            max_time: time("maxTime")?,
            samples: count("numSamples"),
            series: count("numSeries"),
            chunks: count("numChunks"),
            parents: parents
                .filter_map(|parent| parent["ulid"].as_str().map(str::to_owned))
                .collect(),
        })
    }

    /// As Prometheus writes it for a block that was not made of others.
    pub(crate) fn encode(&self) -> String {
        let json = json!({
            "ulid": self.ulid,
            "minTime": self.min_time,
            "maxTime": self.max_time,
            "stats": {
                "numSamples": self.samples,
                "numSeries": self.series,
                "numChunks": self.chunks,
            },
            "compaction": { "level": 1, "sources": [self.ulid] },
            "version": 1,
        });
        format!("{json:#}\n")
    }
}

/// The blocks of a data directory with their folders, the oldest first. One that another one was
/// made of is left out: Prometheus was about to remove it.
pub(crate) fn blocks(directory: &Path) -> Result<Vec<(PathBuf, Meta)>> {
    let mut found = Vec::new();
    let io = |error: std::io::Error| Fault::io("cannot list", directory, &error);
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let folder = entry.map_err(io)?.path();
        let name = folder.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(is_ulid) {
            continue;
        }
        let path = folder.join("meta.json");
        let bytes =
            std::fs::read(&path).map_err(|error| Fault::io("cannot read", &path, &error))?;
        let mut meta = Meta::decode(&bytes).map_err(|fault| fault.at(path.display()))?;
        // The folder's name is what others call it.
        meta.ulid = name.unwrap_or_default().to_owned();
        found.push((folder, meta));
    }
    let parents: Vec<String> = found
        .iter()
        .flat_map(|(_, meta)| meta.parents.clone())
        .collect();
    found.retain(|(_, meta)| !parents.contains(&meta.ulid));
    found.sort_by(|(_, one), (_, two)| {
        (one.min_time, one.max_time, &one.ulid).cmp(&(two.min_time, two.max_time, &two.ulid))
    });
    Ok(found)
}

/// Whether a folder has the name of a finished block.
fn is_ulid(name: &str) -> bool {
    name.len() == 26 && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let meta = Meta {
            ulid: "01HZZZZZZZZZZZZZZZZZZZZZZZ".to_owned(),
            min_time: -7200,
            max_time: 7200,
            samples: 3,
            series: 2,
            chunks: 2,
            parents: Vec::new(),
        };
        assert_eq!(Meta::decode(meta.encode().as_bytes()).unwrap(), meta);
        for wrong in [
            "",
            "{}",
            "{\"version\":2}",
            "{\"version\":1,\"minTime\":\"x\"}",
        ] {
            assert!(Meta::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
