//! The fuzz targets, their corpus on disk, and seeded mutation of it.
//!
//! A target is a function that takes any bytes and returns; a panic is a bug in the decoder behind
//! it. To add one: a line in [`TARGETS`], one in [`SEEDS`], then `cargo run -p chronolith-fuzz
//! --bin seed`.

use std::io;
use std::path::{Path, PathBuf};

use chronolith_engine::testing;
use chronolith_server::testing as server;

mod logql;
mod mutation;
mod promql;

pub use mutation::{INPUT_BYTES_MAX, Mutator};

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// Builds the valid inputs that a target's corpus starts from.
pub type Seeds = fn() -> Vec<Vec<u8>>;

/// Every decoder under its name, which is also the name of its folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("block", testing::fuzz_block),
    ("deletion", testing::fuzz_deletion),
    ("filter", testing::fuzz_filter),
    ("float_chunk", testing::codec::fuzz_float_chunk),
    ("histogram", testing::codec::fuzz_histogram),
    ("histogram_chunk", testing::codec::fuzz_histogram_chunk),
    ("import", server::fuzz_import),
    ("index", testing::fuzz_index),
    ("ints", testing::codec::fuzz_ints),
    ("labels", testing::fuzz_labels),
    ("line", server::fuzz_line),
    ("lines_chunk", testing::fuzz_lines_chunk),
    ("logql", logql::fuzz_logql),
    ("logql_stage", logql::fuzz_logql_stage),
    ("manifest", testing::fuzz_manifest),
    ("metadata", testing::fuzz_metadata),
    ("notes", testing::fuzz_notes),
    ("promql", promql::fuzz_promql),
    ("re2", testing::fuzz_re2),
    ("otlp", server::fuzz_otlp),
    ("otlp_logs", server::fuzz_otlp_logs),
    ("push", server::fuzz_push),
    ("push_json", server::fuzz_push_json),
    ("read", server::fuzz_read),
    ("record", testing::fuzz_record),
    ("samples_chunk", testing::fuzz_samples_chunk),
    ("statistics", testing::codec::fuzz_statistics),
    ("stream", testing::codec::fuzz_stream),
    ("text", testing::fuzz_text),
    ("tiled_chunk", testing::codec::fuzz_tiled_chunk),
    ("tsdb_chunk", server::fuzz_tsdb_chunk),
    ("tsdb_series", server::fuzz_tsdb_series),
    ("tsdb_tombstones", server::fuzz_tsdb_tombstones),
    ("tsdb_wal", server::fuzz_tsdb_wal),
    ("vm_lines", server::fuzz_vm_lines),
    ("wal", testing::fuzz_wal),
    ("write_v1", server::fuzz_write_v1),
    ("write_v2", server::fuzz_write_v2),
];

/// What `--bin seed` writes into a corpus; a target whose corpus is kept by hand has no line.
pub const SEEDS: &[(&str, Seeds)] = &[
    ("block", testing::seeds_block),
    ("deletion", testing::seeds_deletion),
    ("filter", testing::seeds_filter),
    ("float_chunk", testing::seeds_float_chunk),
    ("histogram", testing::seeds_histogram),
    ("histogram_chunk", testing::seeds_histogram_chunk),
    ("import", server::seeds_import),
    ("index", testing::seeds_index),
    ("ints", testing::seeds_ints),
    ("labels", testing::seeds_labels),
    ("line", server::seeds_line),
    ("lines_chunk", testing::seeds_lines_chunk),
    ("logql", logql::seeds_logql),
    ("logql_stage", logql::seeds_logql_stage),
    ("manifest", testing::seeds_manifest),
    ("metadata", testing::seeds_metadata),
    ("notes", testing::seeds_notes),
    ("re2", testing::seeds_re2),
    ("promql", promql::seeds_promql),
    ("otlp", server::seeds_otlp),
    ("otlp_logs", server::seeds_otlp_logs),
    ("push", server::seeds_push),
    ("push_json", server::seeds_push_json),
    ("read", server::seeds_read),
    ("record", testing::seeds_record),
    ("samples_chunk", testing::seeds_samples_chunk),
    ("statistics", testing::seeds_statistics),
    ("stream", testing::seeds_stream),
    ("text", testing::seeds_text),
    ("tiled_chunk", testing::seeds_tiled_chunk),
    ("tsdb_chunk", server::seeds_tsdb_chunk),
    ("tsdb_series", server::seeds_tsdb_series),
    ("tsdb_tombstones", server::seeds_tsdb_tombstones),
    ("tsdb_wal", server::seeds_tsdb_wal),
    ("vm_lines", server::seeds_vm_lines),
    ("write_v1", server::seeds_write_v1),
    ("write_v2", server::seeds_write_v2),
];

/// Where the corpus of a target lies.
pub fn corpus_folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target)
}

/// The inputs in the corpus of a target with their file names, in name order; none where it has no
/// folder.
pub fn corpus(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = corpus_folder(target);
    let mut inputs = Vec::new();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(inputs),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            inputs.push((name, std::fs::read(&path)?));
        }
    }
    inputs.sort();
    Ok(inputs)
}
