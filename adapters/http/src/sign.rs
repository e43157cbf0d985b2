//! `POST /_/sign/KEY?seconds=N`: a link to one object for who cannot send the token, such as
//! a `<video>`; as JSON: `path`, and `expires` in seconds since the Unix epoch.
//!
//! Where no token is set every link works, so `path` is the plain one and `expires` is
//! null. Whether there is such an object is not looked at. Nothing is written, so a
//! read-only server signs too.

use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use http::Response;
use serde::Serialize;

use crate::body::Body;
use crate::gateway::{Call, Gateway, json};
use crate::limits::{LINK_SECONDS_DEFAULT, LINK_SECONDS_MAX};
use crate::problem::Problem;
use crate::route::{Target, path_of};

#[derive(Serialize)]
struct Link {
    expires: Option<u64>,
    path: String,
}

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) fn sign(&self, mut call: Call<'_>) -> Result<Response<Body>, Problem> {
        let seconds = call.query.take_number("seconds")?.unwrap_or(LINK_SECONDS_DEFAULT);
        let Target::Sign(key) = &call.target else { unreachable!("only keys are signed") };
        call.query.finish()?;
        if !(1..=LINK_SECONDS_MAX).contains(&seconds) {
            return Err(Problem::invalid(format!("seconds is 1 to {LINK_SECONDS_MAX}")));
        }
        let answer = match &self.settings().token {
            None => Link { expires: None, path: path_of(key) },
            Some(token) => {
                let expires = self.clock().wall_ms() / 1000 + seconds;
                Link { expires: Some(expires), path: token.link_key.link(key, expires) }
            }
        };
        Ok(json(&answer))
    }
}
