//! The object store of NATS JetStream, by its own client.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::object_store::{Config, ObjectStore};
use async_nats::jetstream::stream::StorageType;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::compare::disk;
use crate::compare::subject::{
    Entry, Group, Result, Role, Site, Small, Source, Subject, Taken, each,
};

/// So much is read at once.
const PIECE_BYTES: usize = 256 << 10;

/// It answers within this, or the machine is broken.
const START: Duration = Duration::from_secs(30);

const NAME: &str = "NATS object store";

/// Beside the store on files that are not synced, which NATS 2.9 cannot do for each write, and
/// in memory.
pub const ENTRIES: [Entry; 2] = [
    Entry {
        group: Group::Cached,
        name: NAME,
        role: Role::Verifying,
        note: "JetStream on files, a server on loopback; SHA-256 of the whole, known good only at its end; reads no ranges",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, StorageType::File)),
    },
    Entry {
        group: Group::Memory,
        name: NAME,
        role: Role::Verifying,
        note: "JetStream in a server's memory; SHA-256 of the whole, known good only at its end; reads no ranges",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, StorageType::Memory)),
    },
];

struct Nats {
    objects: ObjectStore,
    files: Option<PathBuf>,
    server: Server,
}

/// `nats-server` on loopback; killed when this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(directory: &Path) -> Result<(Self, String)> {
        // Free a moment ago, and nobody else here opens ports.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = directory.join("nats.conf");
        fs::write(
            &config,
            format!(
                "listen: \"{address}\"\njetstream {{ store_dir: \"{}\", max_mem: 16G, max_file: 64G }}\n",
                directory.join("nats").display()
            ),
        )?;
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self(command.spawn()?);
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > START {
                return Err("nats-server does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok((server, address.to_string()))
    }
}

async fn open(site: &Site, storage: StorageType) -> Result<Box<dyn Subject>> {
    let (server, address) = Server::start(&site.directory)?;
    let client = async_nats::connect(address).await?;
    let config = Config { bucket: "bench".to_string(), storage, ..Config::default() };
    let objects = jetstream::new(client).create_object_store(config).await?;
    let files = (storage == StorageType::File).then(|| site.directory.join("nats"));
    Ok(Box::new(Nats { objects, files, server }))
}

impl Nats {
    async fn put_one(&self, object: &Small) -> Result {
        self.objects.put(object.key.as_str(), &mut &object.bytes[..]).await?;
        Ok(())
    }

    async fn get_one(&self, object: &Small) -> Result<Bytes> {
        let mut bytes = Vec::with_capacity(object.bytes.len());
        self.objects.get(&object.key).await?.read_to_end(&mut bytes).await?;
        Ok(bytes.into())
    }
}

#[async_trait]
impl Subject for Nats {
    async fn put(&self, key: &str, source: &Source) -> Result {
        let info = self.objects.put(key, &mut File::open(&source.path).await?).await?;
        match info.size as u64 == source.size {
            true => Ok(()),
            false => Err(format!("NATS has stored {} bytes", info.size).into()),
        }
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        let mut object = self.objects.get(key).await?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match object.read(&mut piece).await? {
                0 => return Ok(()),
                count => taken.take(&piece[..count]),
            }
        }
    }

    async fn put_small(&self, objects: &[Small]) -> Result<bool> {
        each(objects, |object| Box::pin(self.put_one(object))).await?;
        Ok(true)
    }

    async fn get_small(&self, objects: &[Small]) -> Result<Option<Vec<Bytes>>> {
        each(objects, |object| Box::pin(self.get_one(object))).await.map(Some)
    }

    fn servers(&self) -> Result<Vec<u32>> {
        Ok(vec![self.server.0.id()])
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        self.files.as_deref().map(disk::allocated_bytes).transpose()
    }
}
