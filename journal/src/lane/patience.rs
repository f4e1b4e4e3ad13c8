use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A limit for answers, all with the same patience.
///
/// One timer serves all of them: it is moved when it fires, not for each answer. Tokio wakes a second
/// thread of an idle runtime for a timer that is newly set, which costs a small write as much as the
/// journal does.
pub(super) struct Patience {
    patience: Duration,
    /// Never later than the limit of the answer that is awaited.
    timer: Pin<Box<Sleep>>,
}

/// There was no answer in time.
#[derive(Debug)]
pub(super) struct TooLate;

impl Patience {
    pub(super) fn new(patience: Duration) -> Self {
        let timer = Box::pin(sleep_until(Instant::now() + patience));
        Self { patience, timer }
    }

    /// Waits for `answer`, but not for ever. Cancel safe if the answer is.
    pub(super) async fn limit<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, TooLate> {
        let limit = Instant::now() + self.patience;
        let mut answer = pin!(answer);
        loop {
            tokio::select! {
                biased;
                answer = answer.as_mut() => return Ok(answer),
                () = self.timer.as_mut() => {}
            }
            if Instant::now() >= limit {
                return Err(TooLate);
            }
            self.timer.as_mut().reset(limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_answer_has_the_whole_time() {
        let mut patience = Patience::new(4 * SECOND);
        for _ in 0..5 {
            let answer = async {
                sleep(3 * SECOND).await;
                "an answer"
            };
            assert_eq!(patience.limit(answer).await.unwrap(), "an answer");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_given_up_when_its_time_is_over() {
        let mut patience = Patience::new(4 * SECOND);
        for rest in [0, 1, 3, 4, 9] {
            sleep(rest * SECOND).await;
            let begin = Instant::now();
            patience.limit(pending::<()>()).await.unwrap_err();
            let waited = begin.elapsed();
            // Timers are exact to a millisecond.
            assert_eq!(waited.as_millis() / 10, 400, "after a rest of {rest} s");
        }
    }
}
