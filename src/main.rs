//! The binary: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    call_metrics::cmd::main(std::env::args_os())
}
