//! What strangers, neighbours and broken clients must not be able to do.

mod answers;
mod doors;
mod tenants;
mod tls;

use chronolith_server::Settings;

use super::bed::{Bed, Folder};

/// A server with this web configuration, and the folder that has it.
fn secured(config: &str, change: impl FnOnce(&mut Settings)) -> (Folder, Bed) {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("web.yml");
    std::fs::write(&file, config).unwrap();
    let bed = Bed::with(|settings| {
        settings.web_config_file = Some(file);
        change(settings);
    });
    (folder, bed)
}

/// The hash of a password, as cheap as one may be.
fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}
