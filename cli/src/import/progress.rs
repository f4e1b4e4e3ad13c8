use indicatif::{ProgressBar, ProgressStyle};

/// A bar on the standard error, where that is a terminal; nothing else.
#[derive(Clone, Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn of_events(what: &'static str, events: u64) -> Self {
        let form = "{msg:<8} {wide_bar} {human_pos} of {human_len} events, {per_sec}, {eta} to go";
        let bar = ProgressBar::new(events).with_message(what);
        Self(bar.with_style(ProgressStyle::with_template(form).expect("the template is fixed")))
    }

    pub(super) fn one(&self) {
        self.0.inc(1);
    }

    pub(super) fn some(&self, events: u64) {
        self.0.inc(events);
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
