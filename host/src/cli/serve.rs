//! `serve`: HTTP in front of the store. `sign`: a link that a server accepts.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chunk_store_host::kv::Backend;
use chunk_store_host::serve::{BindError, Options, Server, limits};
use chunk_store_http::{Token, parse_flag, sign};
use serde_json::json;
use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;

use super::Interruptions;
use super::args::{parse_bytes, parse_seconds};
use super::failure::Failure;
use super::output::Output;
use super::stats::Stats;

/// How the server and its callers know each other.
#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    /// What callers have to give as `Authorization: Bearer TOKEN`, 16 to 512 characters.
    /// Others on this machine can see arguments of commands: --token-file hides it
    #[arg(long, env = "CHUNK_STORE_HTTP_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the token, in its first line
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    fn read(&self) -> Result<Option<String>, Failure> {
        let Some(file) = &self.token_file else { return Ok(self.token.clone()) };
        read_token(file).map(Some)
    }
}

fn read_token(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::local(format!("cannot read {}: {error}", file.display())))?;
    match text.lines().next().map(str::trim) {
        Some(token) if !token.is_empty() => Ok(token.to_string()),
        _ => Err(Failure::usage(format!("the first line of {} holds no token", file.display()))),
    }
}

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a token everything is open, and only this machine can reach the server. With one, \
writes and all under /_/ need it, and reads too, unless --public-read or by a signed link.

Examples:
  chunk-store serve                                          then open http://127.0.0.1:8080/_/ui
  curl -T film.mp4 http://127.0.0.1:8080/films/film.mp4      store
  curl -r 0-1023 http://127.0.0.1:8080/films/film.mp4        read a part
  chunk-store serve --listen 0.0.0.0:8080 --token-file /etc/chunk-store.token --sweep-every 1h
  chunk-store sign films/film.mp4 --token-file /etc/chunk-store.token --base https://example.org")]
pub struct Serve {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    listen: SocketAddr,
    #[command(flatten)]
    token: TokenArgs,
    /// Objects can be read without the token
    #[arg(long, env = "CHUNK_STORE_HTTP_PUBLIC_READ", value_parser = parse_flag)]
    public_read: bool,
    /// Take no writes
    #[arg(long, env = "CHUNK_STORE_HTTP_READ_ONLY", value_parser = parse_flag)]
    read_only: bool,
    /// Pages of this origin may read answers, like https://example.org, or * for all; may
    /// be repeated
    #[arg(long, value_name = "ORIGIN", env = "CHUNK_STORE_HTTP_CORS", value_delimiter = ',')]
    cors: Vec<String>,
    /// Give back the space of what no object needs every so often, like 1h [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_every)]
    sweep_every: Option<u32>,
    /// Instances of the component, each with a thread and memory of its own [default: one
    /// for each processor, 8 at most]
    #[arg(long, value_name = "N")]
    instances: Option<usize>,
    /// Memory for chunks, of all requests together: 16MiB to 1GiB for each instance
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_memory)]
    memory: u64,
    /// Most connections at once
    #[arg(long, value_name = "N", default_value_t = limits::CONNECTIONS_MAX_DEFAULT)]
    connections_max: usize,
    /// Most requests at once; more wait
    #[arg(long, value_name = "N", default_value_t = limits::REQUESTS_MAX_DEFAULT)]
    requests_max: usize,
    /// How long requests under way may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_grace)]
    grace: u32,
    /// Log no requests, only what goes wrong
    #[arg(long)]
    quiet: bool,
}

/// A name is looked up, once; of several addresses the first is taken.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let advice = "give a host and a port, like 127.0.0.1:8080 or localhost:8080";
    let found = text.to_socket_addrs().map_err(|error| format!("{error}; {advice}"))?;
    found.into_iter().next().ok_or_else(|| advice.to_string())
}

fn parse_every(text: &str) -> Result<u32, String> {
    match parse_seconds(text, "10min or 1h", "give less")? {
        0 => Err("that is all the time; give more".to_string()),
        seconds => Ok(seconds),
    }
}

fn parse_memory(text: &str) -> Result<u64, String> {
    parse_bytes(text, "128MiB")
}

fn parse_grace(text: &str) -> Result<u32, String> {
    parse_seconds(text, "0s or 30s", "give less")
}

impl Serve {
    /// Whether objects can be stored, so that the store may have to be made.
    pub fn writes(&self) -> bool {
        !self.read_only
    }

    /// What is logged of it besides operations.
    pub fn log_level(&self) -> LevelFilter {
        if self.quiet { LevelFilter::WARN } else { LevelFilter::INFO }
    }

    fn options(self) -> Result<Options, Failure> {
        if self.read_only && self.sweep_every.is_some() {
            let why = "a server that takes no writes does not sweep: leave out --sweep-every or \
                       --read-only (also CHUNK_STORE_HTTP_READ_ONLY)";
            return Err(Failure::usage(why));
        }
        let defaults = Options::default();
        Ok(Options {
            listen: self.listen,
            token: self.token.read()?,
            public_read: self.public_read,
            read_only: self.read_only,
            cors: self.cors,
            instances: self.instances.unwrap_or(defaults.instances),
            memory_bytes: self.memory,
            connections_max: self.connections_max,
            requests_max: self.requests_max,
            grace: Duration::from_secs(self.grace.into()),
            sweep_every: self.sweep_every.map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}

/// Serves until a signal asks to stop; another one ends it at once.
pub async fn run(
    backend: Arc<dyn Backend>,
    serve: Serve,
    stats: Stats,
    output: &Output,
) -> Result<ExitCode, Failure> {
    allow_connections();
    let options = serve.options()?;
    let open = options.token.is_none();
    let server = Server::bind(backend, options).await.map_err(Failure::from)?;
    // Before anybody is told that there is something to stop.
    let mut interruptions = Interruptions::listen();
    let url = format!("http://{}", server.local_addr());
    match output.json {
        true => output.json(&json!({ "listening": url })),
        false => output.line(&format!("listening on {url} (a page to look around: {url}/_/ui)")),
    }
    if open {
        output.tell("there is no token: whoever can use this machine can read and write");
    }
    let (stop, stopped) = oneshot::channel();
    let impatient = async {
        interruptions.next().await;
        // A server that has ended does not want to know.
        let _ = stop.send(());
        interruptions.next().await
    };
    let stop = async {
        let _ = stopped.await;
    };
    let metrics = server.metrics();
    let code = tokio::select! {
        () = server.run(stop) => ExitCode::SUCCESS,
        code = impatient => ExitCode::from(code),
    };
    if stats.wanted {
        let counted = metrics.read().await.map_err(Failure::from)?;
        stats.print(&counted, None, output);
    }
    Ok(code)
}

/// Each connection takes a file descriptor, and the usual limit is 1024. One that cannot be
/// raised leaves clients waiting to be accepted.
fn allow_connections() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(target: "chunk_store", "the limit on open files stays as it is: {error}");
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Component(error) => error.into(),
            BindError::Address(..) => Self::local(error.to_string()),
            BindError::Unprotected(_) | BindError::Settings(_) => Self::usage(error.to_string()),
        }
    }
}

/// Arguments of `sign`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Whoever has the link can read this object until it expires, and do nothing else. It works with a \
server that has the same token; with another token it stops to.

Examples:
  chunk-store sign films/film.mp4 --token-file /etc/chunk-store.token
  chunk-store sign films/film.mp4 --expires-in 7days --base https://example.org")]
pub struct Sign {
    /// The object
    key: String,
    #[command(flatten)]
    token: TokenArgs,
    /// How long the link works, like 1h or 7days
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_every)]
    expires_in: u32,
    /// Where the server is reached, like https://example.org
    #[arg(long, value_name = "URL", default_value = "")]
    base: String,
}

/// Prints a link. The store is not looked at.
pub fn print_link(args: &Sign, output: &Output) -> Result<ExitCode, Failure> {
    let token = args.token.read()?.ok_or_else(|| {
        Failure::usage("a link is signed with the server's token: give --token-file or --token")
    })?;
    Token::new(&token).map_err(Failure::usage)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let expires = now + u64::from(args.expires_in);
    let link = format!("{}{}", args.base.trim_end_matches('/'), sign(&token, &args.key, expires));
    match output.json {
        true => output.json(&json!({ "link": link, "expires": expires })),
        false => output.line(&link),
    }
    Ok(ExitCode::SUCCESS)
}
