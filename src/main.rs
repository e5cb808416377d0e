//! The binary: parses, wires and runs, all of it in the library's `cli`, so that tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    paperknife::cli::main()
}
