//! The loop over a map in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use chunk_store_host::kv;

use crate::compare::native::{Lane, Native, Place};
use crate::compare::subject::{Entry, Group, Result, Role, Subject};

/// Beside the store on `memory:`.
pub const ENTRIES: [Entry; 1] = [Entry {
    group: Group::Memory,
    name: "native loop",
    role: Role::Floor,
    note: "the same chunks and digests, in a map",
    bytes_max: u64::MAX,
    open: |_| Box::pin(open()),
}];

async fn open() -> Result<Box<dyn Subject>> {
    let limits = kv::open("memory:").await?.limits();
    Ok(Box::new(Native::new(Values::default(), limits)))
}

#[derive(Default)]
struct Values(Mutex<HashMap<String, Bytes>>);

impl Place for Values {
    fn lane(&self) -> Result<Box<dyn Lane + '_>> {
        Ok(Box::new(self))
    }
}

impl Lane for &Values {
    fn set(&mut self, name: &str, value: Bytes) -> Result {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_string(), value);
        Ok(())
    }

    fn get(&mut self, name: &str) -> Result<Bytes> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(values.get(name).ok_or("there is no such value")?.clone())
    }
}
