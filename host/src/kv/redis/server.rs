//! What a server says of itself: how large values may be, and whether it keeps what
//! it has acknowledged.

use std::collections::HashMap;

use redis::{Pipeline, Value};

use super::errors::Trouble;
use super::lane::{Node, Weight, text};
use super::layout::{HEAD_BYTES, SUMMARY_BYTES_MAX};

/// Largest string that Redis holds where nothing else is set, and the largest that is
/// used where more is allowed.
const STRING_BYTES_MAX: u64 = 512 << 20;

/// What is asked for.
const SETTINGS: [&str; 5] =
    ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "proto-max-bulk-len"];

/// Settings by name; those that the server does not tell are missing.
type Settings = HashMap<String, String>;

/// What was found out.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) value_bytes_max: u64,
    pub(super) warnings: Vec<String>,
}

/// Asks a server for its settings.
pub(super) async fn examine(node: &Node) -> Result<Report, Trouble> {
    let settings = match settings(node).await {
        Ok(settings) => settings,
        // Many hosted servers keep their settings to themselves.
        Err(Trouble::Refused { code, .. }) if code == "NOPERM" || code == "ERR" => HashMap::new(),
        Err(why) => return Err(why),
    };
    Ok(Report {
        value_bytes_max: value_bytes_max(&settings),
        warnings: warnings(&settings, &node.place),
    })
}

/// Whether a server holds only some of the slots of a cluster.
pub(super) async fn is_in_cluster(node: &Node) -> Result<bool, Trouble> {
    let answers = node.lane(Weight::Small).send(|_| {
        let mut commands = Pipeline::new();
        commands.cmd("INFO").arg("cluster");
        commands
    });
    match answers.await {
        Ok(mut answers) => {
            let info = answers.pop().and_then(text).unwrap_or_default();
            Ok(info.lines().any(|line| line == "cluster_enabled:1"))
        }
        // It does not tell: then a write will.
        Err(Trouble::Refused { .. }) => Ok(false),
        Err(why) => Err(why),
    }
}

async fn settings(node: &Node) -> Result<Settings, Trouble> {
    let answers = node.lane(Weight::Small).send(|_| {
        let mut commands = Pipeline::new();
        for setting in SETTINGS {
            // One by one: before version 7 a request has one name only.
            commands.cmd("CONFIG").arg("GET").arg(setting);
        }
        commands
    });
    let pairs = answers.await?.into_iter().filter_map(|answer| match answer {
        Value::Array(pair) => {
            let mut pair = pair.into_iter();
            Some((text(pair.next()?)?, text(pair.next()?)?))
        }
        _ => None,
    });
    Ok(pairs.collect())
}

/// The largest value's bytes that fit into one string of the server.
fn value_bytes_max(settings: &Settings) -> u64 {
    let allowed = settings.get("proto-max-bulk-len").and_then(|bytes| bytes.parse().ok());
    let string = allowed.unwrap_or(STRING_BYTES_MAX).min(STRING_BYTES_MAX);
    string.saturating_sub((HEAD_BYTES + SUMMARY_BYTES_MAX) as u64)
}

/// What a store on this server can lose that it was told is safe; each is one line
/// that says what to do.
fn warnings(settings: &Settings, place: &str) -> Vec<String> {
    const SILENCE: &str = "or add ?durability=none to the URL if it may";
    let get = |name| settings.get(name).map(String::as_str);
    let mut warnings = Vec::new();
    let durable = "set appendonly yes and appendfsync always in it";
    match (get("appendonly"), get("appendfsync")) {
        (Some("yes"), Some("always")) => {}
        (Some("yes"), Some(sync)) => warnings.push(format!(
            "redis at {place} may lose in a crash what it has acknowledged (appendfsync {sync}): \
             set appendfsync always in it, {SILENCE}"
        )),
        (Some(_), _) => warnings.push(format!(
            "redis at {place} loses in a crash what it has acknowledged (appendonly no): \
             {durable}, {SILENCE}"
        )),
        (None, _) => warnings.push(format!(
            "redis at {place} does not tell whether it keeps what it has acknowledged (CONFIG GET \
             is refused): {durable}, {SILENCE}"
        )),
    }
    let policy = get("maxmemory-policy").unwrap_or("noeviction");
    if policy != "noeviction" && get("maxmemory").is_some_and(|bytes| bytes != "0") {
        warnings.push(format!(
            "redis at {place} removes values when its memory is full (maxmemory-policy {policy}): \
             set maxmemory-policy noeviction in it, {SILENCE}"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn only_a_server_that_loses_nothing_is_passed_over_in_silence() {
        let always = [("appendonly", "yes"), ("appendfsync", "always")];
        let everysec = [("appendonly", "yes"), ("appendfsync", "everysec")];
        let none = [("appendonly", "no"), ("appendfsync", "always")];
        let full = |policy| [("maxmemory", "1000000"), ("maxmemory-policy", policy)];
        let unbounded = [("maxmemory", "0"), ("maxmemory-policy", "allkeys-lru")];
        for (found, parts) in [
            ([always, full("noeviction")].concat(), &[][..]),
            ([always, unbounded].concat(), &[]),
            ([everysec, unbounded].concat(), &["appendfsync everysec"]),
            (none.to_vec(), &["appendonly no"]),
            (vec![], &["CONFIG GET is refused"]),
            ([none, full("volatile-lru")].concat(), &["appendonly no", "volatile-lru"]),
        ] {
            let warnings = warnings(&settings(&found), "host:1");
            assert_eq!(warnings.len(), parts.len(), "{found:?}: {warnings:?}");
            for (warning, part) in warnings.iter().zip(parts) {
                assert!(warning.contains(part), "{warning}");
                assert!(warning.starts_with("redis at host:1 "), "{warning}");
                assert!(warning.contains("?durability=none"), "{warning}");
            }
        }
    }

    #[test]
    fn a_value_fits_into_a_string_of_the_server() {
        for (found, string) in [
            (vec![], 512 << 20),
            (vec![("proto-max-bulk-len", "1048576")], 1 << 20),
            (vec![("proto-max-bulk-len", "9000000000")], 512 << 20),
        ] {
            assert_eq!(value_bytes_max(&settings(&found)), string - 19 - 1024);
        }
    }
}
