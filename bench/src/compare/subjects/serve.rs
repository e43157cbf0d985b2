//! This project's server.

use std::process::Command;

use chunk_store_tests::program;
use chunk_store_tests::serving::Server;

use super::web::{Asked, Web};
use crate::compare::disk;
use crate::compare::subject::{Entry, Group, Result, Role, Site, Subject};

/// Beside other servers.
pub const ENTRIES: [Entry; 1] = [Entry {
    group: Group::Http,
    name: "chunk-store serve",
    role: Role::Own,
    note: "`PUT` and `GET` on `file:DIR?sync=none`",
    bytes_max: u64::MAX,
    open: |site| Box::pin(open(site)),
}];

async fn open(site: &Site) -> Result<Box<dyn Subject>> {
    let mut command = Command::new(&site.program);
    program::isolate(&mut command, &site.tmp);
    let server = Server::below(&site.directory, &mut command, &["--quiet"]);
    Ok(Box::new(Asked::new(server)))
}

impl Web for Server {
    fn servers(&self) -> Result<Vec<u32>> {
        Ok(vec![self.process().id()])
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        disk::allocated_bytes(&self.store()).map(Some)
    }

    fn url(&self) -> String {
        Server::url(self)
    }
}
