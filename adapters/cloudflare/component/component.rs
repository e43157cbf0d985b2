//! The interfaces `web` and `tally`. Generated types are named in this module and the two beside it.

use std::cell::RefCell;

use chunk_store::component::{ImportedKv, store};
use chunk_store::metrics::Snapshot;
use chunk_store::wasi::WasiClock;
use chunk_store_http::{Gateway, Settings};
use wasip3::cli::environment::get_environment;
use wit_bindgen::{FutureReader, StreamReader};

use self::bindings::exports::streaming::chunk_store::{tally, web};
use crate::{answer, request};

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
pub(crate) mod bindings {
    wit_bindgen::generate!({
        // The world `workers-web` less what the core exports and imports by itself.
        inline: "
            package streaming:chunk-store-workers;

            world part {
                import wasi:cli/environment@0.3.0;
                export streaming:chunk-store/web@0.1.0;
                export streaming:chunk-store/tally@0.1.0;
            }
        ",
        path: "../../wit",
        with: { "wasi:cli/environment@0.3.0": wasip3::cli::environment },
    });
}

bindings::export!(Component with_types_in bindings);

struct Component;

thread_local! {
    /// One gateway for the instance, or why its settings are none.
    static GATEWAY: Result<Gateway<ImportedKv, WasiClock>, String> =
        Settings::parse(get_environment())
            .map(|settings| Gateway::new(store(), WasiClock, settings));

    /// What is part of a sum already.
    static ADDED: RefCell<Snapshot> = RefCell::default();
}

impl tally::Guest for Component {
    fn add(sum: Vec<u8>) -> Vec<u8> {
        let now = store().metrics();
        let before = ADDED.replace(now.clone());
        let mut sum = sum_of(&sum);
        sum.go_on_with(now.since(&before));
        sum.encode()
    }

    fn tell(sum: Vec<u8>) {
        // Where the settings are none, nothing is told.
        if let Ok(gateway) = GATEWAY.with(Clone::clone) {
            gateway.tell(sum_of(&sum));
        }
    }
}

fn sum_of(bytes: &[u8]) -> Snapshot {
    Snapshot::decode(bytes).expect("the host gives back what this component gave")
}

impl web::Guest for Component {
    async fn handle(
        request: web::Request,
        body: Option<StreamReader<u8>>,
        done: Option<FutureReader<Result<(), String>>>,
    ) -> web::Answer {
        // Settings that are not understood open nothing.
        let gateway = match GATEWAY.with(Clone::clone) {
            Ok(gateway) => gateway,
            Err(why) => return answer::misconfigured(&why),
        };
        match request::read(request, body, done) {
            Ok(request) => answer::send(gateway.handle(request).await),
            Err(why) => answer::unreadable(&why),
        }
    }
}
