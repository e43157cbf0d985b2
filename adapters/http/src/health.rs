//! `/_/health`: whether the store below answers, for load balancers.

use std::pin::pin;

use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::object::ListOptions;
use futures::future::{Either, select};
use http::Response;
use serde::Serialize;

use crate::body::Body;
use crate::gateway::{Call, Gateway, json};
use crate::limits::HEALTH_TIMEOUT_MS;
use crate::problem::Problem;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    /// 200 if it lists a key, any, in [`HEALTH_TIMEOUT_MS`]; else 503. It lists, because a
    /// key that is asked for and not there would be remembered by some platforms.
    pub(crate) async fn health(&self, call: Call<'_>) -> Result<Response<Body>, Problem> {
        call.query.finish()?;
        let options = ListOptions { limit: 1, ..ListOptions::default() };
        let listing = pin!(self.store().list(&options));
        let patience = pin!(self.clock().sleep_ms(HEALTH_TIMEOUT_MS));
        let why = match select(listing, patience).await {
            Either::Left((Ok(_), _)) => return Ok(json(&Health { status: "ok" })),
            Either::Left((Err(error), _)) => error.to_string(),
            Either::Right(_) => format!("no answer in {HEALTH_TIMEOUT_MS} ms"),
        };
        Err(Error::Unavailable(format!("the store below does not answer: {why}"), None).into())
    }
}
