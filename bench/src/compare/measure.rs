//! One subject, measured once, in a process of its own: so memory and processor time are
//! its own, and who fails ends nobody else's measurement.
//!
//! | step | what is measured |
//! |---|---|
//! | another object in and out | nothing: connections, buffers, code |
//! | put | time, processors, memory |
//! | get, digested | that the bytes are right, nothing else |
//! | get | time, first byte, processors, memory |
//! | ranges at random offsets | reads a second; then all are compared |
//! | small objects in and out | objects a second; then all are compared |

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chunk_store::range::Span;
use chunk_store_tests::random::Random;

use super::disk;
use super::figure::Figure;
use super::subject::{Entry, Result, Site, Small, Source, Subject, Taken};
use super::usage;

/// A round's figures.
pub type Figures = BTreeMap<Figure, f64>;

/// Of a small object.
const SMALL_BYTES: u64 = 4096;

/// Of a range, and how many are read, for so long at most.
const RANGE_BYTES: u64 = 64 << 10;
const RANGES: u32 = 256;
const RANGES_TIME: Duration = Duration::from_secs(1);

const KEY: &str = "object";

/// What is measured.
pub struct Work {
    /// The object.
    pub source: Source,
    /// What is stored and read once before anything is measured.
    pub warm: Source,
    /// How many small objects; none where they are measured elsewhere.
    pub small: u32,
    /// Which offsets and small bytes are drawn.
    pub seed: u64,
}

/// Opens the subject and measures it.
pub async fn measure(entry: &Entry, site: &Site, work: &Work) -> Result<Figures> {
    let subject = (entry.open)(site).await?;
    let subject = &*subject;
    let mut measuring = Measuring { subject, cold: entry.group.is_cold(), figures: Figures::new() };
    measuring.warm_up(&work.warm, site).await?;
    measuring.put(&work.source, site).await?;
    measuring.get(&work.source, site).await?;
    measuring.ranges(&work.source, work.seed).await?;
    if work.small > 0 {
        measuring.small(work.small, work.seed).await?;
    }
    Ok(measuring.figures)
}

struct Measuring<'a> {
    subject: &'a dyn Subject,
    cold: bool,
    figures: Figures,
}

impl Measuring<'_> {
    fn note(&mut self, figure: Figure, value: f64) {
        self.figures.insert(figure, value);
    }

    async fn warm_up(&self, warm: &Source, site: &Site) -> Result {
        self.subject.put("warm", warm).await?;
        let mut taken = Taken::new(true);
        self.subject.get("warm", &mut taken).await?;
        taken.check(warm)?;
        disk::settle(&site.directory)
    }

    async fn put(&mut self, source: &Source, site: &Site) -> Result {
        // What is kept, and a copy of it in a server or on its way to the disk.
        disk::claim_memory(&site.directory, 2 * source.size)?;
        let before = self.subject.stored_bytes().await?;
        let span = Measured::begin(self.subject)?;
        self.subject.put(KEY, source).await?;
        let put = span.end()?;
        let after = self.subject.stored_bytes().await?;
        self.note(Figure::Put, put.rate(source.size));
        self.note(Figure::PutCpu, put.cpu_per_gigabyte(source.size));
        self.note_memory(&put);
        if let Some((before, after)) = before.zip(after) {
            self.note(Figure::Stored, after.saturating_sub(before) as f64 / source.size as f64);
        }
        Ok(())
    }

    async fn get(&mut self, source: &Source, site: &Site) -> Result {
        let mut checked = Taken::new(true);
        self.subject.get(KEY, &mut checked).await?;
        checked.check(source)?;
        disk::settle(&site.directory)?;
        if self.cold {
            disk::evict(&site.directory)?;
        }
        disk::claim_memory(&site.directory, source.size)?;
        let span = Measured::begin(self.subject)?;
        let mut taken = Taken::new(false);
        self.subject.get(KEY, &mut taken).await?;
        let get = span.end()?;
        taken.check(source)?;
        self.note(Figure::Get, get.rate(source.size));
        self.note(Figure::GetCpu, get.cpu_per_gigabyte(source.size));
        self.note_memory(&get);
        if let Some(first) = taken.first_byte {
            self.note(Figure::FirstByte, first.as_secs_f64() * 1e3);
        }
        Ok(())
    }

    /// The worst of put and get.
    fn note_memory(&mut self, measured: &Ended) {
        let (client, server) = (measured.client_bytes, measured.server_bytes);
        for (figure, bytes) in [
            (Figure::Client, Some(client)),
            (Figure::Server, server),
            (Figure::Memory, Some(client + server.unwrap_or(0))),
        ] {
            let Some(bytes) = bytes else { continue };
            let before = self.figures.get(&figure).copied().unwrap_or(0.0);
            self.note(figure, before.max(bytes as f64 / f64::from(1 << 20)));
        }
    }

    async fn ranges(&mut self, source: &Source, seed: u64) -> Result {
        let length = RANGE_BYTES.min(source.size);
        let mut random = Random::new(seed);
        let mut read = Vec::new();
        let begun = Instant::now();
        for _ in 0..RANGES {
            let start = random.below(source.size - length + 1);
            let span = Span::new(start, start + length);
            match self.subject.range(KEY, span).await? {
                Some(bytes) => read.push((span, bytes)),
                None => return Ok(()),
            }
            if begun.elapsed() > RANGES_TIME {
                break;
            }
        }
        let took = begun.elapsed();
        check_ranges(&source.path, &read)?;
        self.note(Figure::Ranges, read.len() as f64 / took.as_secs_f64());
        Ok(())
    }

    async fn small(&mut self, count: u32, seed: u64) -> Result {
        let mut random = Random::new(seed);
        let objects: Vec<Small> = (0..count)
            .map(|number| {
                let mut bytes = vec![0; SMALL_BYTES as usize];
                random.fill(&mut bytes);
                Small { key: format!("small/{number:06}"), bytes: bytes.into() }
            })
            .collect();
        let begun = Instant::now();
        if !self.subject.put_small(&objects).await? {
            return Ok(());
        }
        self.note(Figure::SmallPuts, f64::from(count) / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let Some(read) = self.subject.get_small(&objects).await? else { return Ok(()) };
        let took = begun.elapsed();
        let stored = objects.iter().map(|object| &object.bytes);
        if !read.iter().eq(stored) {
            return Err("small objects came back as others".into());
        }
        self.note(Figure::SmallGets, f64::from(count) / took.as_secs_f64());
        Ok(())
    }
}

fn check_ranges(path: &Path, read: &[(Span, Bytes)]) -> Result {
    for (span, bytes) in read {
        if disk::read_at(path, span.start, span.len() as usize)? != *bytes {
            return Err(format!("bytes {}..{} came back as others", span.start, span.end).into());
        }
    }
    Ok(())
}

/// A step that is under way.
struct Measured {
    servers: Vec<u32>,
    own: [u32; 1],
    cpu_seconds: f64,
    begun: Instant,
}

struct Ended {
    seconds: f64,
    cpu_seconds: f64,
    client_bytes: u64,
    server_bytes: Option<u64>,
}

impl Measured {
    fn begin(subject: &dyn Subject) -> Result<Self> {
        let (servers, own) = (subject.servers()?, [std::process::id()]);
        usage::reset_peaks(&servers)?;
        usage::reset_peaks(&own)?;
        let cpu_seconds = usage::cpu_seconds(&servers)?;
        Ok(Self { servers, own, cpu_seconds, begun: Instant::now() })
    }

    fn end(self) -> Result<Ended> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let server = usage::peak_bytes(&self.servers)?;
        Ok(Ended {
            seconds,
            cpu_seconds: usage::cpu_seconds(&self.servers)? - self.cpu_seconds,
            client_bytes: usage::peak_bytes(&self.own)?.max(usage::children_peak_bytes()?),
            server_bytes: (!self.servers.is_empty()).then_some(server),
        })
    }
}

impl Ended {
    fn rate(&self, size: u64) -> f64 {
        size as f64 / 1e6 / self.seconds
    }

    fn cpu_per_gigabyte(&self, size: u64) -> f64 {
        self.cpu_seconds / (size as f64 / 1e9)
    }
}
