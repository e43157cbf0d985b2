//! One connection, shared by many operations at once, and made again when it is lost.
//!
//! Requests are answered in their order, so a large value holds up what comes behind
//! it: a [`Node`] has one lane for what is small and a few for what is large.
//!
//! Nothing that was sent is ever sent again here: whether a write landed whose
//! answer was lost, only the caller can tell.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, Value};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::errors::Trouble;
use super::scripts::{LATE, SCRIPTS, Script};

/// How long a connection may take to be made, the log-in included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take. Less than the store waits for one operation (30 s), so
/// that the message names the server.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(25);

/// A connection that was idle for longer is tried out before it is used: a server may
/// have closed it, and a write on it would seem to be lost.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// A connection is replaced after so long, so that what it knows of the server's clock
/// stays true to a fraction of a second.
const AGE_MAX: Duration = Duration::from_secs(600);

/// How long a connection that was idle may take to show that it is alive.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections are for large values: as many 4 MiB chunks as the usual
/// budget has under way.
const BULK_LANES: usize = 4;

/// How many threads move what connections carry: more than one processor's worth of bytes
/// comes from no server that is worth asking.
const MOVERS: usize = 2;

/// Where connections read and write: on threads on which nobody digests, and which outlive
/// the runtime of whoever has made a connection.
static MOVING: LazyLock<Result<Runtime, String>> = LazyLock::new(|| {
    let mut threads = Builder::new_multi_thread();
    let threads = threads.worker_threads(MOVERS).thread_name("chunk-store redis").enable_all();
    threads.build().map_err(|error| format!("no threads for connections: {error}"))
});

/// A server and the connections to it.
pub(super) struct Node {
    /// As messages name it.
    pub(super) place: String,
    quick: Lane,
    bulk: [Lane; BULK_LANES],
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Small,
    Large,
}

impl Node {
    pub(super) fn new(place: String, client: &Client) -> Self {
        let lane = || Lane::new(client.clone());
        Self { place, quick: lane(), bulk: std::array::from_fn(|_| lane()) }
    }

    /// The lane for a request, of the large ones the least busy.
    pub(super) fn lane(&self, weight: Weight) -> &Lane {
        match weight {
            Weight::Small => &self.quick,
            Weight::Large => {
                let busy = |lane: &&Lane| lane.busy.load(Ordering::Relaxed);
                self.bulk.iter().min_by_key(busy).expect("there is one")
            }
        }
    }
}

/// One connection, or none yet.
pub(super) struct Lane {
    client: Client,
    state: Mutex<State>,
    busy: AtomicUsize,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    used: Option<Instant>,
    /// When connecting failed last, for those who waited meanwhile.
    failed: Option<(Instant, Trouble)>,
}

/// An established connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    scripts: Vec<String>,
    /// The server's clock at `since`, in milliseconds.
    server_ms: u64,
    since: Instant,
}

impl Link {
    /// The server's clock at `moment`, or up to one round trip less.
    pub(super) fn server_ms(&self, moment: Instant) -> u64 {
        self.server_ms + moment.saturating_duration_since(self.since).as_millis() as u64
    }

    /// A call of a script with so many keys, which come first among the arguments.
    pub(super) fn script(&self, script: Script, keys: usize) -> Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.scripts[script as usize]).arg(keys);
        call
    }

    /// Sends commands in one piece; gives their answers, or the first refusal.
    pub(super) async fn send(&self, commands: &Pipeline) -> Result<Vec<Value>, Trouble> {
        let mut connection = self.connection.clone();
        let count = commands.len();
        // Not Pipeline::query_async, which loses the code of a refusal.
        let answers = connection.req_packed_commands(commands, 0, count).await?;
        for answer in &answers {
            if let Value::ServerError(error) = answer {
                return Err(Trouble::of_server(error));
            }
        }
        Ok(answers)
    }
}

/// Counts a request of a lane for as long as it is under way.
struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    fn new(client: Client) -> Self {
        Self { client, state: Mutex::default(), busy: AtomicUsize::new(0) }
    }

    /// Sends what `commands` makes for the connection; gives the answers.
    pub(super) async fn send(
        &self,
        commands: impl Fn(&Link) -> Pipeline + Send,
    ) -> Result<Vec<Value>, Trouble> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        let _busy = Busy(&self.busy);
        let link = self.link().await?;
        let sent = commands(&link);
        let answers = link.send(&sent).await;
        if is_spent(&answers) {
            self.give_up(&link).await;
        }
        answers
    }

    /// Gives up a connection, if it is still the lane's: the next request makes another.
    async fn give_up(&self, link: &Arc<Link>) {
        let mut state = self.state.lock().await;
        if state.link.as_ref().is_some_and(|current| Arc::ptr_eq(current, link)) {
            state.link = None;
        }
    }

    /// The connection, made if there is none.
    async fn link(&self) -> Result<Arc<Link>, Trouble> {
        let began = Instant::now();
        let mut state = self.state.lock().await;
        let now = Instant::now();
        // Other requests under way show soon enough whether it is alive.
        let idle = self.busy.load(Ordering::Relaxed) <= 1
            && state.used.is_none_or(|used| now.duration_since(used) > IDLE_MAX);
        // Requests that are under way on an old connection keep it to their end.
        if let Some(link) = state.link.clone()
            && link.since.elapsed() < AGE_MAX
        {
            if !idle || link.is_alive().await {
                state.used = Some(Instant::now());
                return Ok(link);
            }
            state.link = None;
        }
        // Whoever waited while somebody else failed need not fail for as long again.
        if let Some((when, why)) = &state.failed
            && *when > began
        {
            return Err(why.clone());
        }
        match connect(self.client.clone()).await {
            Ok(link) => {
                let link = Arc::new(link);
                *state = State { link: Some(link.clone()), used: Some(link.since), failed: None };
                Ok(link)
            }
            Err(why) => {
                state.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }
}

impl Link {
    async fn is_alive(&self) -> bool {
        let mut ping = Pipeline::new();
        ping.cmd("PING");
        matches!(tokio::time::timeout(PING_TIMEOUT, self.send(&ping)).await, Ok(Ok(_)))
    }
}

/// Whether a connection that answered so is of no more use: it is broken, the server
/// has lost the scripts, is no longer one to write to, or its clock was set.
fn is_spent(answers: &Result<Vec<Value>, Trouble>) -> bool {
    match answers {
        Err(Trouble::Lost(_)) => true,
        Err(Trouble::Refused { code, .. }) => code == "NOSCRIPT" || code == "READONLY",
        Ok(answers) => {
            matches!(answers.last(), Some(Value::BulkString(last)) if last == LATE.as_bytes())
        }
    }
}

/// Makes a connection that is served by [`MOVING`].
async fn connect(client: Client) -> Result<Link, Trouble> {
    on_movers(set_up(client)).await.map_err(Trouble::Lost)?
}

/// Does work on the threads that move what connections carry; it ends with who waits for it.
/// An error where it cannot be done there.
pub(super) async fn on_movers<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    let moving = MOVING.as_ref().map_err(String::clone)?;
    let mut tasks = JoinSet::new();
    tasks.spawn_on(work, moving.handle());
    let done = tasks.join_next().await.expect("there is one");
    done.map_err(|stopped| stopped.to_string())
}

/// Connects, reads the server's clock and leaves the scripts with it.
async fn set_up(client: Client) -> Result<Link, Trouble> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    let mut setup = Pipeline::new();
    setup.cmd("TIME");
    for script in SCRIPTS {
        setup.cmd("SCRIPT").arg("LOAD").arg(script.source());
    }
    let connecting = async {
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut link =
            Link { connection, scripts: Vec::new(), server_ms: 0, since: Instant::now() };
        let mut answers = link.send(&setup).await?.into_iter();
        link.since = Instant::now();
        link.server_ms = answers.next().as_ref().and_then(milliseconds).ok_or_else(Trouble::odd)?;
        link.scripts = answers.map(text).collect::<Option<_>>().ok_or_else(Trouble::odd)?;
        Ok(link)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => connected,
        Err(_) => {
            let seconds = CONNECT_TIMEOUT.as_secs();
            Err(Trouble::Lost(format!("no connection within {seconds} s")))
        }
    }
}

/// A string in an answer.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What `TIME` answers, seconds and microseconds, as milliseconds.
fn milliseconds(time: &Value) -> Option<u64> {
    let Value::Array(parts) = time else { return None };
    let number = |at: usize| text(parts.get(at)?.clone())?.parse::<u64>().ok();
    Some(number(0)? * 1000 + number(1)? / 1000)
}
