//! nginx: a file for each object, put by WebDAV.

use std::path::PathBuf;

use super::web::{Asked, Web};
use crate::compare::disk;
use crate::compare::subject::{Entry, Group, Result, Role, Site, Subject};
use crate::compare::usage;
use crate::nginx::Nginx;

/// Beside this project's server.
pub const ENTRIES: [Entry; 1] = [Entry {
    group: Group::Http,
    name: "nginx",
    role: Role::Plain,
    note: "WebDAV `PUT`, `GET` by `sendfile`: the kernel moves pages of one file, nobody looks at a byte, and nothing is verified",
    bytes_max: u64::MAX,
    open: |site| Box::pin(open(site)),
}];

struct Files {
    nginx: Nginx,
    www: PathBuf,
}

async fn open(site: &Site) -> Result<Box<dyn Subject>> {
    let nginx = Nginx::start(&site.directory)?;
    Ok(Box::new(Asked::new(Files { nginx, www: site.directory.join("www") })))
}

impl Web for Files {
    fn servers(&self) -> Result<Vec<u32>> {
        usage::family(self.nginx.pid())
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        disk::allocated_bytes(&self.www).map(Some)
    }

    fn url(&self) -> String {
        self.nginx.url()
    }
}
