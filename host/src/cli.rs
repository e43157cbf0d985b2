//! The command line: one module for each command, what they share here.
//!
//! Results go to standard output, everything else to standard error, and the
//! progress bar is drawn only on a terminal. `docs/errors.md` lists exit codes.

mod args;
mod completions;
mod copy;
mod delete;
mod failure;
mod get;
mod list;
mod log;
mod output;
mod put;
mod range;
mod serve;
mod stats;
mod sweep;
mod transfer;
mod uploads;
mod verify;

use std::cell::OnceCell;
use std::future::poll_fn;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::args::{Args, Command};
use self::failure::Failure;
use self::log::Log;
use self::output::Output;
use self::stats::Stats;
use chunk_store_host::kv::namespace::Namespaced;
use chunk_store_host::kv::{self, Backend};
use chunk_store_host::{ChunkStore, Config};

/// A process that a signal ended has this exit code, plus the signal's number.
const SIGNALLED: u8 = 128;

/// How long the end of the process waits for what a command that failed or was
/// interrupted had begun.
const SHUT_DOWN: Duration = Duration::from_secs(2);

/// There is an instance for each processor, and no more than this: what memory and disks give
/// is digested by then.
const INSTANCES_MAX: usize = 4;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            let text = error.to_string();
            // What is missing is listed below the first line; then comes the usage.
            let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
            let line = lines.collect::<Vec<_>>().join(" ");
            return Output::new(true).fail(&Failure::usage(line.trim_start_matches("error: ")));
        }
        Err(error) => error.exit(),
    };
    let output = Output::new(args.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Failure::local(format!("cannot start: {error}"))),
    };
    let ended = runtime.block_on(run(args, &output));
    ended.unwrap_or_else(|failure| output.fail(&failure))
}

/// Does the work of a command unless a signal asks to end. What was being written is then
/// given up as after any failure: no object, no file under the final name; only what can
/// be gone on with is kept.
async fn unless_interrupted(
    work: impl Future<Output = Result<ExitCode, Failure>>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut interruptions = Interruptions::listen();
    tokio::select! {
        ended = work => ended,
        code = interruptions.next() => {
            output.interrupted();
            Ok(ExitCode::from(code))
        }
    }
}

/// Signals that ask the process to end, none of which is missed from now on.
struct Interruptions(Vec<(u8, Signal)>);

impl Interruptions {
    fn listen() -> Self {
        let kinds = [
            (2, SignalKind::interrupt()),
            (15, SignalKind::terminate()),
            (1, SignalKind::hangup()),
        ];
        // Of one that cannot be listened for the system's own way of ending the process stays.
        let listened = kinds.map(|(number, kind)| Some((number, signal(kind).ok()?)));
        Self(listened.into_iter().flatten().collect())
    }

    /// Waits for the next; gives the exit code of a process that it ends.
    async fn next(&mut self) -> u8 {
        poll_fn(|cx| {
            let came = self.0.iter_mut().find_map(|(number, signal)| {
                signal.poll_recv(cx).is_ready().then_some(SIGNALLED + *number)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

async fn run(args: Args, output: &Output) -> Result<ExitCode, Failure> {
    let log = Log::start(&args)?;
    let ended = run_command(args, output).await;
    log.shut_down().await;
    ended
}

async fn run_command(args: Args, output: &Output) -> Result<ExitCode, Failure> {
    if let Command::Completions { shell } = args.command {
        output.line(completions::script(shell).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Sign(sign) = args.command {
        return serve::print_link(&sign, output);
    }
    let namespace = args.namespace.as_deref();
    let stats = Stats { wanted: args.stats, beside_content: args.command.prints_content() };
    if let Command::Serve(serve) = args.command {
        let backend = open_backend(&args.kv, namespace, serve.writes(), output).await?;
        return serve::run(backend, serve, stats, output).await;
    }
    let opened = Opened::new();
    let work = async {
        if let Command::Copy(copy) = args.command {
            return copy::run(copy, namespace, &opened, output).await;
        }
        let creates = matches!(args.command, Command::Put(_));
        let store = open(&args.kv, namespace, creates, output).await?;
        let [(_, store)] = &opened.get_or_init(|| vec![(None, store)])[..] else {
            unreachable!("there is one")
        };
        run_on(store, args.command, output).await
    };
    let ended = unless_interrupted(work, output).await;
    for (which, store) in opened.into_inner().unwrap_or_default() {
        stats.report(&store, which, output).await;
        // An interrupted upload writes down how far it has come.
        store.shut_down(SHUT_DOWN).await;
    }
    ended
}

/// The stores that a command has opened; of several, which one each is.
type Opened = OnceCell<Vec<(Option<&'static str>, ChunkStore)>>;

async fn run_on(
    store: &ChunkStore,
    command: Command,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match command {
        Command::Put(put) => put::run(store, put, output).await,
        Command::Get(get) => get::run(store, get, output).await,
        Command::Head { key } => {
            let info = store.head(&key, None).await.map_err(|e| Failure::of(&key, e))?;
            output.object(&info);
            Ok(ExitCode::SUCCESS)
        }
        Command::List(list) => list::run(store, list, output).await,
        Command::Delete(delete) => delete::run(store, delete, output).await,
        Command::Verify(verify) => verify::run(store, verify, output).await,
        Command::Uploads { command } => uploads::run(store, command, output).await,
        Command::Sweep(sweep) => sweep::run(store, &sweep, output).await,
        Command::Copy(_) | Command::Serve(_) | Command::Sign(_) | Command::Completions { .. } => {
            unreachable!("handled above")
        }
    }
}

/// Opens a store; only what is written to is made, so that a mistyped name is noticed.
async fn open(
    url: &str,
    namespace: Option<&str>,
    creates: bool,
    output: &Output,
) -> Result<ChunkStore, Failure> {
    let backend = open_backend(url, namespace, creates, output).await?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let config = Config { instances_max: processors.min(INSTANCES_MAX), ..Config::default() };
    ChunkStore::with_config(backend, &config).map_err(Failure::from)
}

async fn open_backend(
    url: &str,
    namespace: Option<&str>,
    creates: bool,
    output: &Output,
) -> Result<Arc<dyn Backend>, Failure> {
    let opened = if creates { kv::open(url).await } else { kv::open_existing(url).await };
    let backend = opened.map_err(Failure::from)?;
    for warning in backend.warnings() {
        output.warn(&warning);
    }
    match namespace {
        None => Ok(backend),
        Some(name) => Ok(Arc::new(Namespaced::new(backend, name).map_err(Failure::from)?)),
    }
}
