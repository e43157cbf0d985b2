//! Histories that last for hours: uploads that go from hand to hand, who follows them,
//! and sweeps beside them.
//!
//! What is asserted besides what holds of every history: what an append acknowledged stays
//! until the deadline and becomes part of the object (where reads are current and kv has
//! conditional writes); an upload becomes one object, once; a follower gets what was
//! appended; a sweep harms no object, and nobody whose read began within its grace; and
//! when everybody has gone, a sweep leaves exactly what objects need.

use std::rc::Rc;
use std::time::Duration;

use chunk_store::error::Error;
use chunk_store::kv::KvLimits;
use chunk_store::limits::VALUE_BYTES_MIN;
use chunk_store::object::ObjectInfo;
use chunk_store_tests::random::Random;

use crate::clients::{Client, KEYS};
use crate::crew::Crew;
use crate::history::History;
use crate::register::is_explainable;
use crate::source::Pace;
use crate::sweeping::{Sweeper, sweep_to_the_end};
use crate::world::{Member, World};

const CLIENTS: usize = 3;
const OPERATIONS: u64 = 9;
const PAGED_EVERY: u64 = 200;

/// One history. A tenth of them end with the crash of everything.
pub async fn simulate(seed: u64, trace: bool) {
    let mut random = Random::new(seed);
    let limits = if random.below(3) == 0 { super::eventual() } else { super::able() };
    // Now and then values so small, and bodies so large, that chunk lists have pages.
    let paged = random.below(PAGED_EVERY) == 0;
    let value_bytes_max = if paged { VALUE_BYTES_MIN } else { limits.value_bytes_max };
    let limits = KvLimits { value_bytes_max, ..limits };
    let pace = if random.below(3) == 0 { Pace::Busy } else { Pace::Leisurely };
    let crashes = random.below(10) == 0;
    let sweepers = random.below(4) as usize;
    let world = World::new(limits.clone(), super::plan(&mut random), random.draw());
    let history = Rc::new(History::new(trace));
    let mut crew = Crew::default();
    let mut watched = Vec::new();
    for name in 0..=CLIENTS {
        let Member { store, kv, wall } = world.member(&mut random);
        watched.push(kv);
        let (random, history) = (Random::new(random.draw()), history.clone());
        let client = Client { store, wall, random, history, name, pace };
        match name {
            CLIENTS => crew.add(client.work_on_reading(8)),
            _ => crew.add(client.work_on_uploads(OPERATIONS)),
        }
    }
    for name in 0..sweepers {
        let member = world.member(&mut random);
        let random = Random::new(random.draw());
        let sweeper = Sweeper::new(member, random, history.clone(), 10 + name);
        crew.add(sweeper.work(pace));
    }
    crew.work(crashes.then(|| Duration::from_millis(random.below(3_600_000)))).await;
    // Where nothing is conditional no delete is durable: a crash that undid the delete of an
    // object, and not the later ones of its chunks, would be the end of it. Platforms like
    // that are services that do not crash; who works there does.
    let crashes = crashes && limits.conditional_write;
    if crashes {
        world.kv.crash().await;
    }
    for kv in &watched {
        // A client does one thing at a time: its chunks, the record of their segment, and
        // the record of the upload.
        assert!(kv.operations_most() <= u64::from(limits.concurrency_max) + 2);
        assert!(kv.set_bytes_most() <= limits.memory_bytes_max + (64 << 10));
    }
    world.settle().await;
    finish(&world, &mut random, &history).await;
    let lossy = crashes && sweepers > 0;
    sweep_to_the_end(&world, &mut random, lossy).await;
    let mut reader = Client::after_all(&world, random, &history);
    for key in KEYS {
        reader.read_after_all(key).await;
        if limits.conditional_write {
            let events = history.events(key);
            assert!(is_explainable(&events), "{key}: no order explains {events:#?}");
        }
    }
}

/// When nothing fails any more every upload that is there can be gone on with and
/// committed. Some are; others are left as they are.
async fn finish(world: &World, random: &mut Random, history: &Rc<History>) {
    let mut client = Client::after_all(world, Random::new(random.draw()), history);
    for upload in history.uploads() {
        if random.below(2) == 0 {
            continue;
        }
        let Some(status) = client.status(&upload).await else {
            assert!(upload.may_be_gone(client.wall.now_ms()), "{} is not there", upload.name);
            continue;
        };
        let rest = upload.body.slice(status.offset.min(upload.body.len() as u64) as usize..);
        if !status.sealed {
            client.append_at(&upload, status.offset, rest).await;
        }
        if status.offset > 0 {
            let result = client.commit(&upload).await.expect("it is not cut off");
            let gone = upload.may_be_gone(client.wall.now_ms());
            assert!(may_end(status.sealed, gone, &result), "{}: {result:?}", upload.name);
        }
    }
}

/// What may come of a commit when nothing fails.
fn may_end(sealed: bool, gone: bool, result: &Result<ObjectInfo, Error>) -> bool {
    match result {
        Ok(_) | Err(Error::BodyMismatch(_) | Error::PreconditionFailed(_)) => true,
        // Others wrote the object when its commit had been cut off.
        Err(Error::Uncertain(_)) => sealed,
        // Its deadline passed meanwhile.
        Err(Error::NotFound) => gone,
        Err(_) => false,
    }
}
