//! Settings and limits of the log.

use crate::config::Durability;

/// The longest tenant name, in bytes.
pub(crate) const TENANT_BYTES_MAX: usize = 150;

/// The longest body of a frame, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 20;

/// How the log writes.
#[derive(Clone, Debug)]
pub(crate) struct WalOptions {
    /// When a write counts as acknowledged.
    pub(crate) durability: Durability,
    /// A segment that would outgrow this is sealed and the next one started. A single frame may be
    /// longer.
    pub(crate) segment_bytes: u64,
    /// How many bytes may await their group commit before [`super::Wal::admit`] makes writers wait.
    /// Each writer already admitted may still add its own record on top.
    pub(crate) buffer_bytes: usize,
}

impl Default for WalOptions {
    fn default() -> Self {
        WalOptions {
            durability: Durability::default(),
            segment_bytes: 64 << 20,
            buffer_bytes: 16 << 20,
        }
    }
}
