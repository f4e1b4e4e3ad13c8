use std::time::{Duration, Instant};

/// Waits until the condition holds; fails the test after a minute.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begin = Instant::now();
    while !condition().await {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The message of an error and of all its causes, both as shown and as debugged.
pub(crate) fn everything_it_says(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error}\n{error:?}");
    let mut cause = error.source();
    while let Some(it) = cause {
        text += &format!("\n{it}\n{it:?}");
        cause = it.source();
    }
    text
}
