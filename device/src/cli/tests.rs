//! The command line is well-formed.

use clap::CommandFactory;

use super::Arguments;

#[test]
fn no_argument_contradicts_another() {
    Arguments::command().debug_assert();
}
