//! Which server a request goes to: the only one, or in a cluster the one that holds
//! the slot of its tag.
//!
//! There are 16 tags and so 16 slots to know about. A node that no longer holds one
//! refuses and names the node that does; the request then goes there. That is the
//! only case, besides a script that a server has forgotten, in which a request is
//! sent twice: the first server has certainly not acted on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chunk_store::kv::KvError;
use redis::{Pipeline, Value};

use super::address::Address;
use super::errors::Trouble;
use super::lane::{Link, Node, Weight, text};
use super::layout::TAGS;

/// How many times a request follows a slot that moves.
const SENDS_MAX: u32 = 5;

/// All servers of a store.
pub(super) struct Servers {
    address: Address,
    cluster: bool,
    known: Mutex<Known>,
    /// Held while the cluster is asked who holds what, so that one asks for all.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    nodes: HashMap<String, Arc<Node>>,
    /// Who holds the slot of each tag; nobody after a node was lost.
    owners: [Option<Arc<Node>>; TAGS],
}

impl Servers {
    /// Connects to nobody yet.
    pub(super) fn new(address: Address, cluster: bool) -> Self {
        Self { address, cluster, known: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// The nodes that hold values, each once.
    pub(super) async fn owners(&self) -> Result<Vec<Arc<Node>>, (String, Trouble)> {
        let mut nodes: Vec<Arc<Node>> = Vec::new();
        for tag in 0..TAGS {
            let node = self.owner(tag).await?;
            if !nodes.iter().any(|known| Arc::ptr_eq(known, &node)) {
                nodes.push(node);
            }
        }
        Ok(nodes)
    }

    /// Sends what `commands` makes to the owner of a tag; gives the answers.
    pub(super) async fn call(
        &self,
        tag: usize,
        weight: Weight,
        commands: impl Fn(&Link) -> Pipeline + Send + Sync,
    ) -> Result<Vec<Value>, KvError> {
        let mut node = self.owner(tag).await.map_err(|(place, why)| why.kv_error(&place))?;
        let mut once = false;
        for sends in 1.. {
            let sent = match once {
                false => node.lane(weight).send(&commands).await,
                true => node.lane(weight).send(|link| after_asking(&commands(link))).await,
            };
            let why = match sent {
                Ok(answers) if once => return Ok(answers.into_iter().skip(1).step_by(2).collect()),
                Ok(answers) => return Ok(answers),
                Err(why) => why,
            };
            let next = self.next(tag, &node, &why);
            match next {
                Some((next, ask)) if sends < SENDS_MAX => (node, once) = (next, ask),
                _ => return Err(why.kv_error(&node.place)),
            }
        }
        unreachable!("the loop returns")
    }

    /// Where to send a request that was refused, and whether to ask for it only this
    /// once; `None` if it is not to be sent again.
    fn next(&self, tag: usize, node: &Arc<Node>, why: &Trouble) -> Option<(Arc<Node>, bool)> {
        if why.lacks_script() {
            return Some((node.clone(), false));
        }
        if !self.cluster {
            return None;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match why.redirect() {
            Some((address, ask)) => {
                // Without a host it is the one that was asked.
                let place = match address.strip_prefix(':') {
                    Some(port) => format!("{}:{port}", host(&node.place)),
                    None => address.into(),
                };
                let next = self.node(&mut known, &place);
                if !ask {
                    known.owners[tag] = Some(next.clone());
                }
                Some((next, ask))
            }
            None => {
                // Somebody else may hold its slots soon.
                if !why.is_final() {
                    known.owners = Default::default();
                }
                None
            }
        }
    }

    /// The node at an address of the form `host:port`.
    fn node(&self, known: &mut Known, place: &str) -> Arc<Node> {
        let make = || Arc::new(Node::new(place.into(), &self.address.client(place)));
        known.nodes.entry(place.into()).or_insert_with(make).clone()
    }

    fn known_owner(&self, tag: usize) -> Option<Arc<Node>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match self.cluster {
            true => known.owners[tag].clone(),
            false => Some(self.node(&mut known, &self.address.seeds[0])),
        }
    }

    async fn owner(&self, tag: usize) -> Result<Arc<Node>, (String, Trouble)> {
        if let Some(node) = self.known_owner(tag) {
            return Ok(node);
        }
        let _asking = self.asking.lock().await;
        match self.known_owner(tag) {
            Some(node) => Ok(node),
            None => self.ask_owners(tag).await,
        }
    }

    /// Asks one node after the other who holds what.
    async fn ask_owners(&self, tag: usize) -> Result<Arc<Node>, (String, Trouble)> {
        let candidates: Vec<Arc<Node>> = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let mut places: Vec<String> = self.address.seeds.clone();
            places.extend(
                known.nodes.keys().filter(|place| !self.address.seeds.contains(place)).cloned(),
            );
            places.iter().map(|place| self.node(&mut known, place)).collect()
        };
        let mut last = None;
        for node in candidates {
            let slots = node.lane(Weight::Small).send(|_| {
                let mut commands = Pipeline::new();
                commands.cmd("CLUSTER").arg("SLOTS");
                commands
            });
            let owners = match slots.await {
                Ok(answers) => owners(answers, host(&node.place)),
                Err(why) => Err(why),
            };
            match owners {
                Ok(owners) => {
                    let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                    let nodes =
                        owners.map(|place| place.map(|place| self.node(&mut known, &place)));
                    let owner = nodes[tag].clone();
                    known.owners = nodes;
                    match owner {
                        Some(owner) => return Ok(owner),
                        None => {
                            let why = "nobody holds some of its slots".into();
                            let why = Trouble::Refused { code: "CLUSTERDOWN".into(), detail: why };
                            last = Some((node.place.clone(), why));
                        }
                    }
                }
                Err(why) => last = Some((node.place.clone(), why)),
            }
        }
        Err(last.expect("a store has at least one address"))
    }
}

/// The host in `host:port`.
fn host(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(host, _)| host)
}

/// Each command with leave to act on a slot that is still moving.
fn after_asking(commands: &Pipeline) -> Pipeline {
    let mut all = Pipeline::new();
    for command in commands.cmd_iter() {
        all.cmd("ASKING");
        all.add_command(command.clone());
    }
    all
}

/// Who holds the slots of the tags, in an answer to `CLUSTER SLOTS`.
fn owners(answers: Vec<Value>, asked_host: &str) -> Result<[Option<String>; TAGS], Trouble> {
    let Some(Value::Array(ranges)) = answers.into_iter().next() else { return Err(Trouble::odd()) };
    let mut owners: [Option<String>; TAGS] = Default::default();
    for range in ranges {
        let (first, last, place) = range_of(range, asked_host).ok_or_else(Trouble::odd)?;
        for (tag, owner) in owners.iter_mut().enumerate() {
            if (first..=last).contains(&slot(tag)) {
                *owner = Some(place.clone());
            }
        }
    }
    Ok(owners)
}

/// The first and last slot of a range, and `host:port` of the node that holds it.
fn range_of(range: Value, asked_host: &str) -> Option<(u16, u16, String)> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let mut number = || text(parts.next()?)?.parse().ok();
    let (first, last) = (number()?, number()?);
    let Value::Array(node) = parts.next()? else { return None };
    let mut node = node.into_iter();
    // A node that does not know its name is where it was asked.
    let host = text(node.next()?).filter(|host| !host.is_empty() && host != "?");
    let port = text(node.next()?)?;
    Some((first, last, format!("{}:{port}", host.as_deref().unwrap_or(asked_host))))
}

/// The cluster's slot of a tag: CRC-16/XMODEM of what stands in the braces.
const fn slot(tag: usize) -> u16 {
    let mut crc = (b"0123456789abcdef"[tag] as u16) << 8;
    let mut bit = 0;
    while bit < 8 {
        crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        bit += 1;
    }
    crc % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_are_those_of_the_cluster_specification() {
        // By CLUSTER KEYSLOT of a server.
        let wanted = [
            13907, 9842, 5649, 1584, 14039, 9974, 5781, 1716, 14171, 10106, 15495, 3300, 7365,
            11298, 15363, 3168,
        ];
        assert_eq!(std::array::from_fn(slot), wanted);
    }

    #[test]
    fn every_tag_finds_its_node() {
        let text = |text: &str| Value::BulkString(text.into());
        let range = |first, last, host: &str, port| {
            let node = Value::Array(vec![text(host), Value::Int(port), text("id")]);
            let replica = Value::Array(vec![text("replica"), Value::Int(1), text("id")]);
            Value::Array(vec![Value::Int(first), Value::Int(last), node, replica])
        };
        let answer = Value::Array(vec![range(0, 5999, "", 7000), range(6000, 14000, "b", 7001)]);
        let owners = owners(vec![answer], "a").unwrap();
        assert_eq!(owners[2].as_deref(), Some("a:7000"));
        assert_eq!(owners[0].as_deref(), Some("b:7001"));
        assert_eq!(owners[4], None, "a slot that nobody holds");
        assert!(super::owners(vec![Value::Okay], "a").is_err());
    }
}
