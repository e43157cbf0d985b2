//! Small jobs, several at once: listings, sweeps and hints. One loop for all of them, where each
//! stream of futures would be code of its own; what moves content has streams.

use std::future::poll_fn;
use std::task::Poll;

use futures::future::LocalBoxFuture;

use crate::error::Error;

/// Does jobs, at most `depth` at a time, which has to be small: all are asked when one can go
/// on. They begin in order. The first that fails ends the others.
pub(super) async fn at_once<'a>(
    depth: usize,
    jobs: &mut dyn Iterator<Item = LocalBoxFuture<'a, Result<(), Error>>>,
) -> Result<(), Error> {
    let mut going: Vec<_> = jobs.take(depth.max(1)).collect();
    poll_fn(|context| {
        let mut at = 0;
        while let Some(job) = going.get_mut(at) {
            match job.as_mut().poll(context) {
                Poll::Pending => at += 1,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => match jobs.next() {
                    Some(next) => going[at] = next,
                    None => drop(going.swap_remove(at)),
                },
            }
        }
        match going.is_empty() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use futures::FutureExt;

    use super::*;

    /// A job that goes on the third time that it is asked.
    async fn wait() {
        let mut asked = 0;
        poll_fn(|context| {
            asked += 1;
            context.waker().wake_by_ref();
            if asked < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    #[test]
    fn all_are_done_and_so_many_at_a_time() {
        for depth in [1, 3, 20] {
            let (done, going, most) = (RefCell::new(Vec::new()), Cell::new(0), Cell::new(0));
            let job = |number: usize| {
                let (done, going, most) = (&done, &going, &most);
                async move {
                    going.update(|count| count + 1);
                    most.set(most.get().max(going.get()));
                    wait().await;
                    going.update(|count| count - 1);
                    done.borrow_mut().push(number);
                    Ok(())
                }
                .boxed_local()
            };
            futures_executor::block_on(at_once(depth, &mut (0..10).map(job))).unwrap();
            let mut done = done.borrow().clone();
            done.sort();
            assert_eq!(done, (0..10).collect::<Vec<_>>());
            assert_eq!(most.get(), depth.min(10));
        }
        futures_executor::block_on(at_once(4, &mut std::iter::empty())).unwrap();
    }

    #[test]
    fn the_first_that_fails_ends_it() {
        let done = RefCell::new(Vec::new());
        let job = |number: usize| {
            let done = &done;
            async move {
                if number != 2 {
                    wait().await;
                }
                done.borrow_mut().push(number);
                if number == 2 { Err(Error::NotFound) } else { Ok(()) }
            }
            .boxed_local()
        };
        let ended = futures_executor::block_on(at_once(4, &mut (0..10).map(job)));
        assert_eq!(ended, Err(Error::NotFound));
        assert_eq!(*done.borrow(), [2]);
    }
}
