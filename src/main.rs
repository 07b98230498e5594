//! `hitters`: parse, check, run, report.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use hitters::cli::{Cli, Command};
use hitters::settings::Settings;
use hitters::{generate, http, job, machine, query, sketches, store};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading standard error any more; the exit status says enough then.
            let _ = writeln!(io::stderr(), "hitters: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Run(args) => {
            machine::keep_freed_memory();
            Ok(job::run(Settings::check(&args)?)?.exit_code())
        }
        Command::Query(args) => Ok(query::command::run(&args)?),
        Command::Serve(args) => Ok(http::command::run(&args)?),
        Command::Store(args) => Ok(store::command::run(&args)?),
        Command::Sketches(args) => {
            sketches::run(&args, &mut io::stdout().lock())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Generate(args) => {
            generate::run(&args, &mut io::stdout().lock())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether whoever read the output has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|e| e.downcast_ref::<io::Error>()).any(|e| e.kind() == ErrorKind::BrokenPipe)
}
