//! The arguments, with the help that people read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use chunk_store::range::ByteRange;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use super::range::parse_range;
use super::serve::{Serve, Sign};

/// Stores objects of any size in a key-value store, by streaming.
///
/// Objects are cut into chunks as they arrive, each chunk is a value of its own, and
/// one write commits. They are read back whole or in part, every byte verified, in
/// memory that does not grow with them.
#[derive(Debug, Parser)]
#[command(name = "chunk-store", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Args {
    /// The key-value store: file:DIR, file:DIR?sync=none (a cache: nothing is forced to
    /// disk), redis://[user:password@]host[:port][/database], rediss:// (by TLS),
    /// redis+unix:/SOCKET, redis+cluster://host:port,host:port, or memory: (gone when the
    /// command ends)
    // The variable may hold a password, which the help is not to show.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CHUNK_STORE_KV",
        hide_env_values = true,
        default_value = "file:./chunk-store-data",
        help_heading = "Store"
    )]
    pub kv: String,

    /// Keep these objects apart from others in the same store
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "CHUNK_STORE_NAMESPACE",
        help_heading = "Store"
    )]
    pub namespace: Option<String>,

    /// Results (and errors) as JSON, one object a line
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,

    /// Say in the end what was done: operations, what was asked of the store below and
    /// how long it took, memory. On standard error, or with --json as the last result
    #[arg(long, global = true, help_heading = "Output")]
    pub stats: bool,

    /// Log each operation on the store when it has ended, on standard error: key, sizes,
    /// chunks, retries, times, outcome
    #[arg(long, global = true, help_heading = "Output")]
    pub log_operations: bool,

    /// Send each operation, and of a server each request, as a span to this collector of
    /// OpenTelemetry (OTLP over HTTP), like http://127.0.0.1:4318
    #[arg(long, global = true, value_name = "URL", help_heading = "Output")]
    pub otlp: Option<String>,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// The arguments of the process.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let args = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        // The environment may name the store of the other commands.
        let names_kv = matches.value_source("kv") == Some(ValueSource::CommandLine);
        if matches!(args.command, Command::Copy(_)) && names_kv {
            let advice = "copy is between two stores: in place of --kv give --from and --to";
            return Err(command.error(ErrorKind::ArgumentConflict, advice));
        }
        Ok(args)
    }
}

const EXAMPLES: &str = "Examples:
  chunk-store put film.mp4                     store a file under its name
  chunk-store get film.mp4 -o copy.mp4         and read it back, verified
  chunk-store get film.mp4 --range 0-1023      its first 1024 bytes
  tar c dir | chunk-store put - backup.tar     store what a program writes
  chunk-store list -l                          what is stored
  chunk-store copy --from file:a --to file:b   everything into another store
  chunk-store verify --all                     read and check every chunk
  chunk-store serve                            all of it over HTTP";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store a file, or what comes in on standard input
    Put(Put),
    /// Read an object, whole or in part
    Get(Get),
    /// Describe an object
    #[command(visible_alias = "stat")]
    Head {
        /// The object
        key: String,
    },
    /// List objects
    #[command(visible_alias = "ls")]
    List(List),
    /// Delete objects
    #[command(visible_alias = "rm")]
    Delete(Delete),
    /// Read every chunk of objects and check it
    Verify(Verify),
    /// Writes that are under way, or were interrupted
    #[command(after_help = "Examples:
  chunk-store uploads list
  chunk-store uploads show film.mp4
  chunk-store uploads abort film.mp4")]
    Uploads {
        /// What to do with them
        #[command(subcommand)]
        command: Uploads,
    },
    /// Give back the space of what no object needs any more
    Sweep(Sweep),
    /// Copy objects to another store, or another namespace, as they are
    Copy(Copy),
    /// Serve the store over HTTP
    Serve(Serve),
    /// Print a link that lets its holder read one object from a server
    Sign(Sign),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Command {
    /// Whether standard output is for an object's content.
    pub fn prints_content(&self) -> bool {
        matches!(self, Self::Get(get) if get.file().is_none())
    }
}

/// Arguments of `put`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file of 64 MiB or more is stored as an upload: what has arrived is kept when the command is \
interrupted, and --resume goes on from there.

Examples:
  chunk-store put film.mp4 films/film.mp4
  curl -s https://example.org/data | chunk-store put - data --ttl 1h
  chunk-store put report.pdf --meta author=Ann --if-absent
  chunk-store put film.mp4 --resume            go on after an interruption
  ffmpeg ... -f mpegts - | chunk-store put - live.ts --live")]
pub struct Put {
    /// The file, or - for standard input
    pub file: PathBuf,
    /// The object's key [default: the file's name]
    pub key: Option<String>,
    /// Media type [default: guessed from the file's name]
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// A name and value to keep with the object; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_meta)]
    pub meta: Vec<(String, String)>,
    /// How long the object lives, like 90s, 1h, 7days [default: for ever]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_ttl)]
    pub ttl: Option<u32>,
    /// Store only if there is no such object
    #[arg(long)]
    pub if_absent: bool,
    /// Store only if it has so many bytes, like 1048576: known in advance, it makes the best
    /// chunks of what a program writes, and shows how long it will take [default: the file's]
    #[arg(long, value_name = "BYTES")]
    pub size: Option<u64>,
    /// Store only if it has this digest, as `put` and `head` print it
    #[arg(long, value_name = "blake3:HEX")]
    pub digest: Option<String>,
    /// No chunk is larger, like 4MiB; at least 64KiB, rounded down to a power of two
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub chunk_max: Option<u32>,
    /// Up to this size an object is one value, like 256KiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub inline_max: Option<u32>,
    /// Go on with an interrupted put of the same content: what is stored already is
    /// compared and not sent again. It keeps the type, metadata and other options that it
    /// began with. Starts anew if there is none
    #[arg(long)]
    pub resume: bool,
    /// The write has to be complete within this time, like 3days; what an interrupted one
    /// has left can be gone on with for so long [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = parse_deadline)]
    pub deadline: Option<u32>,
    /// Let others read it (`get --follow`) while it is being written
    #[arg(long)]
    pub live: bool,
}

/// Arguments of `get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of an object of 64 MiB or more, what has been written to FILE is kept beside it (as .FILE.*.part) \
when the command is interrupted, and --resume goes on from there.

Examples:
  chunk-store get film.mp4 -o film.mp4
  chunk-store get film.mp4 --range 0-65535 | file -
  chunk-store get film.mp4 --range -1000000 -o tail.bin
  chunk-store get film.mp4 -o film.mp4 --resume       go on after an interruption
  chunk-store get live.ts --follow | ffplay -         while it is being written")]
pub struct Get {
    /// The object
    pub key: String,
    /// Write to this file, which appears whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only these bytes, counted from 0, both ends included as in HTTP: A-B, A- (from A
    /// on), or -N (the last N)
    #[arg(long, value_name = "A-B|A-|-N", allow_hyphen_values = true, value_parser = parse_range)]
    pub range: Option<ByteRange>,
    /// Go on with an interrupted get of the same object to the same file. The whole file
    /// is verified in the end. Starts anew if there is none, or the object has changed
    #[arg(long, requires = "output", conflicts_with_all = ["range", "follow"])]
    pub resume: bool,
    /// Where there is no such object, read the write of it that is under way, to its end
    #[arg(long)]
    pub follow: bool,
    /// Give up following when nothing has been added for so long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_stall, requires = "follow")]
    pub stall: u32,
}

impl Get {
    /// The file to write to; `None` for standard output.
    pub fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }
}

/// Arguments of `uploads`.
#[derive(Debug, Subcommand)]
pub enum Uploads {
    /// List them: how far each has come, of what, its name
    List {
        /// Only for keys that begin so
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Describe one
    Show {
        /// Its name, or the key of the object that it becomes (then the newest)
        upload: String,
    },
    /// Discard them: nothing can be added any more, and sweep gives back the space
    Abort {
        /// Their names, or keys of objects (then the newest of each)
        #[arg(required = true, value_name = "UPLOAD")]
        uploads: Vec<String>,
    },
}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chunk-store list films/
  chunk-store list -l --delimiter /
  chunk-store list --total films/
  chunk-store list --json -l | jq .info.digest")]
pub struct List {
    /// Only keys that begin so
    #[arg(default_value = "")]
    pub prefix: String,
    /// Size, time, media type; takes a read of each object's manifest, and leaves out
    /// objects that have expired
    #[arg(short)]
    pub long: bool,
    /// Roll up keys that hold this after the prefix, like directories with /
    #[arg(long, value_name = "TEXT")]
    pub delimiter: Option<String>,
    /// Only how many objects there are, and their size; takes a read of each manifest
    #[arg(long, conflicts_with_all = ["long", "delimiter"])]
    pub total: bool,
}

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The space of what was deleted comes back by sweep.

Examples:
  chunk-store delete film.mp4 notes.txt
  chunk-store delete --prefix films/ --dry-run     what would go
  chunk-store delete --prefix films/")]
pub struct Delete {
    /// The objects
    #[arg(required_unless_present = "prefix", value_name = "KEY")]
    pub keys: Vec<String>,
    /// All whose keys begin so, in place of single ones
    #[arg(long, value_name = "PREFIX", conflicts_with = "keys", value_parser = parse_prefix)]
    pub prefix: Option<String>,
    /// Only say what would be deleted
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// A variable that a script has not set is not to delete everything.
fn parse_prefix(text: &str) -> Result<String, String> {
    match text {
        "" => Err("that is every object; give the prefix of those that are to go".to_string()),
        _ => Ok(text.to_string()),
    }
}

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chunk-store verify film.mp4
  chunk-store verify --all")]
pub struct Verify {
    /// The objects
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "KEY")]
    pub keys: Vec<String>,
    /// All objects of the store (and namespace)
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `sweep`.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Give back the space of what no object needs any more: content that was \
        replaced, deleted or has expired, and what interrupted writes left.\n\n\
        Safe beside readers and writers, and may be interrupted. What it finds unneeded is \
        condemned, and deleted by a sweep that comes when the grace is over: run it from time \
        to time. What an interrupted write left is condemned when the write's deadline is over \
        (24 hours).",
    after_help = "Examples:
  chunk-store sweep --dry-run                    what would go
  chunk-store sweep                              for a timer, say every hour
  chunk-store sweep --no-writers --grace 0s      all at once, while nothing else uses the store"
)]
pub struct Sweep {
    /// How long something unneeded is kept for those still reading it, like 90s, 1h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_grace)]
    pub grace: u32,
    /// You vouch that nobody is writing: open writes and uploads are abandoned at once
    #[arg(long)]
    pub no_writers: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

fn parse_stall(text: &str) -> Result<u32, String> {
    parse_seconds(text, "10s or 5min", "give less")
}

fn parse_grace(text: &str) -> Result<u32, String> {
    parse_seconds(text, "0s, 90s or 1h", "give less")
}

/// Arguments of `copy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The destination comes to have every object with the prefix as it is at the source: content, digest, \
etag, media type and metadata. An object expires when it does at the source, to the second and the \
time that it takes to be sent. One that differs is replaced; nothing is deleted.

What is already there is not sent again, so after an interruption run the same command again. An \
object that was cut off is sent from its beginning. Content that is already there is not read: \
verify does that.

Examples:
  chunk-store copy --from file:old --to file:new
  chunk-store copy --from file:data --to file:backup films/ --dry-run
  chunk-store copy --from file:data --to file:data --to-namespace archive --keep-existing")]
pub struct Copy {
    /// Only keys that begin so
    #[arg(default_value = "")]
    pub prefix: String,
    /// The store to copy from, which has to be there
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The store to copy to, made if it is missing
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// The namespace to copy from [default: that of --namespace]
    #[arg(long, value_name = "NAME")]
    pub from_namespace: Option<String>,
    /// The namespace to copy to [default: that of --namespace]
    #[arg(long, value_name = "NAME")]
    pub to_namespace: Option<String>,
    /// Leave alone what the destination has, even where it differs
    #[arg(long)]
    pub keep_existing: bool,
    /// Show what would be copied, and copy nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Takes the place of the global option, which says nothing here.
    #[arg(long, hide = true)]
    kv: Option<String>,
}

fn parse_meta(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("give NAME=VALUE".to_string()),
    }
}

fn parse_ttl(text: &str) -> Result<u32, String> {
    match parse_seconds(text, "90s, 1h or 7days", "leave it out to keep the object")? {
        0 => Err("an object that lives for no time would never exist".to_string()),
        seconds => Ok(seconds),
    }
}

fn parse_deadline(text: &str) -> Result<u32, String> {
    match parse_seconds(text, "6h or 3days", "give less")? {
        0 => Err("a write takes some time; give more".to_string()),
        seconds => Ok(seconds),
    }
}

/// A time in whole seconds, rounded up.
pub fn parse_seconds(text: &str, examples: &str, too_long: &str) -> Result<u32, String> {
    let time: Duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; give a time like {examples}"))?;
    u32::try_from(time.as_millis().div_ceil(1000))
        .map_err(|_| format!("that is more than 136 years; {too_long}"))
}

fn parse_size(text: &str) -> Result<u32, String> {
    let bytes = parse_bytes(text, "65536, 256KiB or 4MiB")?;
    u32::try_from(bytes).map_err(|_| "give at most 4GiB".to_string())
}

/// A size in bytes.
pub fn parse_bytes(text: &str, examples: &str) -> Result<u64, String> {
    let size: ByteSize = text.parse().map_err(|_| format!("give a size like {examples}"))?;
    Ok(size.as_u64())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn times_and_sizes_are_read_as_people_write_them() {
        assert_eq!(parse_ttl("1h"), Ok(3600));
        assert_eq!(parse_ttl("1500ms"), Ok(2), "rounded up");
        assert!(
            parse_ttl("0s").is_err() && parse_ttl("200years").is_err() && parse_ttl("x").is_err()
        );
        assert_eq!(parse_size("4MiB"), Ok(4 << 20));
        assert_eq!(parse_size("65536"), Ok(65_536));
        assert!(parse_size("5GiB").is_err() && parse_size("many").is_err());
        assert_eq!(parse_meta("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(parse_meta("=b").is_err() && parse_meta("a").is_err());
    }
}
