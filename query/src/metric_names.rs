//! Metrics of queries, by the `metrics` facade; nobody who installs no recorder pays for them.

/// Seconds for which the horizon of the label `table` has stood before a gap that a transaction may still
/// fill; 0 while nobody waits. A gauge.
pub const HORIZON_WAITS: &str = "annals_horizon_wait_seconds";

/// Live readers that share the tail. A gauge.
pub const SUBSCRIBERS: &str = "annals_tail_subscribers";

/// Live readers that did not keep up, lost their place in the tail and caught up by themselves. A counter.
pub const LAGGED: &str = "annals_tail_lagged_total";
