//! The command line: one module for each command, what they share here.
//!
//! Results go to standard output, everything else to standard error, and the
//! progress bar is drawn only on a terminal. `docs/errors.md` lists exit codes.

mod args;
mod delete;
mod failure;
mod get;
mod list;
mod output;
mod put;
mod range;
mod transfer;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};

use self::args::{Args, Command};
use self::failure::Failure;
use self::output::Output;
use chunk_store_host::ChunkStore;
use chunk_store_host::kv::namespace::Namespaced;
use chunk_store_host::kv::{self, Backend};

/// What 128 + SIGINT is to a shell.
const EXIT_INTERRUPTED: u8 = 130;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Failure::local(format!("cannot start: {error}"))),
    };
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = run(args, &output) => ended,
            // What was being written is given up as after any failure: no object, no
            // file under the final name.
            Ok(()) = tokio::signal::ctrl_c() => Ok(ExitCode::from(EXIT_INTERRUPTED)),
        }
    });
    ended.unwrap_or_else(|failure| output.fail(&failure))
}

async fn run(args: Args, output: &Output) -> Result<ExitCode, Failure> {
    if let Command::Completions { shell } = args.command {
        let mut command = Args::command();
        clap_complete::generate(shell, &mut command, "chunk-store", &mut std::io::stdout());
        return Ok(ExitCode::SUCCESS);
    }
    let store = open(&args.kv, args.namespace.as_deref()).await?;
    match args.command {
        Command::Put(put) => put::run(&store, put, output).await,
        Command::Get(get) => get::run(&store, get, output).await,
        Command::Head { key } => {
            let info = store.head(&key, None).await.map_err(|e| Failure::of(&key, e))?;
            output.object(&info);
            Ok(ExitCode::SUCCESS)
        }
        Command::List(list) => list::run(&store, list, output).await,
        Command::Delete { keys } => delete::run(&store, &keys, output).await,
        Command::Verify(verify) => verify::run(&store, verify, output).await,
        Command::Completions { .. } => unreachable!("handled above"),
    }
}

async fn open(url: &str, namespace: Option<&str>) -> Result<ChunkStore, Failure> {
    let wrong = |error: kv::OpenError| Failure::usage(error.to_string());
    let backend = kv::open(url).await.map_err(wrong)?;
    let backend: Arc<dyn Backend> = match namespace {
        None => backend,
        Some(name) => Arc::new(Namespaced::new(backend, name).map_err(wrong)?),
    };
    ChunkStore::new(backend).map_err(Failure::from)
}
