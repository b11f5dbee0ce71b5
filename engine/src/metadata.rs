//! Metric metadata: type, help and unit of a metric family, beside its series.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::error::{Error, Result};
use crate::tenant::Tenant;

/// What a metric family is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricMetadata {
    /// `counter`, `gauge`, `histogram` and so on, as the sender says.
    pub kind: String,
    /// What it means.
    pub help: String,
    /// Its unit, if it has one.
    pub unit: String,
}

/// Bytes of one family's metadata at most.
const METADATA_BYTES_MAX: usize = 64 << 10;

impl Tenant {
    /// Stores metadata of metric families by name. Unchanged ones cost nothing.
    ///
    /// Fails as a whole, storing nothing, if one is too long or `limits.metadata_families_max` is
    /// reached.
    pub fn set_metadata(&self, families: &[(&str, MetricMetadata)]) -> Result<()> {
        let store = self.metrics()?;
        let mut notes = Vec::with_capacity(families.len());
        for (family, metadata) in families {
            let value = encode(metadata);
            if family.is_empty() || family.len() + value.len() > METADATA_BYTES_MAX {
                return Err(Error::limit(format!(
                    "metadata of {family:?} has {} bytes: with its name at most \
                     {METADATA_BYTES_MAX} are taken, and the name is not empty",
                    value.len()
                )));
            }
            notes.push((family.as_bytes().to_vec(), value));
        }
        let held = store.core.notes();
        let names = notes.iter().map(|(family, _)| family);
        let fresh: BTreeSet<_> = names.filter(|family| !held.contains_key(*family)).collect();
        let max = store.core.limits().metadata_families_max;
        if held.len() + fresh.len() > max {
            return Err(Error::limit(format!(
                "{} metric families have metadata, limits.metadata_families_max is {max}",
                held.len()
            )));
        }
        store.core.put_notes(&notes)
    }

    /// The metadata of every metric family that has any.
    pub fn metadata(&self) -> Result<BTreeMap<String, MetricMetadata>> {
        let notes = self.metrics()?.core.notes();
        notes
            .into_iter()
            .map(|(family, value)| {
                let family = String::from_utf8(family)
                    .map_err(|_| Error::corrupt("a metric family's name is not UTF-8"))?;
                Ok((family, decode(&value)?))
            })
            .collect()
    }
}

pub(crate) fn encode(metadata: &MetricMetadata) -> Vec<u8> {
    let mut out = Vec::new();
    for text in [&metadata.kind, &metadata.help, &metadata.unit] {
        put_prefixed(&mut out, text.as_bytes());
    }
    out
}

pub(crate) fn decode(bytes: &[u8]) -> Result<MetricMetadata> {
    let mut cursor = Cursor::new(bytes);
    let mut text = || cursor.text().map(str::to_owned);
    Ok(MetricMetadata {
        kind: text()?,
        help: text()?,
        unit: text()?,
    })
}
