//! tus-js-client on Node: uploads that are interrupted and go on.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use chunk_store_tests::npm;
use chunk_store_tests::random::RandomReader;
use chunk_store_tests::serving::Server;
use serde_json::{Value, json};

use crate::{program, server, tmp, works};

const TOKEN: &str = "token-of-the-tus-tests";
const MB: u64 = 1_000_000;

/// Writes a file of so many random bytes beside the store; gives its digest.
fn file(server: &Server, size: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::create(server.directory().join("content")).unwrap();
    let mut reader = RandomReader::new(size, size);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = reader.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count]).unwrap();
    }
    format!("blake3:{}", hasher.finalize())
}

/// A client at work.
struct Client {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Client {
    /// Starts `upload.mjs` with what it is told and the options for `tus.Upload`.
    fn start(server: &Server, mut told: Value, options: Value) -> Self {
        told["file"] = server.directory().join("content").to_str().unwrap().into();
        told["options"] = json!({
            "endpoint": format!("{}/_/uploads", server.url()),
            "headers": { "Authorization": format!("Bearer {TOKEN}") },
            "metadata": { "filename": "films/content", "filetype": "video/mp4", "title": "Ü" },
        });
        let all = told["options"].as_object_mut().unwrap();
        all.extend(options.as_object().unwrap().clone());
        let mut child = Command::new("node")
            .arg("upload.mjs")
            .arg(told.to_string())
            .current_dir(npm::installed("tus"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is there: install it, or run `cargo xtask test`, which does");
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads what it prints until this is in a line; gives that line.
    #[track_caller]
    fn until(&mut self, what: impl Fn(&Value) -> bool) -> Value {
        let mut last = String::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "it ended after {last}");
            let told: Value = serde_json::from_str(&line).expect(&line);
            assert!(told.get("failed").is_none(), "{line}");
            if what(&told) {
                return told;
            }
            last = line;
        }
    }

    /// Waits for its success; gives the upload's URL.
    #[track_caller]
    fn done(mut self) -> String {
        let done = self.until(|line| line.get("done").is_some());
        assert!(self.child.wait().unwrap().success());
        done["url"].as_str().unwrap().to_string()
    }

    /// Waits until it has aborted; gives how many bytes it had sent.
    fn aborted(mut self) -> u64 {
        let aborted = self.until(|line| line.get("aborted").is_some());
        assert!(self.child.wait().unwrap().success());
        aborted["aborted"].as_u64().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn curl(server: &Server, arguments: &[&str], target: &str) -> Vec<u8> {
    let (url, bearer) =
        (format!("{}{target}", server.url()), format!("Authorization: Bearer {TOKEN}"));
    let arguments = [&["-sS", "--fail", "-H", &bearer], arguments, &[&url]].concat();
    works(&mut program("curl", server, &arguments))
}

/// Asserts that the object is there with the digest of the file, in its head and in fact.
#[track_caller]
fn assert_stored(server: &Server, size: u64, digest: &str) {
    curl(server, &["-o", "copy", "-D", "head"], "/films/content");
    let head = std::fs::read_to_string(server.directory().join("head")).unwrap();
    assert!(head.contains(&format!("x-digest: {digest}\r\n")), "{head}");
    assert!(head.contains(&format!("content-length: {size}\r\n")), "{head}");
    assert!(head.contains("content-type: video/mp4\r\n"), "{head}");
    assert_eq!(digest_of(&server.directory().join("copy")), digest);
}

fn digest_of(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(path).unwrap(), &mut hasher).unwrap();
    format!("blake3:{}", hasher.finalize())
}

/// What a URL says behind the server's address.
fn path_of(url: &str) -> &str {
    &url[url.find("/_/uploads/").unwrap()..]
}

/// Where an upload stands, as the server says.
fn offset(server: &Server, url: &str) -> u64 {
    let told: Value = serde_json::from_slice(&curl(server, &[], path_of(url))).unwrap();
    told["offset"].as_u64().unwrap()
}

/// The client goes away in the middle; another process goes on; the server is killed in the
/// middle of that and comes back.
#[test]
fn an_interrupted_upload_of_300_mb_goes_on() {
    let mut server = server(&["--token", TOKEN]);
    let size = 300 * MB;
    let digest = file(&server, size);
    let mut first = Client::start(&server, json!({ "abort_at": 100 * MB }), json!({}));
    let url = first.until(|line| line.get("url").is_some())["url"].as_str().unwrap().to_string();
    let sent = first.aborted();
    let kept = offset(&server, &url);
    assert!(kept > 50 * MB && kept <= sent, "{kept} of {sent}");
    assert!(sent < size);

    let retries = json!({ "uploadUrl": url, "retryDelays": [100, 300, 1000, 3000, 5000] });
    let mut second = Client::start(&server, json!({}), retries);
    // The bytes that are there already are counted, and not sent again.
    let begins = second.until(|line| line.get("sent").is_some())["sent"].as_u64().unwrap();
    assert!(begins >= kept, "{begins}");
    second.until(|line| line["sent"].as_u64() >= Some(200 * MB));
    server.kill();
    second.until(|line| line.get("retries").is_some());
    server.restart(tmp());
    assert!(offset(&server, &url) >= kept, "what was acknowledged is there");
    assert_eq!(second.done(), url);
    assert_stored(&server, size, &digest);
    let log = server.accesses("PATCH", path_of(&url), 2);
    let received: u64 = log.iter().map(|line| line["received"].as_u64().unwrap_or(0)).sum();
    assert!(received < size, "only the rest was sent again: {log:?}");
}

#[test]
fn the_first_bytes_come_with_the_creation() {
    let server = server(&["--token", TOKEN]);
    let digest = file(&server, 5 * MB);
    let options = json!({ "uploadDataDuringCreation": true, "chunkSize": 2 * MB });
    Client::start(&server, json!({}), options).done();
    assert_stored(&server, 5 * MB, &digest);
    let created = &server.accesses("POST", "/_/uploads", 1)[0];
    assert_eq!((&created["status"], &created["received"]), (&201.into(), &(2 * MB).into()));
}

#[test]
fn the_length_comes_with_the_last_bytes() {
    let server = server(&["--token", TOKEN]);
    let digest = file(&server, 5 * MB);
    let options = json!({ "uploadLengthDeferred": true, "chunkSize": 2 * MB });
    let url = Client::start(&server, json!({ "stream": true }), options).done();
    assert_stored(&server, 5 * MB, &digest);
    let parts = server.accesses("PATCH", path_of(&url), 2).len();
    assert!(parts >= 3, "{parts} parts of at most 2 MB");
}

#[test]
fn an_upload_that_is_not_wanted_any_more_is_given_up() {
    let server = server(&["--token", TOKEN]);
    file(&server, 30 * MB);
    let told = json!({ "abort_at": 5 * MB, "terminate": true });
    let mut client = Client::start(&server, told, json!({ "chunkSize": 2 * MB }));
    let url = client.until(|line| line.get("url").is_some())["url"].as_str().unwrap().to_string();
    client.aborted();
    assert_eq!(server.accesses("DELETE", path_of(&url), 1)[0]["status"], 204);
    let uploads: Value = serde_json::from_slice(&curl(&server, &[], "/_/uploads")).unwrap();
    assert_eq!(uploads["uploads"], json!([]));
}
