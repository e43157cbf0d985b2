//! The log of operations: what each one did, as an event of `tracing`, once it has ended.
//!
//! The guest notes operations only if the target [`TARGET`] is enabled when its instance
//! starts or is called; it is asked for them a moment after they end, and their events say
//! when that was. Those that an instance had noted when it trapped are lost.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};
use tracing_core::callsite::Callsite;
use tracing_core::dispatcher::get_default;
use tracing_core::{Interest, Kind, Level, Metadata};
use wasmtime::component::Accessor;

use crate::bindings::metrics;
use crate::surroundings::State;
use crate::trace::Trace;

/// The target of the events of `tracing` that tell what each operation did, once it has
/// ended; their level is info. `docs/metrics.md` lists their fields. An instance begins to
/// log when it is started or called while the target is enabled.
pub const TARGET: &str = "chunk_store::operations";

/// How long after it an operation's end is logged at the latest.
const DELAY: Duration = Duration::from_millis(250);

/// After so many calls the guest is asked at once: it keeps the last 1024 operations.
const CALLS_MAX: u32 = 256;

/// When to ask a guest for its operations.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    due: Option<Instant>,
    /// Calls since the guest was asked.
    calls: u32,
}

impl Schedule {
    /// The guest is called for something.
    pub fn called(&mut self) {
        if !is_wanted() {
            return;
        }
        self.calls += 1;
        match self.calls {
            CALLS_MAX => self.due = Some(Instant::now()),
            _ => _ = self.due.get_or_insert_with(|| Instant::now() + DELAY),
        }
    }

    /// Waits until the guest is to be asked.
    pub async fn due(&mut self) {
        match self.due {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
        *self = Self::default();
    }

    /// The guest has been asked, and so many operations are still under way.
    pub fn asked(&mut self, under_way: u32) {
        if under_way > 0 {
            self.due.get_or_insert_with(|| Instant::now() + DELAY);
        }
    }
}

/// Whether anybody wants to know. `tracing::enabled!` would tell as well, but where layers of
/// a subscriber have filters of their own, the thread's next event can then be lost
/// (tokio-rs/tracing#2519).
pub(crate) fn is_wanted() -> bool {
    get_default(|subscriber| !subscriber.register_callsite(&EVENT).is_never())
}

/// What stands for all events of the target where it is asked who wants them.
static EVENT: Metadata<'static> = tracing_core::metadata! {
    name: "operation",
    target: TARGET,
    level: Level::INFO,
    fields: &[],
    callsite: &Asked,
    kind: Kind::EVENT,
};

struct Asked;

impl Callsite for Asked {
    fn set_interest(&self, _interest: Interest) {
        // It is asked for anew each time.
    }

    fn metadata(&self) -> &Metadata<'_> {
        &EVENT
    }
}

/// Logs the operations that have ended; gives how many are under way.
pub(crate) async fn log(metrics: &metrics::Guest, accessor: &Accessor<State>) -> u32 {
    // A guest that has trapped has nothing more to say.
    let Ok(ended) = metrics.call_take_ended(accessor).await else { return 0 };
    if ended.omitted > 0 {
        let omitted = ended.omitted;
        tracing::warn!(target: TARGET, omitted, "operations ended faster than they are logged");
    }
    ended.operations.iter().for_each(event);
    ended.under_way
}

fn event(it: &metrics::Operation) {
    let trace = it.trace.as_deref().map_or_else(Trace::none, |said| Trace::within(Some(said)));
    let ended = SystemTime::UNIX_EPOCH + Duration::from_nanos(it.ended_ns);
    tracing::info!(
        target: TARGET,
        operation = it.name,
        key = it.key,
        upload = it.upload,
        outcome = it.outcome,
        failure = it.failure,
        ended = %humantime::format_rfc3339_micros(ended),
        ms = milliseconds(it.took_ns),
        first_byte_ms = it.first_byte_ns.map(milliseconds),
        received = it.received_bytes,
        sent = it.sent_bytes,
        chunks_written = it.chunks_written,
        chunks_read = it.chunks_read,
        kv_operations = it.kv_operations,
        kv_retries = it.kv_retries,
        kv_written = it.kv_written_bytes,
        kv_read = it.kv_read_bytes,
        trace_id = trace.trace_id(),
        parent_id = trace.parent_id(),
        sampled = trace.unless_sampled(),
    );
}

/// To the microsecond.
pub(crate) fn milliseconds(ns: u64) -> f64 {
    (ns / 1000) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use tracing::level_filters::LevelFilter;
    use tracing::{Event, Subscriber};
    use tracing_subscriber::Layer;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_guest_is_asked_until_nothing_is_under_way() {
        let mut schedule = Schedule { due: Some(Instant::now() + DELAY), calls: 1 };
        let begun = Instant::now();
        schedule.due().await;
        assert_eq!(begun.elapsed(), DELAY);
        schedule.asked(3);
        schedule.due().await;
        assert_eq!(begun.elapsed(), 2 * DELAY);
        schedule.asked(0);
        assert!(tokio::time::timeout(10 * DELAY, schedule.due()).await.is_err());
    }

    /// Counts events.
    struct Heard(Arc<AtomicU32>);

    impl<S: Subscriber> Layer<S> for Heard {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn to_ask_who_wants_to_know_loses_no_event_of_others() {
        let [count, of_operations] = [(); 2].map(|()| Arc::<AtomicU32>::default());
        let others = Targets::new().with_default(Level::INFO).with_target(TARGET, LevelFilter::OFF);
        let subscriber =
            tracing_subscriber::registry().with(Heard(count.clone()).with_filter(others)).with(
                Heard(of_operations.clone())
                    .with_filter(Targets::new().with_target(TARGET, Level::INFO)),
            );
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..10 {
                assert!(is_wanted());
                tracing::info!(target: "chunk_store", "heard");
            }
        });
        assert_eq!((count.load(Relaxed), of_operations.load(Relaxed)), (10, 0));
    }

    #[test]
    fn where_nobody_wants_to_know_nobody_is_asked() {
        let mut schedule = Schedule::default();
        schedule.called();
        assert!(schedule.due.is_none());
    }
}
