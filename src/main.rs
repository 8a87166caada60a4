//! The command line: arguments, then a call, then an exit code. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hearthwatch::app::main()
}
