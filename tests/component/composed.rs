//! The components for other hosts: what they ask for, and what they serve.

use std::collections::BTreeSet;

use chunk_store_components::{File, HOSTS, Host, Interfaces, KV, Surface, all, compose, file};

fn names(interfaces: &Interfaces) -> BTreeSet<&str> {
    interfaces.keys().map(String::as_str).collect()
}

fn surface(files: &[File], name: &str) -> Surface {
    let file = files.iter().find(|file| file.name == format!("{name}.wasm"));
    Surface::of(&file.expect(name).bytes).expect(name)
}

/// What the adapter of a host may ask for, and has to.
fn asked(host: &Host) -> &'static [&'static str] {
    match host.name {
        "filesystem" => &["wasi:filesystem/preopens@0.3.0", "wasi:filesystem/types@0.3.0"],
        "spin" => &["spin:key-value/key-value@3.0.0", "wasi:cli/environment@0.3.0"],
        "wasi-keyvalue" => &["wasi:keyvalue/store@0.2.0-draft2", "wasi:cli/environment@0.3.0"],
        other => panic!("what does the adapter for {other} ask for?"),
    }
}

#[test]
fn there_is_a_store_and_a_gateway_for_every_host() {
    let files = all().unwrap();
    let found: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let bases = ["store.wasm", "gateway.wasm", "workers-web.wasm", "workers.wasm"];
    let mut wanted = bases.map(String::from).to_vec();
    for host in ["filesystem", "spin", "wasi-keyvalue"] {
        wanted.push(format!("{host}.wasm"));
        wanted.extend([format!("store-{host}.wasm"), format!("gateway-{host}.wasm")]);
    }
    assert_eq!(found, wanted);
}

#[test]
fn each_is_what_its_host_takes() {
    let files = all().unwrap();
    let (store, gateway) = (surface(&files, "store"), surface(&files, "gateway"));
    assert!(gateway.exports.contains_key("wasi:http/handler@0.3.0"));
    let (web, workers) = (surface(&files, "workers-web"), surface(&files, "workers"));
    assert_eq!(web.imports, workers.imports);
    assert_eq!(workers.imports[KV], store.imports[KV]);
    assert!(web.exports.contains_key("streaming:chunk-store/web@0.1.0"));
    let mut exports = store.exports.clone();
    exports.extend(web.exports);
    assert_eq!(workers.exports, exports);
    for host in HOSTS {
        assert_eq!(surface(&files, host.name).exports[KV], store.imports[KV]);
        for (base, name) in [(&store, "store"), (&gateway, "gateway")] {
            let composed = surface(&files, &format!("{name}-{}", host.name));
            assert_eq!(base.exports, composed.exports);
            let mut imports = names(&base.imports);
            assert!(imports.remove(KV));
            imports.extend(asked(host));
            assert_eq!(names(&composed.imports), imports);
        }
    }
}

#[test]
fn each_says_what_it_is() {
    for File { name, bytes } in all().unwrap() {
        let wasm_metadata::Payload::Component { metadata, .. } =
            wasm_metadata::Payload::from_binary(&bytes).unwrap()
        else {
            panic!("{name} is no component")
        };
        assert_eq!(metadata.name.as_deref(), name.strip_suffix(".wasm"));
        let said = |what: Option<String>| what.unwrap_or_else(|| panic!("{name} does not say all"));
        assert_eq!(said(metadata.version.map(|it| it.to_string())), env!("CARGO_PKG_VERSION"));
        assert_eq!(said(metadata.licenses.map(|it| it.to_string())), "Apache-2.0 OR MIT");
        assert!(said(metadata.description.map(|it| it.to_string())).contains("key-value"));
        assert!(said(metadata.source.map(|it| it.to_string())).starts_with("https://"));
    }
}

#[test]
fn a_kv_that_is_left_over_is_an_error() {
    let host = &HOSTS[0];
    let store = Surface::of(chunk_store_host::COMPONENT).unwrap();
    let why = store.check(host.gives, &store.exports).unwrap_err();
    assert!(why.contains(KV) && why.contains("still imported"), "{why}");
    // What exports no kv cannot be put below.
    assert!(compose(chunk_store_host::COMPONENT, chunk_store_host::GATEWAY).is_err());
}

#[test]
fn an_import_that_the_host_does_not_give_is_an_error() {
    for host in HOSTS {
        let name = format!("store-{}.wasm", host.name);
        let composed = Surface::of(&file(&name).unwrap().bytes).unwrap();
        let one = asked(host)[0];
        let gives: Vec<&str> = host.gives.iter().copied().filter(|name| *name != one).collect();
        let why = composed.check(&gives, &composed.exports).unwrap_err();
        assert!(why.contains(one), "{why}");
    }
}

#[test]
fn an_export_that_is_missing_or_too_much_is_an_error() {
    let surface = Surface::of(chunk_store_host::COMPONENT).unwrap();
    let gives: Vec<&str> = names(&surface.imports).into_iter().collect();
    assert_eq!(surface.check(&gives, &surface.exports), Ok(()));
    let (first, functions) = surface.exports.first_key_value().unwrap();

    let mut more = surface.exports.clone();
    more.insert("one:more/interface".into(), functions.clone());
    assert!(surface.check(&gives, &more).unwrap_err().contains("one:more/interface"));

    let mut larger = surface.exports.clone();
    larger.get_mut(first).unwrap().insert("one-more".into());
    assert!(surface.check(&gives, &larger).unwrap_err().contains("lacks one-more"));

    let mut fewer = surface.exports.clone();
    fewer.remove(&first.clone());
    assert!(surface.check(&gives, &fewer).unwrap_err().contains("nobody asked"));
}
