//! Virtual time: it passes when everybody waits, and then at once to the next moment that
//! somebody waits for. In nanoseconds, which tokio's paused clock does not have.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use chunk_store::clock::Clock;

/// A world's time. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Time(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    now_ns: Cell<u64>,
    drawn: Cell<u64>,
    /// Who waits for what, in the order of asking.
    waiting: RefCell<BTreeMap<(u64, u64), Waker>>,
    asked: Cell<u64>,
}

/// Takes its place out when it is dropped.
struct Waiting<'a> {
    time: &'a Time,
    place: (u64, u64),
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.time.0.waiting.borrow_mut().remove(&self.place);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Time {
    /// The time since the beginning.
    pub fn now_ns(&self) -> u64 {
        self.0.now_ns.get()
    }

    /// Waits until then.
    pub async fn until(&self, ns: u64) {
        self.0.asked.update(|asked| asked + 1);
        let place = (ns, self.0.asked.get());
        let waiting = Waiting { time: self, place };
        poll_fn(|cx: &mut Context<'_>| {
            if self.now_ns() >= ns {
                return Poll::Ready(());
            }
            self.0.waiting.borrow_mut().insert(place, cx.waker().clone());
            Poll::Pending
        })
        .await;
        drop(waiting);
    }

    /// Does this work to its end. Panics if it waits for what never comes.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut work = pin!(work);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return done;
                }
            }
            let next = self.0.waiting.borrow_mut().pop_first();
            let ((ns, _), waiting) = next.expect("somebody waits for a time");
            self.0.now_ns.set(self.now_ns().max(ns));
            waiting.wake();
        }
    }

    /// 64 bits that are the same in every run (SplitMix64).
    pub fn draw(&self) -> u64 {
        self.0.drawn.update(|drawn| drawn.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.drawn.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Clock for Time {
    fn wall_ms(&self) -> u64 {
        1_790_000_000_000 + self.now_ns() / 1_000_000
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ns()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.until(self.now_ns() + ms * 1_000_000).await;
    }

    fn random(&self) -> u128 {
        u128::from(self.draw()) << 64 | u128::from(self.draw())
    }
}
