//! The program `chronolith`; what it does is told by `chronolith_server::run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chronolith_server::run(std::env::args_os())
}
