//! Metadata of metric families on its way to the store.
//!
//! Senders repeat it with every request; only what is new goes further.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;

use std::collections::HashMap;

use chronolith_engine::Tenant;
use chronolith_engine::metrics::MetricMetadata;

use crate::wire::columns::WireMetadata;

/// Families that are remembered. Beyond, all are forgotten and asked of the store again.
const REMEMBERED_MAX: usize = 200_000;

/// A fingerprint of the metadata by the name of the family.
type Prints = HashMap<Box<[u8]>, u64>;

/// What is known to be in the store.
#[derive(Default)]
pub(crate) struct Families {
    /// By the name of the tenant.
    stored: Mutex<HashMap<Box<str>, Prints>>,
    state: RandomState,
}

impl Families {
    /// Stores metadata that is not known to be there. How many families were not taken.
    pub(crate) fn store(&self, tenant: &Tenant, families: &[WireMetadata<'_>]) -> u64 {
        let fresh = self.fresh(tenant.name(), families);
        if fresh.is_empty() {
            return 0;
        }
        let mut texts = Vec::with_capacity(fresh.len());
        for wire in &fresh {
            if let Some(pair) = read(wire) {
                texts.push(pair);
            }
        }
        let refused = fresh.len() - texts.len();
        match tenant.set_metadata(&texts) {
            Ok(()) => {
                self.remember(tenant.name(), &fresh);
                refused as u64
            }
            Err(_) => fresh.len() as u64,
        }
    }

    fn fingerprint(&self, wire: &WireMetadata<'_>) -> u64 {
        self.state.hash_one(wire)
    }

    /// The last of each family that is not stored as it is here.
    fn fresh<'f>(
        &self,
        tenant: &str,
        families: &'f [WireMetadata<'f>],
    ) -> Vec<&'f WireMetadata<'f>> {
        let Ok(stored) = self.stored.lock() else {
            return Vec::new();
        };
        let stored = stored.get(tenant);
        let mut last: HashMap<&[u8], &WireMetadata<'f>> = HashMap::new();
        for wire in families {
            let family = &*wire.family;
            let known = stored.and_then(|stored| stored.get(family));
            let is_known = known == Some(&self.fingerprint(wire));
            if !is_known || last.contains_key(family) {
                last.insert(family, wire);
            }
        }
        last.into_values().collect()
    }

    fn remember(&self, tenant: &str, families: &[&WireMetadata<'_>]) {
        let Ok(mut stored) = self.stored.lock() else {
            return;
        };
        let held: usize = stored.values().map(HashMap::len).sum();
        if held + families.len() > REMEMBERED_MAX {
            stored.clear();
        }
        let stored = stored.entry(tenant.into()).or_default();
        for wire in families {
            stored.insert((*wire.family).into(), self.fingerprint(wire));
        }
    }
}

/// The metadata as text, if it is text.
fn read<'f>(wire: &'f WireMetadata<'f>) -> Option<(&'f str, MetricMetadata)> {
    let text = |bytes: &'f [u8]| std::str::from_utf8(bytes).ok();
    let metadata = MetricMetadata {
        kind: wire.kind.to_owned(),
        help: text(wire.help)?.to_owned(),
        unit: text(wire.unit)?.to_owned(),
    };
    Some((text(&wire.family)?, metadata))
}
