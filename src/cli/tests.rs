//! Every command explains itself, and usage is told from failure.

use std::ffi::OsString;

use clap::CommandFactory;

use super::Arguments;

fn every_command(command: &clap::Command, path: &str, check: &mut dyn FnMut(&str, &clap::Command)) {
    check(path, command);
    for inner in command.get_subcommands() {
        every_command(inner, &format!("{path} {}", inner.get_name()), check);
    }
}

#[test]
fn the_definitions_are_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_has_an_example_of_itself_and_says_what_it_does() {
    every_command(&Arguments::command(), "paperknife", &mut |path, command| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Example"), "{path} has no example");
        assert!(help.contains(path), "the example of {path} shows another command: {help}");
        assert!(
            command.get_about().is_some_and(|about| !about.to_string().is_empty()),
            "{path} does not say what it does"
        );
    });
}

#[test]
fn no_argument_is_a_secret() {
    every_command(&Arguments::command(), "paperknife", &mut |path, command| {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let secret = ["token", "password", "secret", "pin"].contains(&name);
            assert!(!secret, "{path} takes the secret {name} as an argument");
        }
    });
}

#[test]
fn usage_is_told_from_failure() {
    let exit = |arguments: &[&str]| format!("{:?}", super::run(arguments.iter().map(OsString::from)));
    let code = |code: u8| format!("{:?}", std::process::ExitCode::from(code));
    assert_eq!(exit(&["paperknife", "--help"]), code(0));
    assert_eq!(exit(&["paperknife", "--version"]), code(0));
    assert_eq!(exit(&["paperknife"]), code(2));
    assert_eq!(exit(&["paperknife", "sevre"]), code(2));
    assert_eq!(exit(&["paperknife", "config", "check", "/nowhere/p.toml"]), code(1));
}
