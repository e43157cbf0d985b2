//! What the operator says of a platform that does not tell its limits. Pure.

use chunk_store::key::FIXED_KEY_BYTES_MAX;
use chunk_store::kv::KvLimits;
use chunk_store::limits::{CHUNK_BYTES_MAX, VALUE_BYTES_MIN};

/// What the store's label is set by.
const STORE: &str = "CHUNK_STORE_KV_STORE";

/// What the largest value, in bytes, is set by.
const VALUE_BYTES: &str = "CHUNK_STORE_KV_VALUE_BYTES_MAX";

/// What the longest key, in bytes, is set by.
const KEY_BYTES: &str = "CHUNK_STORE_KV_KEY_BYTES_MAX";

/// What the age that reads may have, in milliseconds, is set by.
const STALENESS_MS: &str = "CHUNK_STORE_KV_STALENESS_MS";

/// Longer keys than this no platform is known to take.
const KEY_BYTES_END: u64 = 64 << 10;

/// Reads are never taken to be older than a day.
const STALENESS_MS_END: u64 = 24 * 3600 * 1000;

const CONCURRENCY_MAX: u32 = 8;

/// A call that its caller gave up on is not stopped: this long the platform may take.
const WRITE_LAG_MS_MAX: u32 = 30_000;

/// Room for a few of the largest chunks in flight, in an instance that is not alone.
const MEMORY_BYTES_MAX: u64 = 16 << 20;

/// Which store of the platform, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the platform calls the store.
    pub store: String,
    value_bytes_max: u64,
    key_bytes_max: u32,
    staleness_ms: u32,
}

impl Default for Settings {
    /// What every host of Spin guarantees (1 MB, 256 bytes); reads are current.
    fn default() -> Self {
        Self {
            store: "default".into(),
            value_bytes_max: 1_000_000,
            key_bytes_max: 256,
            staleness_ms: 0,
        }
    }
}

impl Settings {
    /// Those of an environment. The error is one line that says which one is wrong.
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, value) in variables {
            match name.as_str() {
                STORE if value.is_empty() => return Err(format!("{STORE} names no store")),
                STORE => settings.store = value,
                VALUE_BYTES => {
                    let bytes = number(&name, &value, VALUE_BYTES_MIN, CHUNK_BYTES_MAX)?;
                    settings.value_bytes_max = bytes;
                }
                KEY_BYTES => {
                    let least = FIXED_KEY_BYTES_MAX.into();
                    settings.key_bytes_max = number(&name, &value, least, KEY_BYTES_END)? as u32;
                }
                STALENESS_MS => {
                    settings.staleness_ms = number(&name, &value, 0, STALENESS_MS_END)? as u32;
                }
                _ => {}
            }
        }
        Ok(settings)
    }

    /// The limits of a platform that can do no more than a [`Plain`](crate::Plain) one.
    pub fn limits(&self) -> KvLimits {
        KvLimits {
            value_bytes_max: self.value_bytes_max,
            key_bytes_max: self.key_bytes_max,
            summary_bytes_max: 0,
            ttl_seconds_min: None,
            staleness_ms: self.staleness_ms,
            write_lag_ms_max: WRITE_LAG_MS_MAX,
            rewrite_interval_ms: 0,
            operations_max: None,
            concurrency_max: CONCURRENCY_MAX,
            memory_bytes_max: MEMORY_BYTES_MAX,
            ranged_get: false,
            conditional_write: false,
        }
    }
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{name} is {value:?}: set a number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(variables.iter().map(|(name, value)| (name.to_string(), value.to_string())))
    }

    #[test]
    fn without_settings_a_platform_holds_what_every_host_of_spin_does() {
        let settings = read(&[("HOME", "/"), ("CHUNK_STORE_HTTP_TOKEN", "x")]).unwrap();
        assert_eq!(settings, Settings::default());
        let limits = settings.limits();
        assert_eq!((limits.value_bytes_max, limits.key_bytes_max), (1_000_000, 256));
        assert_eq!((limits.staleness_ms, settings.store.as_str()), (0, "default"));
    }

    #[test]
    fn each_is_settable() {
        let settings = read(&[
            (STORE, "films"),
            (VALUE_BYTES, "4194304"),
            (KEY_BYTES, "1024"),
            (STALENESS_MS, "60000"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.store, "films");
        let limits = settings.limits();
        assert_eq!((limits.value_bytes_max, limits.key_bytes_max), (4 << 20, 1024));
        assert_eq!(limits.staleness_ms, 60_000);
    }

    #[test]
    fn one_that_cannot_be_is_named_with_what_can() {
        for (name, value, wanted) in [
            (VALUE_BYTES, "1MB", "from 65536 to 67108864"),
            (VALUE_BYTES, "65535", "from 65536 to 67108864"),
            (KEY_BYTES, "98", "from 99 to 65536"),
            (STALENESS_MS, "-1", "from 0 to 86400000"),
        ] {
            let why = read(&[(name, value)]).unwrap_err();
            assert!(why.starts_with(name) && why.ends_with(wanted), "{why}");
        }
        assert_eq!(read(&[(STORE, "")]), Err(format!("{STORE} names no store")));
    }
}
