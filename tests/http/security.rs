//! What strangers, neighbours and broken clients must not be able to do.

mod tenants;
