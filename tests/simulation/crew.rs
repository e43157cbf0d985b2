//! Everybody who is at work beside the others.

use std::time::Duration;

use tokio::task::{JoinHandle, LocalSet};

/// Tasks on one thread. tokio keeps a task's panic to itself until somebody asks.
#[derive(Default)]
pub struct Crew {
    together: LocalSet,
    tasks: Vec<JoinHandle<()>>,
}

impl Crew {
    pub fn add(&mut self, work: impl Future<Output = ()> + 'static) {
        self.tasks.push(self.together.spawn_local(work));
    }

    /// Lets them work to their end, or to the end of everything. Panics if one did.
    pub async fn work(self, end: Option<Duration>) {
        match end {
            None => self.together.await,
            // Who is not done is cut off.
            Some(end) => drop(tokio::time::timeout(end, self.together).await),
        }
        for task in self.tasks {
            if let Err(error) = task.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}
