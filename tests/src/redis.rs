//! Redis servers of a test's own: on free loopback ports, with all that they store in
//! a temporary directory, ended with the test.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server answers within this, or the machine is broken.
const START: Duration = Duration::from_secs(60);

/// What a server is started with, besides its place.
#[derive(Debug, Clone)]
pub struct Settings {
    lines: Vec<String>,
    password: Option<String>,
    tls: bool,
}

impl Default for Settings {
    /// Every acknowledged write is on disk.
    fn default() -> Self {
        Self { lines: Vec::new(), password: None, tls: false }
            .with("appendonly yes")
            .with("appendfsync always")
    }
}

impl Settings {
    /// Nothing is on disk, and acknowledged writes are lost with the server: quicker.
    pub fn forgetful() -> Self {
        Self::default().with("appendonly no")
    }

    /// One more line of `redis.conf`; the last of a name counts.
    pub fn with(mut self, line: &str) -> Self {
        self.lines.push(line.to_string());
        self
    }

    /// Clients need this password.
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = Some(password.to_string());
        self.with(&format!("requirepass {password}"))
    }

    /// The port speaks TLS, by a certificate for `localhost` and 127.0.0.1 that lies in
    /// [`Server::certificate`].
    pub fn with_tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

/// A server. It is killed, and what it stored removed, when this is dropped.
pub struct Server {
    directory: TempDir,
    settings: Settings,
    port: u16,
    process: Mutex<Option<Child>>,
}

impl Server {
    /// A server with the default settings.
    pub fn start() -> Self {
        Self::with(Settings::default())
    }

    /// A server with these settings. Panics if there is no `redis-server`:
    /// `cargo xtask test` installs it.
    pub fn with(settings: Settings) -> Self {
        // Somebody else may take a port that was free: then the next one.
        for _ in 0..20 {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let server = Self {
                directory,
                settings: settings.clone(),
                port: free_port(),
                process: Mutex::default(),
            };
            if server.settings.tls {
                make_certificate(server.directory.path());
            }
            if server.try_start() {
                return server;
            }
        }
        panic!("redis-server does not start on any port");
    }

    /// Its process. Panics if it is not running.
    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap().as_ref().expect("it is running").id()
    }

    /// Its port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL, `redis://` or `rediss://`, with the password.
    pub fn url(&self) -> String {
        let scheme = if self.settings.tls { "rediss" } else { "redis" };
        let password = self.settings.password.as_ref().map(|password| format!(":{password}@"));
        format!("{scheme}://{}{}", password.unwrap_or_default(), self.address())
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// The certificate, which is its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// Kills it, as a crash would. What is not on disk is lost.
    pub fn kill(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            // A stopped process dies of this too.
            child.kill().expect("our own child");
            child.wait().expect("our own child");
        }
    }

    /// Starts it again after [`Server::kill`], on the same port and directory.
    pub fn restart(&self) {
        assert!(self.process.lock().unwrap().is_none(), "it is running");
        let began = Instant::now();
        // The port may be another program's for a moment.
        while !self.try_start() {
            assert!(began.elapsed() < START, "redis-server does not start again");
        }
    }

    /// Stops it in its tracks: connections stay open, nothing answers.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`Server::pause`].
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.lock().unwrap();
        crate::signal(process.as_ref().expect("it is running"), signal);
    }

    /// What `redis-cli` prints for a command.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.cli_command().args(arguments).output().expect("redis-cli runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "redis-cli {arguments:?}: {text}");
        text
    }

    fn cli_command(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.socket());
        if let Some(password) = &self.settings.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        command
    }

    /// Every command that the server gets from now on.
    pub fn monitor(&self) -> Monitor<'_> {
        let mut command = self.cli_command();
        let mut child =
            command.arg("MONITOR").stdout(Stdio::piped()).spawn().expect("redis-cli runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("its answer");
        assert_eq!(first.trim(), "OK", "MONITOR is on");
        Monitor { server: self, child, lines }
    }

    /// Starts the process; whether it answers. `false` if the port is taken.
    fn try_start(&self) -> bool {
        let config = self.directory.path().join("redis.conf");
        std::fs::write(&config, self.config()).expect("a file of settings");
        let mut child = Command::new("redis-server")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot run redis-server ({error}); `cargo xtask test` installs it")
            });
        let began = Instant::now();
        loop {
            if self.answers() {
                *self.process.lock().unwrap() = Some(child);
                return true;
            }
            if child.try_wait().expect("our own child").is_some() {
                return false;
            }
            assert!(began.elapsed() < START, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn config(&self) -> String {
        let path = self.directory.path().display();
        let mut config =
            format!("bind 127.0.0.1\nsave \"\"\ndir {path}\nunixsocket {path}/redis.sock\n");
        let port = if self.settings.tls { "tls-port" } else { "port" };
        writeln!(config, "{port} {}", self.port).unwrap();
        if self.settings.tls {
            config.push_str("port 0\ntls-auth-clients no\n");
            writeln!(config, "tls-cert-file {path}/cert.pem\ntls-key-file {path}/key.pem").unwrap();
        }
        for line in &self.settings.lines {
            writeln!(config, "{line}").unwrap();
        }
        config
    }

    /// Whether it serves: not before it has read back what it stored.
    fn answers(&self) -> bool {
        let socket = UnixStream::connect(self.socket());
        let Ok(mut socket) = socket else { return false };
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("not zero");
        let mut answer = [0; 7];
        let asked = socket.write_all(b"PING\r\n").and_then(|()| socket.read_exact(&mut answer));
        // With a password it refuses, and serves all the same.
        asked.is_ok()
            && (answer == *b"+PONG\r\n" || answer.starts_with(b"-NOAUTH"))
            && TcpStream::connect(self.address()).is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on at this moment. Below 32768, where clients get theirs,
/// and such that a cluster's bus, 10000 above, has a port too.
fn free_port() -> u16 {
    loop {
        let port = 20_000 + (crate::random::seed() % 10_000) as u16;
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 10_000) {
            return port;
        }
    }
}

fn make_certificate(directory: &Path) {
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        // rustls takes no authority's certificate for a server's.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(directory.join("key.pem"))
        .arg("-out")
        .arg(directory.join("cert.pem"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let made = status.expect("openssl runs; `cargo xtask test` installs it").success();
    assert!(made, "openssl makes a certificate");
}

/// A `redis-cli MONITOR`.
pub struct Monitor<'a> {
    server: &'a Server,
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Monitor<'_> {
    /// The commands so far, a line each.
    pub fn stop(mut self) -> Vec<String> {
        // Seen in the output, it is known that all before it were.
        let end = format!("end-{:x}", crate::random::seed());
        self.server.cli(&["ECHO", &end]);
        let mut commands = Vec::new();
        loop {
            let mut line = String::new();
            let length = self.lines.read_line(&mut line).expect("text");
            assert!(length > 0, "MONITOR ended early");
            if line.contains(&end) {
                break;
            }
            commands.push(line);
        }
        commands
    }
}

impl Drop for Monitor<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three servers that share the slots of a cluster.
pub struct Cluster {
    servers: Vec<Server>,
}

impl Cluster {
    /// Starts them, and waits until each says that the cluster serves.
    pub fn start() -> Self {
        let settings =
            || Settings::default().with("cluster-enabled yes").with("cluster-node-timeout 5000");
        let servers: Vec<Server> = (0..3).map(|_| Server::with(settings())).collect();
        let bounds = [0, 5461, 10_923, 16_384];
        for (server, slots) in servers.iter().zip(bounds.windows(2)) {
            let (first, last) = (slots[0].to_string(), (slots[1] - 1).to_string());
            server.cli(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        for other in &servers[1..] {
            servers[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string()]);
        }
        let began = Instant::now();
        let serves = |server: &Server| {
            let info = server.cli(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        };
        while !servers.iter().all(serves) {
            assert!(began.elapsed() < START, "the cluster does not form");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { servers }
    }

    /// Its nodes.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// `HOST:PORT,HOST:PORT,HOST:PORT`.
    pub fn addresses(&self) -> String {
        self.servers.iter().map(Server::address).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_survives_a_kill() {
        let server = Server::start();
        server.cli(&["SET", "a", "1"]);
        server.kill();
        server.restart();
        assert_eq!(server.cli(&["GET", "a"]).trim(), "1");
        server.pause();
        server.resume();
        let monitor = server.monitor();
        server.cli(&["GET", "b"]);
        let seen = monitor.stop();
        assert!(seen.iter().any(|line| line.contains("\"GET\" \"b\"")), "{seen:?}");
    }

    #[test]
    fn a_server_has_a_password_and_tls_if_asked() {
        let server = Server::with(Settings::forgetful().with_password("secret").with_tls());
        assert_eq!(server.cli(&["PING"]).trim(), "PONG");
        assert!(server.url().starts_with("rediss://:secret@127.0.0.1:"));
        assert!(server.certificate().is_file());
    }

    #[test]
    fn a_cluster_serves_every_slot() {
        let cluster = Cluster::start();
        assert_eq!(cluster.servers().len(), 3);
        assert_eq!(cluster.addresses().split(',').count(), 3);
        for server in cluster.servers() {
            assert!(server.cli(&["CLUSTER", "INFO"]).contains("cluster_slots_ok:16384"));
        }
    }
}
