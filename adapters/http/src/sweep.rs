//! `POST /_/sweep`: gives back the space of what no object needs, and reports as JSON with
//! the field names of `wit/maintenance.wit`.
//!
//! Takes `grace-seconds`, `no-writers`, `operations-max`, `cursor` (from the report before) and
//! `dry-run`. One request makes at most [`SWEEP_OPERATIONS_DEFAULT`] kv operations unless it
//! says otherwise, so that it ends; a report with a cursor is to be gone on from.

use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use chunk_store::object::SweepOptions;
use http::Response;

use crate::body::Body;
use crate::gateway::{Call, Gateway, json};
use crate::limits::SWEEP_OPERATIONS_DEFAULT;
use crate::problem::Problem;

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn sweep(&self, mut call: Call<'_>) -> Result<Response<Body>, Problem> {
        let query = &mut call.query;
        let default = SweepOptions::default();
        let operations_max = query.take_number("operations-max")?;
        let options = SweepOptions {
            grace_seconds: query.take_number("grace-seconds")?.unwrap_or(default.grace_seconds),
            no_writers: query.take_switch("no-writers")?,
            operations_max: operations_max.or(Some(SWEEP_OPERATIONS_DEFAULT)),
            cursor: query.take("cursor").filter(|cursor| !cursor.is_empty()),
            dry_run: query.take_switch("dry-run")?,
        };
        call.query.finish()?;
        Ok(json(&self.store().sweep(&options).await?))
    }
}
