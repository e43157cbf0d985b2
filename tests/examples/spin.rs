//! The example for Spin: composed with what its manifest names as Spin composes it, and run on
//! a harness of Spin; and what is made for Spin fits Spin's world.

mod compose;
mod manifest;
mod world;

use std::path::Path;

use bytes::Bytes;
use chunk_store_components::file;
use chunk_store_tests::http::{Client, Protocol, Sending};
use chunk_store_tests::spin::{self, App, GUARANTEED};
use chunk_store_tests::{digest, random, wasi_http};
use wasmtime_wasi::WasiCtx;

use self::manifest::Manifest;

/// The app's component, as its build makes it.
const APP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/example-spin.wasm"));

/// What Spin makes of the app.
fn composed() -> Vec<u8> {
    let manifest = Manifest::read();
    let dependencies = manifest.dependencies.iter().map(|(name, path)| {
        let built = Path::new(path).file_name().and_then(|name| name.to_str());
        (name.as_str(), file(built.expect("a file")).expect("it is built").bytes)
    });
    compose::as_spin_does(APP, &dependencies.collect::<Vec<_>>())
}

/// The app on two instances; gives a client and its store.
fn started() -> (Client, App) {
    let app = App::new(GUARANTEED);
    let instances = (0..2).map(|_| (WasiCtx::default(), app.instance())).collect();
    let url = wasi_http::serve(&composed(), instances, |linker| {
        spin::add_to_linker(linker, |state| &mut state.kv)
    });
    (Client::new(&url, Protocol::Http1, None), app)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_got_through_another_instance() {
    let (client, app) = started();
    let body = Bytes::from(random::bytes(5, 20_000_000));
    let put = client.send("PUT /films/a.mp4", &[], body.clone()).await.is(201);
    assert_eq!(String::from_utf8(put.bytes).unwrap(), format!("{}\n", digest(&body)));
    let got = client.send("GET /films/a.mp4", &[], Bytes::new()).await.is(200);
    assert_eq!(got.header("content-length"), body.len().to_string());
    assert!(got.bytes == body, "{} bytes came back", got.bytes.len());
    let values = app.values();
    assert!(values.contains_key("m/films/a.mp4"), "stored by its own key");
    assert!(values.values().all(|value| value.len() <= GUARANTEED.value_bytes_max));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_is_cut_off_is_told() {
    let (client, _) = started();
    client.send("GET /nothing", &[], Bytes::new()).await.is(404);
    client.send("DELETE /nothing", &[], Bytes::new()).await.is(405);
    let cut_off = Sending::broken(random::bytes(6, 3_000_000), Some(4_000_000));
    let answer = client.try_send("PUT /cut", &[], cut_off).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status >= 400));
    client.send("GET /cut", &[], Bytes::new()).await.is(404);
}

#[test]
fn the_manifest_allows_the_store_that_the_adapter_opens() {
    let manifest = Manifest::read();
    assert_eq!(manifest.key_value_stores, ["default"]);
    assert_eq!(manifest.inherited, ["key_value_stores"]);
}

#[test]
fn all_that_is_made_for_spin_fits_its_world() {
    for (name, world) in [
        ("store-spin.wasm", "platform"),
        ("store-wasi-keyvalue.wasm", "platform"),
        ("gateway-spin.wasm", "http-trigger"),
        ("gateway-wasi-keyvalue.wasm", "http-trigger"),
    ] {
        assert_eq!(world::misfits(&file(name).unwrap().bytes, world), [""; 0], "{name}");
    }
    assert_eq!(world::misfits(&composed(), "http-trigger"), [""; 0]);
}

#[test]
fn what_is_made_for_another_host_does_not_fit_spins_world() {
    let embedded = world::misfits(chunk_store_host::GATEWAY, "http-trigger");
    assert_eq!(embedded, ["it imports streaming:chunk-store/kv@0.1.0"]);
    let without_http = world::misfits(&file("store-spin.wasm").unwrap().bytes, "http-trigger");
    assert_eq!(without_http, ["it does not export wasi:http/handler@0.3.0"]);
}
