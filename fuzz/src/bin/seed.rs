//! Writes the valid inputs that each target's corpus starts from; files that are there already
//! stay.
#![allow(clippy::print_stdout)] // A command-line tool speaks on its streams.

use std::io;

use chronolith_fuzz::{SEEDS, corpus_folder};

fn main() -> io::Result<()> {
    for (name, seeds) in SEEDS {
        let folder = corpus_folder(name);
        std::fs::create_dir_all(&folder)?;
        for (index, bytes) in seeds().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index:02}")), bytes)?;
        }
        println!("{name}: written to {}", folder.display());
    }
    Ok(())
}
