use std::future::Future;
use std::time::{Duration, Instant};

use annals::projection::{ProjectionError, ProjectionFailed, Status};
use annals::{Projection, Projections};
use thiserror::Error;

/// Between two looks at how it stands.
const PAUSE: Duration = Duration::from_millis(200);

/// How long nobody need be able to look.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was done to catch up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    /// The events that were handled meanwhile, by any process.
    pub handled: u64,
    /// Those that were handled before.
    pub before: u64,
    /// Whether it was interrupted before the last event.
    pub interrupted: bool,
}

/// Runs this process's share of a projection until no event waits for any process, and tells how it
/// stands now and then.
///
/// When `interruption` completes, what is under way is finished, and the rest is left for another time.
///
/// # Errors
/// The server cannot be reached, or the projection failed. What was handled is handled; the same again
/// goes on where this ended.
pub async fn catch_up(
    projections: &Projections,
    projection: Projection,
    interruption: impl Future<Output = ()>,
    mut report: impl FnMut(&Status),
) -> Result<CaughtUp, CatchUpError> {
    let key = projection.key().clone();
    let control = projections.control(key.name, key.version);
    let before = match control.status().await {
        Ok(status) => handled(&status),
        Err(ProjectionError::Unknown { .. }) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut interruption = std::pin::pin!(interruption);
    let mut running = projections.start(projection).await?;
    let (mut status, mut looked) = (None, Instant::now());
    let interrupted = loop {
        tokio::select! {
            biased;
            () = &mut interruption => break true,
            ended = running.ended() => {
                ended?;
                return Err(CatchUpError::Ended);
            }
            seen = control.status() => match seen {
                Ok(seen) => {
                    report(&seen);
                    let caught_up = seen.has_caught_up();
                    (status, looked) = (Some(seen), Instant::now());
                    if caught_up {
                        break false;
                    }
                }
                // The projection itself waits for a server that is away for a moment.
                Err(error) if looked.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => {}
            }
        }
        tokio::time::sleep(PAUSE).await;
    };
    running.stop().await?;
    Ok(CaughtUp {
        handled: status
            .as_ref()
            .map_or(0, |it| handled(it).saturating_sub(before)),
        before,
        interrupted,
    })
}

fn handled(status: &Status) -> u64 {
    status.ranges.iter().map(|it| it.handled).sum()
}

/// Why a projection did not catch up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatchUpError {
    /// It did not start, or could not be looked at.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// It ended with an error.
    #[error(transparent)]
    Failed(#[from] ProjectionFailed),
    /// It ended without one.
    #[error("the journal was closed before the projection had caught up; start again to go on")]
    Ended,
}
