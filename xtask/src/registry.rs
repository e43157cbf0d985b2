//! What a registry of components would get: published to one on this machine, and fetched back.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::build;
use crate::prepare;
use crate::step::{Step, root, target};

/// The client that the guide is written for.
const WKG: &str = "0.16.1";

/// A registry answers within this, or the machine is broken.
const START: Duration = Duration::from_secs(30);

/// The version of all that is published: the workspace's.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Publishes the WIT package and all components, and compares what comes back.
pub fn run() -> Result {
    build::run()?;
    prepare::run_for_registry()?;
    let client = Client::install()?;
    let directory = target().join("registry");
    let failed = |error| format!("{}: {error}", directory.display());
    // What is left of the last run would answer in place of this one.
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(failed)?;
    }
    fs::create_dir_all(&directory).map_err(failed)?;

    let registry = Registry::start(&directory)?;
    let client = client.with(&registry, &directory)?;
    let interfaces = directory.join("chunk-store.wasm");
    Step::new("the WIT package", &client.program)
        .args(["build", "--output"])
        .args([&interfaces])
        .args(["--cache"])
        .args([&client.cache])
        .run()?;
    client.publish(&interfaces)?;
    client.compare(&interfaces, &format!("streaming:chunk-store@{VERSION}"))?;
    for component in components()? {
        let name = component.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        client.push(&component, &name)?;
        client.compare(&component, &format!("chunk-store:{name}@{VERSION}"))?;
    }
    Ok(())
}

/// The components that were built.
fn components() -> Result<Vec<PathBuf>> {
    let directory = target().join("components");
    let failed = |error| format!("{}: {error}", directory.display());
    let entries = fs::read_dir(&directory).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<std::io::Result<_>>().map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    match paths.is_empty() {
        true => Err(format!("{}: no components", directory.display())),
        false => Ok(paths),
    }
}

/// The client, before it knows of a registry.
struct Client {
    program: PathBuf,
}

impl Client {
    /// Compiles it, unless it is there; the first time takes minutes.
    fn install() -> Result<Self> {
        let tools = target().join("tools");
        Step::cargo("wkg", "install wkg --locked --debug --no-default-features --version")
            .args([WKG, "--root"])
            .args([&tools])
            .run()?;
        Ok(Self { program: tools.join("bin/wkg") })
    }

    /// One that publishes to this registry and gets from it.
    fn with(self, registry: &Registry, directory: &Path) -> Result<Configured> {
        let address = registry.address;
        let namespace = |name: &str| {
            format!(
                "{name} = {{ registry = \"{address}\", metadata = {{ preferredProtocol = \"oci\", oci = {{ registry = \"{address}\" }} }} }}\n"
            )
        };
        let config = format!(
            "[namespace_registries]\n{}{}\n[registry.\"{address}\".oci]\nprotocol = \"http\"\n",
            namespace("streaming"),
            namespace("chunk-store"),
        );
        let path = directory.join("wkg.toml");
        fs::write(&path, config).map_err(|error| format!("{}: {error}", path.display()))?;
        let (cache, got) = (directory.join("cache"), directory.join("got"));
        Ok(Configured { program: self.program, config: path, address, cache, got })
    }
}

/// The client, with a registry.
struct Configured {
    program: PathBuf,
    config: PathBuf,
    address: SocketAddr,
    cache: PathBuf,
    /// Where to what is fetched goes.
    got: PathBuf,
}

impl Configured {
    fn step(&self, name: &'static str, command: &str) -> Step {
        Step::new(name, &self.program)
            .args([command, "--config"])
            .args([&self.config])
            .args(["--cache"])
            .args([&self.cache])
    }

    /// Publishes a WIT package, which says its name itself.
    fn publish(&self, file: &Path) -> Result {
        self.step("publish", "publish").args([file]).run()
    }

    /// Publishes a component as an image, from where it is got by its name, too: `wkg publish`
    /// refuses components, which are in no WIT package that has a version.
    fn push(&self, file: &Path, name: &str) -> Result {
        let address = self.address;
        Step::new("push", &self.program)
            .args(["oci", "push", "--insecure", &address.to_string()])
            .args([format!("{address}/chunk-store/{name}:{VERSION}")])
            .args([file])
            .run()
    }

    /// Gets it, and compares it with the file that was published.
    fn compare(&self, published: &Path, name: &str) -> Result {
        fs::create_dir_all(&self.got).map_err(|e| format!("{}: {e}", self.got.display()))?;
        let file = published.file_name().unwrap_or_default();
        let got = self.got.join(file);
        self.step("get", "get").args([name, "--format", "wasm", "--output"]).args([&got]).run()?;
        let read = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
        match read(published)? == read(&got)? {
            true => Ok(()),
            false => Err(format!("{name} is not what was published: {}", got.display())),
        }
    }
}

/// A registry on loopback, empty. It ends when this is dropped.
struct Registry {
    address: SocketAddr,
    process: Child,
}

impl Registry {
    fn start(directory: &Path) -> Result<Self> {
        let address = free_address()?;
        let data = directory.join("data");
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            data.display()
        );
        let path = directory.join("registry.yml");
        fs::write(&path, config).map_err(|error| format!("{}: {error}", path.display()))?;
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(root())
            .spawn()
            .map_err(|error| format!("cannot run docker-registry: {error}"))?;
        let mut registry = Self { address, process };
        registry.wait().map(|()| registry)
    }

    /// Until it listens.
    fn wait(&mut self) -> Result {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.try_wait().is_ok_and(|status| status.is_some());
            if ended || begun.elapsed() > START {
                return Err(format!("docker-registry does not start on {}", self.address));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One on loopback that nobody listens on: the registry takes its address from a file.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|error| format!("no port on loopback: {error}"))
}
