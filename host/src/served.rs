//! The guest's `kv`, served from a backend.

use std::sync::Arc;

use bytes::Bytes;
use chunk_store::kv::checks;
use wasmtime::AsContext;
use wasmtime::component::{Accessor, ComponentType, HasData, Linker, Lower, WasmList};

use crate::bindings::kv;
use crate::kv::Backend;
use crate::surroundings::State;

/// Serves `kv` to instances made by this linker.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    kv::add_to_linker::<_, ServedKv>(linker, |state| state)?;
    // Chunks come through these two. The generated `set` reads its value element by element
    // into a vector: copied as one piece they take two thirds of the time. What the
    // generated `get` gives is a vector, for which a value that others share, or that has
    // something in front, would be copied once more.
    linker.allow_shadowing(true);
    let mut kv = linker.instance("streaming:chunk-store/kv@0.1.0")?;
    kv.func_wrap_concurrent("get", |accessor, (key, part): (String, Option<kv::Span>)| {
        let backend = accessor.with(|access| access.as_context().data().backend.clone());
        Box::pin(async move { Ok((get(&*backend, &key, part).await,)) })
    })?;
    kv.func_wrap_concurrent(
        "set",
        |accessor, (key, value, options): (String, WasmList<u8>, kv::SetOptions)| {
            // Copied now: the guest may free it when this call has begun.
            let (backend, value) = accessor.with(|access| {
                let context = access.as_context();
                let value = Bytes::copy_from_slice(value.as_le_slice(context));
                (access.as_context().data().backend.clone(), value)
            });
            Box::pin(async move {
                let set = backend.set(&key, value, options.into()).await;
                Ok((set.map(kv::Outcome::from).map_err(kv::Error::from),))
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A value on its way to the guest, which is copied into its memory only.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Entry {
    value: Bytes,
    version: Option<String>,
}

async fn get(
    backend: &dyn Backend,
    key: &str,
    part: Option<kv::Span>,
) -> Result<Option<Entry>, kv::Error> {
    let part = part.map(|kv::Span { start, end }| checks::span(start, end)).transpose()?;
    let entry = backend.get(key, part).await?;
    Ok(entry.map(|found| Entry { value: found.value, version: found.version }))
}

/// Serves the guest's `kv` from the backend.
pub(crate) struct ServedKv;

impl HasData for ServedKv {
    type Data<'a> = &'a mut State;
}

fn backend<T>(accessor: &Accessor<T, ServedKv>) -> Arc<dyn Backend> {
    accessor.with(|mut access| access.get().backend.clone())
}

impl kv::Host for State {
    fn get_limits(&mut self) -> kv::Limits {
        self.limits().into()
    }
}

impl<T: Send + 'static> kv::HostWithStore<T> for ServedKv {
    async fn get(
        accessor: &Accessor<T, Self>,
        key: String,
        part: Option<kv::Span>,
    ) -> Result<Option<kv::Entry>, kv::Error> {
        let entry = get(&*backend(accessor), &key, part).await?;
        Ok(entry.map(|Entry { value, version }| kv::Entry { value: value.into(), version }))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        key: String,
        value: Vec<u8>,
        options: kv::SetOptions,
    ) -> Result<kv::Outcome, kv::Error> {
        Ok(backend(accessor).set(&key, value.into(), options.into()).await?.into())
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        key: String,
        condition: Option<kv::Condition>,
    ) -> Result<kv::Outcome, kv::Error> {
        Ok(backend(accessor).delete(&key, condition.map(Into::into)).await?.into())
    }

    async fn list_keys(
        accessor: &Accessor<T, Self>,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<kv::KeyPage, kv::Error> {
        Ok(backend(accessor).list_keys(&prefix, cursor.as_deref(), limit).await?.into())
    }
}
