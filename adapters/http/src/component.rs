//! The gateway component: `wasi:http/handler` over the store that the same component
//! exports. Its settings are the environment's; see [`Settings`].

mod request;
mod response;

use chunk_store::component::{ImportedKv, store};
use chunk_store::wasi::WasiClock;
use wasip3::cli::environment::get_environment;
use wasip3::http::types::{ErrorCode, Request, Response};
use wasip3::http_compat::http_from_wasi_request;

use self::request::RequestBody;
use crate::gateway::Gateway;
use crate::problem::Failure;
use crate::settings::Settings;

wasip3::http::service::export!(Component);

struct Component;

thread_local! {
    /// One gateway for the instance, or why its settings are none.
    static GATEWAY: Result<Gateway<ImportedKv, WasiClock>, String> =
        Settings::parse(get_environment())
            .map(|settings| Gateway::new(store(), WasiClock, settings));
}

impl wasip3::exports::http::handler::Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        // Settings that are not understood open nothing.
        let gateway =
            GATEWAY.with(Clone::clone).map_err(|why| ErrorCode::InternalError(Some(why)))?;
        let request = http_from_wasi_request(request)?;
        let called = format!("{} {}", request.method(), request.uri().path());
        let response = gateway.handle(request.map(RequestBody::from)).await;
        if let Some(Failure(why)) = response.extensions().get()
            && response.status().is_server_error()
        {
            response::log(format!("{called}: {} {why}", response.status().as_u16()));
        }
        response::send(response)
    }
}
