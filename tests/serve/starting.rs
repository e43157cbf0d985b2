//! What `serve` refuses to start with, and what its options do.

use std::net::TcpListener;
use std::process::Output;

use chunk_store_tests::http::Protocol;
use chunk_store_tests::program;

use crate::{client, server, tmp};

const TOKEN: &str = "token-of-the-starting-tests";

/// Runs the program with these arguments, on an empty directory.
fn run(arguments: &[&str]) -> Output {
    let directory = chunk_store_tests::scratch();
    program::command(tmp()).args(arguments).current_dir(directory.path()).output().unwrap()
}

/// Asserts that it does not start, and says this in one line.
#[track_caller]
fn assert_refused(arguments: &[&str], code: i32, says: &str) {
    let output = run(&[&["--kv", "memory:", "serve"], arguments].concat());
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert!(line.contains(says) && line.trim_end().lines().count() == 1, "{line}");
    assert!(output.stdout.is_empty());
}

#[test]
fn off_loopback_there_has_to_be_a_token() {
    for everywhere in ["0.0.0.0:0", "[::]:0"] {
        assert_refused(&["--listen", everywhere], 2, "set a token");
    }
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let listen = ["--listen", "127.0.0.1:0"];
    for (arguments, says) in [
        (&["--token", "short"][..], "token"),
        (&["--token", "a token with blanks in it"], "token"),
        (&["--token-file", "/nonexistent/token"], "/nonexistent/token"),
        (&["--cors", "example.org"], "cors"),
        (&["--instances", "0"], "instances"),
        (&["--memory", "1MiB"], "memory"),
    ] {
        let code = if says.starts_with('/') { 1 } else { 2 };
        assert_refused(&[&listen, arguments].concat(), code, says);
    }
}

#[test]
fn an_address_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_refused(&["--listen", &address], 1, "choose another address or port");
}

#[tokio::test]
async fn its_options_say_who_may_do_what() {
    let server = server(&["--token", TOKEN, "--public-read", "--cors", "https://app.example"]);
    let stranger = client(&server, Protocol::Http1);
    let owner = stranger.with_token(Some(TOKEN));
    owner.send("PUT /a", &[], b"content").await.is(201);
    let page = ("origin", "https://app.example");
    let got = stranger.send("GET /a", &[page], b"").await.is(200);
    assert_eq!(got.header("access-control-allow-origin"), "https://app.example");
    stranger.send("PUT /a", &[], b"other").await.is(401);
    stranger.send("GET /_/list", &[], b"").await.is(401);

    let mut server = crate::server(&[]);
    client(&server, Protocol::Http1).send("PUT /a", &[], b"content").await.is(201);
    server.kill();
    server.restart_with(tmp(), &["--read-only"]);
    let reader = client(&server, Protocol::Http1);
    for line in ["PUT /a", "DELETE /a", "POST /_/uploads", "POST /_/sweep"] {
        reader.send(line, &[], b"").await.fails(403, "denied");
    }
    assert_eq!(reader.send("GET /a", &[], b"").await.is(200).bytes, b"content");
}

#[tokio::test]
async fn a_link_by_the_command_line_works_on_the_server() {
    let server = server(&["--token", TOKEN]);
    let stranger = client(&server, Protocol::Http1);
    stranger.with_token(Some(TOKEN)).send("PUT /a/b%20c", &[], b"content").await.is(201);
    let sign = |token: &str| {
        let output = run(&["sign", "a/b c", "--token", token, "--expires-in", "1h"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    };
    let link = sign(TOKEN);
    let got = stranger.send(&format!("GET {link}"), &[], b"").await.is(200);
    assert_eq!(got.bytes, b"content");
    let line = format!("GET {}", sign("another-token-of-the-tests"));
    stranger.send(&line, &[], b"").await.fails(403, "denied");
}
