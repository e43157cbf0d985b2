//! The page `/_/ui`. What it does is tested in a browser (`tests/browser`).

use super::bed::{Bed, TOKEN};

/// The files that the page and its files name.
fn files(bed: &Bed) -> Vec<String> {
    let page = String::from_utf8(bed.ask("GET /_/ui", &[]).body).unwrap();
    let named = page.split(['"', '\'']).filter_map(|text| text.strip_prefix("ui/"));
    let mut files: Vec<String> = named.map(str::to_string).collect();
    for i in 0.. {
        let Some(file) = files.get(i) else { break };
        let text = bed.ask(&format!("GET /_/ui/{file}"), &[]).body;
        let text = String::from_utf8(text).unwrap();
        let imported: Vec<String> = text
            .split('\'')
            .filter_map(|text| text.strip_prefix("./").filter(|name| name.ends_with(".js")))
            .map(str::to_string)
            .collect();
        files.extend(imported);
        files = files.iter().fold(Vec::new(), |mut seen, file| {
            if !seen.contains(file) {
                seen.push(file.clone());
            }
            seen
        });
    }
    files
}

#[test]
fn the_page_and_its_files_are_for_anyone() {
    for settings in [&[][..], &[("TOKEN", TOKEN)], &[("READ_ONLY", "true")], &[("OPEN", "true")]] {
        let bed = Bed::set(settings);
        let page = bed.ask("GET /_/ui", &[]);
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        let files = files(&bed);
        assert!(files.len() > 10, "{files:?}");
        for file in files {
            let answer = bed.ask(&format!("GET /_/ui/{file}"), &[]);
            assert_eq!(answer.status, 200, "{file}");
            let media_type = match file.rsplit_once('.').unwrap().1 {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                other => panic!("{other}"),
            };
            assert_eq!(answer.header("content-type"), media_type, "{file}");
            assert_eq!(bed.ask(&format!("HEAD /_/ui/{file}"), &[]).status, 200);
        }
    }
}

#[test]
fn who_asks_for_nothing_is_led_to_the_page() {
    for settings in [&[][..], &[("TOKEN", TOKEN)]] {
        let bed = Bed::set(settings);
        for (line, location) in [("GET /", "_/ui"), ("HEAD /", "_/ui"), ("GET /_/ui/", "../ui")] {
            let answer = bed.ask(line, &[]);
            assert!([307, 308].contains(&answer.status), "{line}: {}", answer.status);
            assert_eq!(answer.header("location"), location, "{line}");
        }
        assert_eq!(bed.ask("GET /?a=b", &[]).status, 400);
    }
}

#[test]
fn the_page_runs_its_own_files_and_asks_its_own_server() {
    let bed = Bed::open();
    let page = bed.ask("GET /_/ui", &[]);
    let policy = page.header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|there| there == rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    for file in files(&bed) {
        let text = bed.ask(&format!("GET /_/ui/{file}"), &[]).body;
        let text = String::from_utf8(text).unwrap().replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http:") && !text.contains("https:"), "{file} names another server");
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!text.contains(sink), "{file} has {sink}");
        }
    }
}

#[test]
fn the_page_is_sent_once_and_asked_for_each_time() {
    let bed = Bed::open();
    for path in ["/_/ui", "/_/ui/main.js"] {
        let first = bed.ask(&format!("GET {path}"), &[]);
        assert_eq!(first.header("cache-control"), "no-cache");
        let again = bed.ask(&format!("GET {path}"), &[("if-none-match", first.header("etag"))]);
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), first.header("etag"));
        let other = bed.ask(&format!("GET {path}"), &[("if-none-match", "\"x\"")]);
        assert_eq!((other.status, other.body), (200, first.body));
    }
}

#[test]
fn other_paths_lead_to_the_page_or_nowhere() {
    let bed = Bed::open();
    let moved = bed.ask("GET /_/ui/", &[]);
    assert_eq!((moved.status, moved.header("location")), (308, "../ui"));
    for line in ["GET /_/ui/nothing.js", "GET /_/ui/index.html", "GET /_/ui/../ui", "GET /_/uix"] {
        assert_eq!(bed.ask(line, &[]).status, 404, "{line}");
    }
    assert_eq!(bed.ask("PUT /_/ui", &[]).status, 405);
}
