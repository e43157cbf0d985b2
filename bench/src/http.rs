//! How fast `chunk-store serve` is: beside the command line on the same kv for large
//! objects, beside nginx for small ones.
//!
//! Client and server share the machine's processors, as they do for the peers.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chunk_store_tests::program;
use chunk_store_tests::serving::Server;

use crate::nginx::Nginx;
use crate::table::{self, Row};

/// Put and get over HTTP reach at least this share of the command line's rate.
const SHARE_MIN: f64 = 0.6;

/// What small requests ask for.
const SMALL_BYTES: usize = 1024;

/// How many connections ask at once, and for how long in each round.
const CONNECTIONS: u32 = 16;
const ASKING: Duration = Duration::from_secs(4);

/// A file of `size` bytes, put and got by the command line and by curl; and small objects.
pub struct Bench<'a> {
    source: &'a Path,
    size: u64,
    digest: blake3::Hash,
    directory: &'a Path,
    /// Of cargo's, for the program and its cache of compiled code.
    tmp: PathBuf,
    rows: [Row; 4],
    small: [Vec<f64>; 2],
}

impl<'a> Bench<'a> {
    /// `source` holds `size` bytes with this digest; files go into `directory`, programs
    /// into `target`.
    pub fn new(
        source: &'a Path,
        size: u64,
        digest: blake3::Hash,
        directory: &'a Path,
        target: &Path,
    ) -> Self {
        let names = ["HTTP put", "CLI put", "HTTP get", "CLI get"];
        let rows = names.map(Row::new);
        let tmp = target.join("tmp");
        Self { source, size, digest, directory, tmp, rows, small: [Vec::new(), Vec::new()] }
    }

    /// Measures everything once, in an order that changes with the round.
    pub fn round(&mut self, round: u32) -> Result<(), Box<dyn Error + Send + Sync>> {
        for turn in 0..2 {
            match (round + turn) % 2 {
                0 => self.over_http()?,
                _ => self.command_line()?,
            }
        }
        self.small_requests()
    }

    /// Makes the memory for a put and a get the page cache's. In a virtual machine, what was
    /// free for some seconds has been given back, and whoever writes next would pay for that.
    fn warm_up(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let files = ["first", "second"].map(|name| self.directory.join(name));
        for file in &files {
            fs::copy(self.source, file)?;
        }
        files.iter().try_for_each(fs::remove_file)?;
        Ok(())
    }

    fn over_http(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let server = Server::start(&self.tmp, &["--quiet"]);
        let url = format!("{}/object", server.url());
        self.warm_up()?;
        let source = self.source.to_str().ok_or("a path in UTF-8")?;
        let put = timed(curl().args(["-T", source, &url]))?;
        let copy = self.directory.join("copy");
        let get = timed(curl().arg("-o").arg(&copy).arg(&url))?;
        self.check(&copy)?;
        self.rows[0].push(put);
        self.rows[2].push(get);
        Ok(())
    }

    fn command_line(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let store = tempfile::tempdir_in(&self.tmp)?;
        let command = || {
            let mut command = program::command(&self.tmp);
            command.args(["--kv", "file:store?sync=none", "--json"]).current_dir(store.path());
            command
        };
        self.warm_up()?;
        let put = timed(command().arg("put").arg(self.source).arg("object"))?;
        let copy = self.directory.join("copy");
        let get = timed(command().args(["get", "object", "-o"]).arg(&copy))?;
        self.check(&copy)?;
        self.rows[1].push(put);
        self.rows[3].push(get);
        Ok(())
    }

    fn check(&self, copy: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(copy)?)?;
        fs::remove_file(copy)?;
        match hasher.finalize() == self.digest {
            true => Ok(()),
            false => Err("what came back is not what was stored".into()),
        }
    }

    fn small_requests(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let file = self.directory.join("www").join("small");
        fs::create_dir_all(file.parent().ok_or("no directory")?)?;
        fs::write(&file, vec![b'x'; SMALL_BYTES])?;
        let server = Server::start(&self.tmp, &["--quiet"]);
        let url = format!("{}/small", server.url());
        timed(curl().arg("-T").arg(&file).arg(&url))?;
        self.small[0].push(requests_per_second(&url)?);
        drop(server);
        let nginx = Nginx::start(self.directory)?;
        self.small[1].push(requests_per_second(&format!("{}/small", nginx.url()))?);
        Ok(())
    }

    /// Prints the tables; gives whether the bars hold.
    pub fn report(&self) -> bool {
        println!();
        table::print_head("of CLI");
        let [http_put, cli_put, http_get, cli_get] = &self.rows;
        for (row, beside) in
            [(http_put, cli_put), (cli_put, cli_put), (http_get, cli_get), (cli_get, cli_get)]
        {
            row.print(self.size, beside.rate(self.size));
        }
        println!();
        let [store, nginx] = [&self.small[0], &self.small[1]].map(|rates| table::median(rates));
        println!("GETs of {SMALL_BYTES} bytes, {CONNECTIONS} connections:");
        println!("chunk-store serve  {store:>8.0} a second");
        println!("nginx, from disk   {nginx:>8.0} a second\n");
        let mut holds = true;
        for (name, over_http, beside) in [("put", http_put, cli_put), ("get", http_get, cli_get)] {
            let share = over_http.rate(self.size) / beside.rate(self.size);
            let verdict = if share >= SHARE_MIN { "holds" } else { "FAILS" };
            println!("HTTP {name} / CLI {name} = {share:.3}, at least {SHARE_MIN}: {verdict}");
            holds &= share >= SHARE_MIN;
        }
        holds
    }
}

/// curl, quiet, which fails where the server says no.
fn curl() -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail"]);
    command
}

fn timed(command: &mut Command) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let took = begun.elapsed();
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(took)
}

fn requests_per_second(url: &str) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let (connections, seconds) = (CONNECTIONS.to_string(), format!("{}s", ASKING.as_secs()));
    let output =
        Command::new("wrk").args(["-t1", "-c", &connections, "-d", &seconds, url]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("some requests failed:\n{text}").into());
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.ok_or_else(|| format!("wrk says:\n{text}"))?.trim().parse()?)
}
