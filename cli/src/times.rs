use std::time::{Duration, SystemTime, UNIX_EPOCH};

use annals_persistence::Timestamp;

/// As 2026-11-22T01:02:03.456Z.
pub(crate) fn of(timestamp: Timestamp) -> String {
    let millis = u64::try_from(timestamp.as_millis()).unwrap_or_default();
    of_system(UNIX_EPOCH + Duration::from_millis(millis))
}

/// The same, for a time of the server; a year that cannot be written so becomes the last one that can.
pub(crate) fn of_system(time: SystemTime) -> String {
    const LAST: u64 = 253_402_300_799;
    let last = UNIX_EPOCH + Duration::from_secs(LAST);
    humantime::format_rfc3339_millis(time.clamp(UNIX_EPOCH, last)).to_string()
}

/// As 2h 5m, to the second.
pub(crate) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
    }
}

/// What `--to-time` takes.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let time = humantime::parse_rfc3339_weak(text)
        .map_err(|error| format!("{error}; write 2026-11-22T01:02:03Z"))?;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_given_back() {
        let time = Timestamp::from_millis(1_763_773_323_456);
        assert_eq!(parse(&of(time)), Ok(time));
        assert_eq!(of(Timestamp::MAX), "9999-12-31T23:59:59.000Z");
        assert!(parse("yesterday").is_err());
    }
}
