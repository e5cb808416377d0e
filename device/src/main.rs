//! `paperknife-device`: seals readings as a device does, makes key sets, simulates fleets.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
