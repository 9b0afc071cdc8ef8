//! Tegami, the mail server that you plug in: the program.
//!
//! One binary in four roles: PID 1 of the box, the mail process that PID 1 starts, an ordinary process on a host, and
//! the tools there.

mod ailing;
mod ailment;
mod appliance;
mod books;
mod capacity;
mod certs;
mod cli;
mod clock;
mod closing;
mod devices;
mod dkim;
mod door;
mod drive;
mod gather;
mod guards;
mod health;
mod host;
mod house;
mod http;
mod language;
mod limits;
mod link;
mod logging;
mod memory;
mod network;
mod notice;
mod office;
mod passwords;
mod provision;
mod queue;
mod quota;
mod root;
mod routing;
mod scrub;
mod serve;
mod service;
mod serving;
mod stored;
#[cfg(test)]
mod testing;
mod tools;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    if board::init::is_init() {
        board::init::run();
    }
    if let Some(status) = board::init::answer_kernel() {
        return status;
    }
    let command = match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(problem) => return fail(&problem),
    };
    match command {
        cli::Command::Help => print!("{}", cli::HELP),
        cli::Command::Version => println!("tegami {}", env!("CARGO_PKG_VERSION")),
        cli::Command::Mail => {
            if let Err(problem) = appliance::run() {
                return fail(&problem);
            }
        }
        cli::Command::Tool(tool) => {
            return tools::run(&tool).unwrap_or_else(|problem| fail(&problem));
        }
        cli::Command::Host(options) => {
            logging::start();
            if let Err(problem) = host::run(&options) {
                return fail(&problem);
            }
        }
    }
    ExitCode::SUCCESS
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("tegami: {problem}");
    ExitCode::FAILURE
}
