//! The program `chronolith`; what it does is told by `chronolith_server::run`.

use std::process::ExitCode;

/// Many threads take and give back memory of many sizes: `docs/decisions/dependencies.md` tells
/// what this allocator saves.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    chronolith_server::run(std::env::args_os())
}
