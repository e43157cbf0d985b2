//! `completions`: a script that a shell reads.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Args;

const NAME: &str = "chunk-store";

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    if shell != Shell::Bash {
        clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
        return text(script);
    }
    // clap_complete 4.6 names the commands of a program with a hyphen in two ways in a script
    // for bash, which then completes none of them.
    let plain = NAME.replace('-', "_");
    clap_complete::generate(shell, &mut Args::command(), &plain, &mut script);
    text(script).replace(&format!("-o default {plain}\n"), &format!("-o default {NAME}\n"))
}

fn text(script: Vec<u8>) -> String {
    String::from_utf8(script).expect("names of commands and options are text")
}
