//! ffmpeg and ffprobe: a film is looked into and sought in over HTTP, by ranges.

use std::fs;

use chunk_store_tests::serving::Server;
use serde_json::Value;

use crate::{program, server, works};

/// Makes a film of 30 seconds and stores it; gives its size. Without `faststart` its index
/// lies behind everything else.
fn store(server: &Server, faststart: bool) -> u64 {
    let movflags = if faststart { "+faststart" } else { "0" };
    let arguments =
        ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=30"]
            .into_iter()
            .chain(["-c:v", "mpeg4", "-q:v", "2", "-g", "25", "-movflags", movflags, "film.mp4"]);
    works(&mut program("ffmpeg", server, &arguments.collect::<Vec<_>>()));
    let url = film(server);
    let put = ["-sS", "--fail", "-T", "film.mp4", "-H", "Content-Type: video/mp4", &url];
    works(&mut program("curl", server, &put));
    fs::metadata(server.directory().join("film.mp4")).unwrap().len()
}

fn film(server: &Server) -> String {
    format!("{}/film.mp4", server.url())
}

/// The pixels of the picture at second 25.
fn picture(server: &Server, of: &str) -> Vec<u8> {
    let arguments = ["-v", "error", "-ss", "25", "-i", of, "-frames:v", "1", "-f", "rawvideo", "-"];
    works(&mut program("ffmpeg", server, &arguments))
}

fn assert_can_be_sought(faststart: bool) {
    let server = server(&[]);
    let size = store(&server, faststart);
    assert!(size > 8_000_000, "a film of several chunks: {size}");
    let probe = ["-v", "error", "-print_format", "json", "-show_format", "-show_streams"];
    let url = film(&server);
    let probed = works(&mut program("ffprobe", &server, &[&probe[..], &[&url]].concat()));
    let probed: Value = serde_json::from_slice(&probed).unwrap();
    let duration: f64 = probed["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!((duration - 30.0).abs() < 0.1, "{duration}");
    assert_eq!(probed["format"]["size"], size.to_string());
    assert_eq!(probed["streams"][0]["width"], 640);

    // The same object, by a path that only this asks for.
    let over_http = picture(&server, &format!("{}/film%2Emp4", server.url()));
    assert!(over_http == picture(&server, "film.mp4"), "as in the file");
    let log = server.accesses("GET", "/film%2Emp4", 2);
    assert!(log.iter().all(|line| line["status"] == 206), "{log:?}");
    // The player leaves when it has what it wants; what it was sent is what was needed and
    // what was on its way.
    let sent: u64 = log.iter().map(|line| line["sent"].as_u64().unwrap()).sum();
    assert!(sent < size, "{sent} of {size} bytes");
    assert!(log.iter().all(|line| line["ended"] != "failed"), "{log:?}");
}

#[test]
fn a_film_made_for_the_web_can_be_sought_in() {
    assert_can_be_sought(true);
}

#[test]
fn a_film_with_its_index_at_the_end_can_be_sought_in() {
    assert_can_be_sought(false);
}
