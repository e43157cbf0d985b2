//! What is read: an object, or the write of one that is under way.

use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, ObjectInfo, Precondition};
use chunk_store::range::{ByteRange, Span};
use chunk_store_host::{ChunkStore, Error, ObjectReader, UploadReader};

use crate::cli::args::Get;
use crate::cli::failure::Failure;

/// A body on its way out.
pub struct Reading {
    key: String,
    body: Body,
}

enum Body {
    Object(ObjectReader),
    /// From the offset.
    Upload(UploadReader, u64),
}

impl Reading {
    /// Opens what the arguments name.
    pub async fn open(store: &ChunkStore, get: &Get) -> Result<Self, Failure> {
        let options = GetOptions { range: get.range, ..GetOptions::default() };
        let start = match get.range {
            None => Some(0),
            Some(ByteRange::From(start)) => Some(start),
            Some(_) => None,
        };
        let mut followed = false;
        loop {
            let error = match store.get(&get.key, options.clone()).await {
                Ok(reader) => return Ok(Self::new(&get.key, Body::Object(reader))),
                Err(Error::Store(StoreError::NotFound)) if get.follow && !followed => {
                    let Some(start) = start else {
                        return Err(Failure::usage(
                            "what is still being written can be followed from a byte on only: --range A-",
                        ));
                    };
                    match store.follow(&get.key, start, get.stall).await {
                        Ok(reader) => {
                            return Ok(Self::new(&get.key, Body::Upload(reader, start)));
                        }
                        // It may have been committed between the two looks.
                        Err(Error::Store(StoreError::NotFound)) => {
                            followed = true;
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let failure = Failure::of(&get.key, error);
            return Err(match followed {
                true => Failure {
                    message: format!("{}, and none is being written", failure.message),
                    ..failure
                },
                false => failure,
            });
        }
    }

    /// Opens the rest of an object, from an offset on.
    pub async fn rest(store: &ChunkStore, info: &ObjectInfo, from: u64) -> Result<Self, Failure> {
        let options = GetOptions {
            range: Some(ByteRange::From(from)),
            precondition: Some(Precondition::EtagIn(vec![info.etag.clone()])),
            ..GetOptions::default()
        };
        let reader = store.get(&info.key, options).await;
        let reader = reader.map_err(|error| Failure::of(&info.key, error))?;
        Ok(Self::new(&info.key, Body::Object(reader)))
    }

    fn new(key: &str, body: Body) -> Self {
        Self { key: key.to_string(), body }
    }

    /// The object, if it is one that has been committed and all of it is read.
    pub fn whole_object(&self) -> Option<&ObjectInfo> {
        match &self.body {
            Body::Object(reader) => {
                let whole = reader.part() == Span::new(0, reader.info().size);
                whole.then_some(reader.info())
            }
            Body::Upload(..) => None,
        }
    }

    /// How many bytes come, if that is known.
    pub fn bytes(&self) -> Option<u64> {
        match &self.body {
            Body::Object(reader) => Some(reader.part().len()),
            Body::Upload(reader, start) => {
                reader.status().size.map(|size| size.saturating_sub(*start))
            }
        }
    }

    /// The next bytes; `None` after the last, and only if all was well.
    pub async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        let next = match &mut self.body {
            Body::Object(reader) => reader.next().await,
            Body::Upload(reader, _) => reader.next().await,
        };
        next.map(|piece| piece.map_err(|error| Failure::of(&self.key, error)))
    }

    /// After the last byte: what was read.
    pub fn ended(self) -> (ObjectInfo, Span) {
        match self.body {
            Body::Object(reader) => (reader.info().clone(), reader.part()),
            Body::Upload(reader, start) => {
                let info = reader.committed().expect("it ended well").clone();
                let part = Span::new(start, info.size);
                (info, part)
            }
        }
    }
}
