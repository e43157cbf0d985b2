//! What the rules are tried on: a store in the component, over a backend that is
//! empty at first.

use std::future::Future;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, ListOptions, ObjectInfo, ObjectPage, PutOptions};
use chunk_store::range::ByteRange;
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::file::{FileBackend, FileOptions};
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::{ChunkStore, Error, ObjectReader};
use chunk_store_tests::body::Body;
use chunk_store_tests::scratch;
use tempfile::TempDir;

/// A store under test. It is removed with all it stores when this is dropped.
pub struct Subject {
    store: ChunkStore,
    pub backend: Arc<dyn Backend>,
    directory: Option<TempDir>,
}

pub async fn memory() -> Subject {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    Subject { store: ChunkStore::new(backend.clone()).unwrap(), backend, directory: None }
}

pub async fn file() -> Subject {
    let directory = scratch();
    let backend = FileBackend::open(directory.path(), FileOptions::default()).await.unwrap();
    let backend: Arc<dyn Backend> = Arc::new(backend);
    let store = ChunkStore::new(backend.clone()).unwrap();
    Subject { store, backend, directory: Some(directory) }
}

/// Ends a test that waits for what never comes.
pub async fn in_time<T>(test: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(Duration::from_secs(300), test).await;
    ended.expect("it ends, and does not wait for ever")
}

impl Deref for Subject {
    type Target = ChunkStore;

    fn deref(&self) -> &ChunkStore {
        &self.store
    }
}

impl Subject {
    /// Where the file backend keeps its values.
    pub fn data(&self) -> std::path::PathBuf {
        self.directory.as_ref().map(TempDir::path).unwrap_or(Path::new("")).join("data")
    }

    pub async fn put_bytes(&self, key: &str, bytes: &[u8]) -> ObjectInfo {
        self.put_with(key, bytes, PutOptions::default()).await.unwrap()
    }

    pub async fn put_with(
        &self,
        key: &str,
        bytes: &[u8],
        options: PutOptions,
    ) -> Result<ObjectInfo, Error> {
        self.put(key, Body::of(bytes.to_vec()), options).await
    }

    /// The whole content, which has to be whole.
    pub async fn read(&self, key: &str) -> Vec<u8> {
        let reader = self.get(key, GetOptions::default()).await.unwrap();
        let size = reader.info().size;
        let bytes = read_to_end(reader).await.unwrap();
        assert_eq!(bytes.len() as u64, size);
        bytes
    }

    /// Part of the content: an error of opening it, or of reading it.
    pub async fn read_range(&self, key: &str, range: ByteRange) -> Result<Vec<u8>, Error> {
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let reader = self.get(key, options).await?;
        let part = reader.part();
        let bytes = read_to_end(reader).await.map_err(|(_, error)| error)?;
        assert_eq!(bytes.len() as u64, part.len(), "what was announced of {range:?}");
        Ok(bytes)
    }

    /// All pages of a listing in one.
    pub async fn list_all(&self, options: ListOptions) -> ObjectPage {
        let mut whole = ObjectPage::default();
        let mut cursor = None;
        // More pages than keys may be needed, but not without end.
        for _ in 0..10_000 {
            let page = self.list(ListOptions { cursor, ..options.clone() }).await.unwrap();
            assert!(page.objects.len() + page.prefixes.len() <= options.limit as usize);
            whole.objects.extend(page.objects);
            whole.prefixes.extend(page.prefixes);
            cursor = page.cursor;
            if cursor.is_none() {
                return whole;
            }
        }
        panic!("the listing has no end");
    }

    /// Every object key, in the order of the listing.
    pub async fn keys(&self) -> Vec<String> {
        let options = ListOptions { limit: 1000, ..ListOptions::default() };
        self.list_all(options).await.objects.into_iter().map(|object| object.key).collect()
    }

    /// The length of each value whose kv key begins so, in order.
    pub async fn value_lengths(&self, prefix: &str) -> Vec<u64> {
        let mut lengths = Vec::new();
        for key in self.kv_keys(prefix).await {
            let entry = self.backend.get(&key, None).await.unwrap().unwrap();
            lengths.push(entry.value.len() as u64);
        }
        lengths
    }

    /// Every kv key that begins so, in order.
    pub async fn kv_keys(&self, prefix: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.backend.list_keys(prefix, cursor.as_deref(), 1000).await.unwrap();
            keys.extend(page.keys.into_iter().map(|listed| listed.key));
            cursor = page.cursor;
            if cursor.is_none() {
                return keys;
            }
        }
    }
}

/// Everything that a reader gives; where it ends with an error, what came before too.
pub async fn read_to_end(mut reader: ObjectReader) -> Result<Vec<u8>, (Vec<u8>, Error)> {
    let mut bytes = Vec::new();
    while let Some(piece) = reader.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return Err((bytes, error)),
        }
    }
    Ok(bytes)
}

/// Puts this content, of an announced size or not, and reads it back without holding it.
pub async fn comes_back(store: &ChunkStore, content: &Bytes, announced: bool) -> ObjectInfo {
    let size = content.len() as u64;
    let options = PutOptions { size: announced.then_some(size), ..PutOptions::default() };
    let info = store.put("object", Body::of(content.clone()), options).await.unwrap();
    let mut reader = store.get("object", GetOptions::default()).await.unwrap();
    let mut read = 0;
    while let Some(piece) = reader.next().await {
        let piece = piece.unwrap();
        assert!(piece == content[read..read + piece.len()], "at byte {read}");
        read += piece.len();
    }
    assert_eq!(read as u64, size);
    info
}

/// The store's error; a trap or a success fails the test.
#[track_caller]
pub fn store_error<T>(result: Result<T, Error>) -> StoreError {
    match result {
        Ok(_) => panic!("it worked, and should not have"),
        Err(Error::Store(error)) => error,
        Err(error) => panic!("{error}"),
    }
}

/// Asserts that the outcome is an error of the store of this case; gives its text.
macro_rules! assert_error {
    ($result:expr, $case:pat) => {{
        let error = $crate::subject::store_error($result);
        assert!(matches!(error, $case), "{} is not what came: {error:?}", stringify!($case));
        error.to_string()
    }};
}
pub(crate) use assert_error;
