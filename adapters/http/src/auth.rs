//! Who calls, and what they may do.
//!
//! | | no token set | token set |
//! |---|---|---|
//! | read objects | anyone | the token; a signed link; anyone with `public_read` |
//! | write, and all under `/_/` | nobody; anyone if `open` | the token |
//! | health, the page `/_/ui` | anyone | anyone |
//!
//! A server that is `open` relies on being reached from its own machine only. Pages in a
//! browser on that machine can reach it too, so it refuses host names that are not the
//! machine's own (DNS rebinding) and writes that a page of another origin sends.

use std::net::IpAddr;

use chunk_store::clock::Clock;
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use crate::problem::Problem;
use crate::query::Query;
use crate::route::Target;
use crate::settings::Settings;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody who has the token, or needs none for anything.
    Trusted,
    /// The holder of a link to this object, good until then (seconds since the Unix epoch).
    Link { expires: u64 },
    /// Anyone else.
    Anyone,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// What everybody may know.
    Nothing,
    /// An object.
    Read,
    /// What lies under `/_/`.
    Inside,
    /// A change.
    Write,
}

impl Need {
    /// What a method needs on a target.
    pub fn of(method: &Method, target: &Target) -> Self {
        let safe = [Method::GET, Method::HEAD].contains(method);
        match target {
            _ if method == Method::OPTIONS => Self::Nothing,
            Target::Health | Target::Server => Self::Nothing,
            // The page holds no data.
            Target::Ui(_) | Target::Root if safe => Self::Nothing,
            // It changes nothing, so a read-only server does it too.
            Target::Sign(_) => Self::Inside,
            Target::Object(_) if safe => Self::Read,
            _ if safe => Self::Inside,
            _ => Self::Write,
        }
    }
}

/// Tells who calls. Credentials that are given and wrong are refused, whatever is asked.
pub(crate) fn identify(
    settings: &Settings,
    head: &Parts,
    target: &Target,
    query: &mut Query,
    clock: &impl Clock,
) -> Result<Caller, Problem> {
    let (expires, signature) = (query.take("expires"), query.take("signature"));
    let Some(token) = &settings.token else {
        return Ok(if settings.open { Caller::Trusted } else { Caller::Anyone });
    };
    if head.headers.contains_key(AUTHORIZATION) {
        let bearer = head.headers.typed_get::<Authorization<Bearer>>();
        return match bearer.is_some_and(|bearer| token.is(bearer.token())) {
            true => Ok(Caller::Trusted),
            false => Err(unauthorized("the token is not the one of this server")
                .with(WWW_AUTHENTICATE, "Bearer realm=\"chunk-store\", error=\"invalid_token\"")),
        };
    }
    let (Target::Object(key), Some(signature)) = (target, signature) else {
        return Ok(Caller::Anyone);
    };
    let refuse = |why: &str| Err(Problem::forbidden(why));
    let Some(expires) = expires.and_then(|expires| expires.parse::<u64>().ok()) else {
        return refuse("the link does not say when it expires");
    };
    if !token.link_key.signed(key, expires, &signature) {
        return refuse("the link was not signed here, or has been altered");
    }
    if clock.wall_ms() / 1000 >= expires {
        return refuse("the link has expired");
    }
    Ok(Caller::Link { expires })
}

/// Refuses what the caller may not do.
pub(crate) fn allow(
    settings: &Settings,
    caller: Caller,
    need: Need,
    head: &Parts,
) -> Result<(), Problem> {
    if settings.open && need != Need::Nothing {
        check_local(settings, head, need)?;
    }
    if settings.read_only && need == Need::Write {
        return Err(Problem::forbidden("this server takes no writes"));
    }
    match (caller, need) {
        (_, Need::Nothing) | (Caller::Trusted, _) | (Caller::Link { .. }, Need::Read) => Ok(()),
        (_, Need::Read) if settings.public_read || settings.token.is_none() => Ok(()),
        _ if settings.token.is_none() => Err(Problem::forbidden(
            "this server has no token set, so it only reads objects; set CHUNK_STORE_HTTP_TOKEN",
        )),
        _ => Err(unauthorized("give the token: `Authorization: Bearer TOKEN`")
            .with(WWW_AUTHENTICATE, "Bearer realm=\"chunk-store\"")),
    }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

/// Refuses what a page that somebody opened on this machine sends to an open server.
fn check_local(settings: &Settings, head: &Parts, need: Need) -> Result<(), Problem> {
    let host = host_of(head);
    if host.as_ref().is_some_and(|host| !is_loopback(host.host())) {
        return Err(Problem::forbidden(
            "a server that needs no token answers only to names of its own machine, such as localhost",
        ));
    }
    let Some(origin) = head.headers.get(ORIGIN).filter(|_| need == Need::Write) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let own = origin.split_once("://").map(|(_, authority)| authority);
    if own.is_some() && own == host.as_ref().map(Authority::as_str)
        || settings.origins.allows(origin)
    {
        return Ok(());
    }
    Err(Problem::forbidden("pages of other origins may not write here"))
}

fn host_of(head: &Parts) -> Option<Authority> {
    let named = |headers: &HeaderMap| headers.get(HOST)?.to_str().ok()?.parse().ok();
    head.uri.authority().cloned().or_else(|| named(&head.headers))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let name = host.to_ascii_lowercase();
    address.is_ok_and(|address| address.is_loopback())
        || name == "localhost"
        || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_own_machine() {
        for host in ["localhost", "LOCALHOST", "store.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["example.org", "localhost.example.org", "10.0.0.1", "[::2]", "", "notlocalhost"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn only_what_everybody_may_know_needs_nothing() {
        let object = Target::Object("a".into());
        assert_eq!(Need::of(&Method::GET, &object), Need::Read);
        assert_eq!(Need::of(&Method::HEAD, &object), Need::Read);
        assert_eq!(Need::of(&Method::PUT, &object), Need::Write);
        assert_eq!(Need::of(&Method::OPTIONS, &object), Need::Nothing);
        assert_eq!(Need::of(&Method::GET, &Target::Health), Need::Nothing);
        assert_eq!(Need::of(&Method::GET, &Target::Ui("/main.js".into())), Need::Nothing);
        assert_eq!(Need::of(&Method::POST, &Target::Sign("a".into())), Need::Inside);
        for inside in [Target::List, Target::Uploads, Target::Head("a".into())] {
            assert_eq!(Need::of(&Method::GET, &inside), Need::Inside);
            assert_eq!(Need::of(&Method::POST, &inside), Need::Write);
        }
    }
}
