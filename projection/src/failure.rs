use std::time::Duration;

use annals_persistence::Backoff;

/// What becomes of an event that its handler cannot deal with: it is tried again, and then passed
/// over, or waited for.
///
/// Only the guilty event: when the handler of a group fails, its events are handled one by one. What is
/// nobody's fault (a connection that is lost, a deadlock) is tried again without being counted.
///
/// ```
/// use std::time::Duration;
/// use annals_persistence::Backoff;
/// use annals_projection::OnFailure;
///
/// let backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1) };
/// let patient = OnFailure::dead_letter().retries(10).backoff(backoff);
/// # let _ = patient;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnFailure {
    then: GiveUp,
    retries: u32,
    backoff: Backoff,
}

/// What happens after the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GiveUp {
    DeadLetter,
    Stop,
    Fail,
}

impl Default for OnFailure {
    /// [`Self::stop`].
    fn default() -> Self {
        Self::stop()
    }
}

impl OnFailure {
    /// The event goes into the table `projection_dead_letter`, and the projection goes on behind it.
    pub fn dead_letter() -> Self {
        Self::then(GiveUp::DeadLetter)
    }

    /// Its range of slices stops before the event, in every process, until it is resumed, or the event
    /// skipped. Other ranges go on.
    pub fn stop() -> Self {
        Self::then(GiveUp::Stop)
    }

    /// The projection ends in this process, with the error. Another process goes on with the same event;
    /// so does this one when the projection is started again.
    pub fn fail() -> Self {
        Self::then(GiveUp::Fail)
    }

    fn then(then: GiveUp) -> Self {
        Self {
            then,
            retries: 5,
            backoff: Backoff::default(),
        }
    }

    /// How often an event is tried again; 5 times unless this says otherwise.
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long to wait before.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// What to do after the last of so many failed attempts; `chance` lies between 0 and 1.
    pub(crate) fn after(&self, attempts: u32, chance: f64) -> Next {
        match attempts <= self.retries {
            true => Next::RetryIn(self.backoff.delay(attempts.saturating_add(1), chance)),
            false => Next::GiveUp(self.then),
        }
    }

    /// Without a second attempt: for those who have saved the offset already.
    pub(crate) const fn at_once(&self) -> GiveUp {
        self.then
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    RetryIn(Duration),
    GiveUp(GiveUp),
}

/// A message and those of its causes, as one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Transparent errors repeat their cause.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_retries_and_then_the_choice() {
        let policy = OnFailure::dead_letter().retries(2);
        assert_eq!(
            policy.after(1, 0.5),
            Next::RetryIn(Duration::from_millis(100))
        );
        assert_eq!(
            policy.after(2, 0.5),
            Next::RetryIn(Duration::from_millis(200))
        );
        assert_eq!(policy.after(3, 0.5), Next::GiveUp(GiveUp::DeadLetter));
        let never = OnFailure::fail().retries(0);
        assert_eq!(never.after(1, 0.5), Next::GiveUp(GiveUp::Fail));
        assert_eq!(
            OnFailure::default().after(u32::MAX, 0.5),
            Next::GiveUp(GiveUp::Stop)
        );
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error(transparent)]
        struct Inner(#[from] std::num::ParseIntError);
        let inner = Inner("x".parse::<i32>().unwrap_err());
        assert_eq!(chain(&Outer(inner)), "outer: invalid digit found in string");
    }
}
