//! What the store's readers give, as bodies on their way out.

use super::super::ImportedKv;
use super::super::sending::{Next, Outgoing};
use crate::error::Error;
use crate::object::ObjectInfo;
use crate::store::follow::{Followed, Follower};
use crate::store::get::Reader;
use crate::wasi::WasiClock;

impl Outgoing for Reader<ImportedKv, WasiClock> {
    type End = ();

    async fn next(&mut self) -> Result<Next<()>, Error> {
        Ok(self.next().await.transpose()?.map_or(Next::End(()), Next::Piece))
    }

    fn put_back(&mut self, bytes: u64) {
        self.put_back(bytes);
    }
}

impl Outgoing for Follower<ImportedKv, WasiClock> {
    type End = ObjectInfo;

    async fn next(&mut self) -> Result<Next<ObjectInfo>, Error> {
        Ok(match self.next().await? {
            Followed::Piece(piece) => Next::Piece(piece),
            Followed::Committed(info) => Next::End(info),
        })
    }

    fn put_back(&mut self, bytes: u64) {
        self.put_back(bytes);
    }
}
