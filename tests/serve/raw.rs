//! Bytes on a connection, as no library would send them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use chunk_store_tests::serving::Server;

/// An answer comes within this, or something hangs.
const ANSWER: Duration = Duration::from_secs(40);

/// The head `LINE HTTP/1.1` with these header lines.
pub fn request(line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// A connection.
pub struct Raw {
    stream: TcpStream,
    /// Read, and not asked for yet.
    ahead: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug, PartialEq)]
pub struct RawAnswer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// A header, or "" where there is none.
    pub fn header(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

impl Raw {
    pub fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_read_timeout(Some(ANSWER)).expect("not zero");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, ahead: Vec::new() }
    }

    /// The connection itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends; whether the server still takes it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Says that no more will be sent.
    pub fn end(&mut self) {
        // The other side may have closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads more; whether there was any.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.ahead.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer"),
            // Reset: what was sent to it had nobody to read it any more.
            Err(_) => false,
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count && self.read() {}
        let count = count.min(self.ahead.len());
        self.ahead.drain(..count).collect()
    }

    /// The next answer, with its body if `Content-Length` tells how long it is. `None` if the
    /// connection was closed in place of one.
    pub fn answer(&mut self) -> Option<RawAnswer> {
        let end = loop {
            match self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None if self.read() => {}
                None => return None,
            }
        };
        let head = String::from_utf8(self.take(end)).expect("a head is ASCII");
        let status = head.split(' ').nth(1).expect(&head).parse().expect(&head);
        let mut answer = RawAnswer { status, head, body: Vec::new() };
        if let Ok(length) = answer.header("content-length").parse() {
            answer.body = self.take(length);
        }
        Some(answer)
    }

    /// Waits until the server has closed the connection; gives how long that took, and what
    /// came until then.
    pub fn closed(&mut self) -> (Duration, Vec<u8>) {
        let begun = Instant::now();
        while self.read() {}
        (begun.elapsed(), std::mem::take(&mut self.ahead))
    }
}

/// Sends this on a connection of its own; gives the status, `None` if it was closed without
/// an answer.
pub fn status_of(server: &Server, bytes: impl AsRef<[u8]>) -> Option<u16> {
    let mut raw = Raw::connect(server);
    raw.send(bytes);
    raw.answer().map(|answer| answer.status)
}
