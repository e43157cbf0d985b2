//! Whatever is sent is answered, and is never the server's fault.

use proptest::prelude::*;

use super::bed::{Bed, content};

const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS"];

const PATHS: [&str; 8] =
    ["/a", "/a?follow", "/b", "/_/uploads", "/_/uploads/x", "/_/list", "/_/head/a", "/_/health"];

const HEADERS: [&str; 16] = [
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "content-length",
    "content-type",
    "content-encoding",
    "x-meta-a",
    "x-ttl-seconds",
    "x-digest",
    "authorization",
    "origin",
    "upload-length",
    "upload-offset",
    "upload-metadata",
];

proptest! {
    #[test]
    fn any_request_is_answered(
        method in 0..METHODS.len(),
        path in 0..PATHS.len(),
        query in "[a-z=&%0-9]{0,12}",
        headers in proptest::collection::vec((0..HEADERS.len(), "[ -~]{0,20}|bytes=[-0-9, ]{1,20}|[0-9]{1,20}"), 0..4),
        body in 0..2000_usize,
    ) {
        let bed = Bed::open();
        bed.send("PUT /a", &[], &content(1000));
        let separator = if PATHS[path].contains('?') { '&' } else { '?' };
        let line = format!("{} {}{separator}{query}", METHODS[method], PATHS[path]);
        let headers: Vec<_> = [("tus-resumable", "1.0.0")]
            .into_iter()
            .chain(headers.iter().map(|(name, value)| (HEADERS[*name], &value[..])))
            .collect();
        let answer = bed.send(&line, &headers, &content(body));
        prop_assert!((200..500).contains(&answer.status), "{}", answer.status);
        prop_assert_eq!(answer.ended, Ok(()));
    }
}
