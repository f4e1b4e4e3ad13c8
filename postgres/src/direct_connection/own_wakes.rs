use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// For a task that polls two futures that wake each other: wakes that come while it polls make it poll
/// once more, and only those that come later wake the task.
///
/// A task that is woken while it runs is put into the queue of the runtime again, and another thread is
/// woken for it.
#[derive(Debug, Default)]
pub(super) struct OwnWakes {
    state: AtomicU8,
    task: AtomicWaker,
}

const RESTS: u8 = 0;
const POLLS: u8 = 1;
/// Polls, and was woken since it began.
const POLLS_ONCE_MORE: u8 = 2;

impl OwnWakes {
    /// Polls until nothing woke the task any more meanwhile.
    pub(super) fn poll<T>(
        self: &Arc<Self>,
        context: &Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.task.register(context.waker());
        let waker = Waker::from(Arc::clone(self));
        loop {
            self.state.store(POLLS, Ordering::SeqCst);
            let polled = step(&mut Context::from_waker(&waker));
            let before = self.state.swap(RESTS, Ordering::SeqCst);
            if polled.is_ready() || before == POLLS {
                return polled;
            }
        }
    }
}

impl Wake for OwnWakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                (state != RESTS).then_some(POLLS_ONCE_MORE)
            });
        if noted.is_err() {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wake_while_polling_polls_once_more_and_one_behind_that_wakes_the_task() {
        let (own, task) = (Arc::new(OwnWakes::default()), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&task));
        let mut kept = None;
        let mut polls = 0;
        let polled: Poll<()> = own.poll(&Context::from_waker(&waker), |context| {
            polls += 1;
            if polls < 3 {
                context.waker().wake_by_ref();
            }
            kept = Some(context.waker().clone());
            Poll::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((polls, task.0.load(Ordering::SeqCst)), (3, 0));
        kept.unwrap().wake();
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
    }

    /// A wake between the last poll and the rest must not be lost.
    #[test]
    fn no_wake_of_another_thread_is_lost() {
        let own = Arc::new(OwnWakes::default());
        let rounds = 20_000;
        let told = Arc::new(AtomicUsize::new(0));
        let waker = Waker::from(Arc::clone(&own));
        let teller = {
            let told = Arc::clone(&told);
            thread::spawn(move || {
                for round in 1..=rounds {
                    told.store(round, Ordering::SeqCst);
                    waker.wake_by_ref();
                    while told.load(Ordering::SeqCst) == round {
                        thread::yield_now();
                    }
                }
            })
        };
        let unpark = Waker::from(Arc::new(Unpark(thread::current())));
        for _ in 0..rounds {
            let heard = || {
                own.poll(&Context::from_waker(&unpark), |_| {
                    match told.swap(0, Ordering::SeqCst) {
                        0 => Poll::Pending,
                        _ => Poll::Ready(()),
                    }
                })
            };
            while heard().is_pending() {
                thread::park();
            }
        }
        teller.join().unwrap();
    }

    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
}
