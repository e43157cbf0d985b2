//! The Worker of the tests in workerd (`adapters/cloudflare/test`), and its namespaces as
//! backends.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{
    Condition, Entry, KeyPage, KvError, KvLimits, ListedKey, Outcome, SetOptions,
};
use chunk_store::range::Span;
use chunk_store_components::worker;
use chunk_store_host::kv::Backend;
use serde_json::{Value, json};

use crate::http::{Answer, Client, Protocol};

/// The token of the Worker.
pub const TOKEN: &str = "token-of-the-worker-in-the-tests";

/// How many namespaces there are beside the one that the Worker serves from, which is called
/// `KV`: `KV0`, `KV1`, ...
pub const NAMESPACES: usize = 64;

/// workerd with the Worker. It ends with this process.
pub struct Workerd {
    url: String,
    heap: String,
    _process: Mutex<Child>,
    /// It runs until this is closed.
    _input: ChildStdin,
}

impl Workerd {
    /// Builds the Worker and starts it on an empty store.
    pub fn start() -> Self {
        static BUILT: Mutex<bool> = Mutex::new(false);
        let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !*built {
            worker::build().unwrap_or_else(|why| panic!("{why}"));
            *built = true;
        }
        let mut process = Command::new(worker::node())
            .args(["test/serve.mjs", TOKEN, &NAMESPACES.to_string()])
            .current_dir(worker::directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is among what npm has installed");
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it says where it listens");
        let told: Value = serde_json::from_str(&line).expect("workerd starts, and says where");
        // What the Worker logs goes to the test's output.
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|l| eprintln!("{l}"))
        });
        let text = |name: &str| told[name].as_str().expect("a URL").to_string();
        let input = process.stdin.take().expect("piped");
        Self { url: text("url"), heap: text("heap"), _process: Mutex::new(process), _input: input }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// A client of it that has the token.
    pub fn client(&self) -> Client {
        Client::new(&self.url, Protocol::Http1, Some(TOKEN))
    }

    /// Begins anew with these faults of the namespace that it serves from; see
    /// `adapters/cloudflare/test/faulty.ts`.
    pub async fn fail(&self, faults: Value) {
        let body = faults.to_string();
        self.client().send("POST /_test/faults", &[], body.as_bytes()).await.is(204);
    }

    /// How many operations of each kind there were since the last time.
    pub async fn take_operations(&self) -> Value {
        self.client().send("GET /_test/operations", &[], b"").await.is(200).json()
    }

    /// The events, the lines of the log and the data points since the last time.
    pub async fn take_told(&self) -> Value {
        self.client().send("GET /_test/told", &[], b"").await.is(200).json()
    }

    /// Sets variables of the Worker, in place of those that were set before.
    pub async fn set(&self, settings: &Value) {
        let body = settings.to_string();
        self.client().send("POST /_test/settings", &[], body.as_bytes()).await.is(204);
    }

    /// The memory of each guest that was started since the last time, in bytes.
    pub async fn take_guest_memory(&self) -> Vec<u64> {
        let told = self.client().send("GET /_test/memory", &[], b"").await.is(200).json();
        let bytes = told["guestBytes"].as_array().expect("an array");
        bytes.iter().map(|bytes| bytes.as_u64().expect("a number")).collect()
    }

    /// What V8 uses for the Worker, in bytes: its heap, and buffers beside it.
    pub async fn heap(&self) -> (u64, u64) {
        let told = Client::new(&self.heap, Protocol::Http1, None);
        let told = told.send("GET /", &[], b"").await.is(200).json();
        let number = |name: &str| told[name].as_f64().expect("a number") as u64;
        (number("usedSize"), number("backingStorageSize"))
    }

    /// Runs what Cron starts.
    pub async fn run_scheduled(&self) {
        self.client().send("POST /_test/scheduled", &[], b"").await.is(204);
    }

    /// One of its namespaces, by what it is bound as.
    pub async fn namespace(self: &Arc<Self>, binding: &str) -> Namespace {
        let client = self.client();
        let binding = binding.to_string();
        let limits =
            called(&client, json!({ "binding": binding, "name": "get-limits" }), b"").await;
        let limits = limits_of(&limits.is(200).json());
        Namespace { _workerd: self.clone(), client, binding, limits }
    }
}

/// A namespace, through `src/kv.ts`.
pub struct Namespace {
    _workerd: Arc<Workerd>,
    client: Client,
    binding: String,
    limits: KvLimits,
}

impl Namespace {
    /// Calls a function of `kv`: its arguments are JSON, a value is the body.
    async fn call(&self, name: &str, mut arguments: Value, body: &[u8]) -> Result<Answer, KvError> {
        arguments["binding"] = self.binding.clone().into();
        arguments["name"] = name.into();
        let answer = called(&self.client, arguments, body).await;
        if answer.status != 409 {
            return Ok(answer);
        }
        let error = answer.json();
        let text = || error["val"].as_str().expect("a text").to_string();
        Err(match error["tag"].as_str().expect("an error of kv") {
            "unavailable" => KvError::Unavailable(text()),
            "throttled" => KvError::Throttled(error["val"].as_u64().expect("a number")),
            "rejected" => KvError::Rejected(text()),
            other => panic!("an error {other}"),
        })
    }
}

async fn called(client: &Client, call: Value, body: &[u8]) -> Answer {
    let mut query = String::new();
    for byte in call.to_string().bytes() {
        query.push_str(&format!("%{byte:02x}"));
    }
    client.send(&format!("POST /_test/kv?call={query}"), &[], body).await
}

fn limits_of(told: &Value) -> KvLimits {
    let number = |name: &str| told[name].as_u64().expect(name);
    let small = |name: &str| u32::try_from(number(name)).expect(name);
    let flag = |name: &str| told[name].as_bool().expect(name);
    KvLimits {
        value_bytes_max: number("valueBytesMax"),
        key_bytes_max: small("keyBytesMax"),
        summary_bytes_max: small("summaryBytesMax"),
        ttl_seconds_min: told["ttlSecondsMin"].as_u64().map(|seconds| seconds as u32),
        staleness_ms: small("stalenessMs"),
        write_lag_ms_max: small("writeLagMsMax"),
        rewrite_interval_ms: small("rewriteIntervalMs"),
        operations_max: told["operationsMax"].as_u64().map(|count| count as u32),
        concurrency_max: small("concurrencyMax"),
        memory_bytes_max: number("memoryBytesMax"),
        ranged_get: flag("rangedGet"),
        conditional_write: flag("conditionalWrite"),
    }
}

fn told(condition: Option<Condition>) -> Value {
    match condition {
        None => Value::Null,
        Some(Condition::Absent) => json!({ "tag": "absent" }),
        Some(Condition::VersionIs(version)) => json!({ "tag": "version-is", "val": version }),
    }
}

/// Leaves out what is null: in JavaScript that is a value.
fn without_nulls(mut arguments: Value) -> Value {
    arguments.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    arguments
}

#[async_trait]
impl Backend for Namespace {
    fn limits(&self) -> KvLimits {
        self.limits.clone()
    }

    async fn get(&self, key: &str, _part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let answer = self.call("get", json!({ "key": key }), b"").await?;
        let found = (answer.status != 404).then(|| answer.is(200).bytes);
        Ok(found.map(|bytes| Entry { value: bytes.into(), version: None }))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        let SetOptions { ttl_seconds, condition, summary, durable: _ } = options;
        let summary = summary.map(|summary| summary.to_vec());
        let condition = told(condition);
        let arguments = json!({
            "key": key, "ttlSeconds": ttl_seconds, "condition": condition, "summary": summary,
        });
        self.call("set", without_nulls(arguments), &value).await?.is(200);
        Ok(Outcome::Done)
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        let arguments = without_nulls(json!({ "key": key, "condition": told(condition) }));
        self.call("delete", arguments, b"").await?.is(200);
        Ok(Outcome::Done)
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let arguments = json!({ "prefix": prefix, "cursor": cursor, "limit": limit });
        let page = self.call("list-keys", without_nulls(arguments), b"").await?.is(200).json();
        let keys = page["keys"].as_array().expect("an array").iter().map(|listed| ListedKey {
            key: listed["key"].as_str().expect("a key").to_string(),
            summary: listed["summary"].as_array().map(|bytes| {
                bytes.iter().map(|byte| byte.as_u64().expect("a byte") as u8).collect()
            }),
        });
        let cursor = page["cursor"].as_str().map(str::to_string);
        Ok(KeyPage { keys: keys.collect(), cursor })
    }
}
