//! The guest's `kv`, served from a backend.

use std::sync::Arc;

use bytes::Bytes;
use chunk_store::kv::checks;
use wasmtime::AsContext;
use wasmtime::component::{Accessor, HasData, Linker, WasmList};

use crate::bindings::kv;
use crate::kv::Backend;
use crate::surroundings::State;

/// Serves `kv` to instances made by this linker.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    kv::add_to_linker::<_, ServedKv>(linker, |state| state)?;
    // The generated `set` reads its value element by element into a vector. Chunks
    // come through here: copied as one piece they take two thirds of the time.
    linker.allow_shadowing(true);
    linker.instance("streaming:chunk-store/kv@0.1.0")?.func_wrap_concurrent(
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
        let part = part.map(|kv::Span { start, end }| checks::span(start, end)).transpose()?;
        let entry = backend(accessor).get(&key, part).await?;
        Ok(entry.map(Into::into))
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
