use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Instant;

use annals::projection::Status;
use flights::Progress;
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

/// Shows how far the load is: a bar on a terminal, a line every tenth elsewhere.
pub(crate) struct Display {
    bar: ProgressBar,
    total: u64,
    begin: Instant,
    before: u64,
    next_line: Option<u64>,
}

impl Display {
    pub(crate) fn new(total: u64) -> Self {
        let style = ProgressStyle::with_template(
            "{bar:30} {human_pos} of {human_len} events  {rate} events/s  {eta} left",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, line: &mut dyn Write| {
            // A line that cannot be drawn is drawn a moment later.
            let _ = write!(line, "{}", HumanCount(state.per_sec() as u64));
        });
        Self {
            bar: ProgressBar::new(total).with_style(style),
            total,
            begin: Instant::now(),
            before: 0,
            next_line: (!std::io::stderr().is_terminal()).then_some(total / 10),
        }
    }

    pub(crate) fn show(&mut self, progress: Progress) {
        let now = progress.stored + progress.before;
        if progress.before != self.before {
            // What was there already says nothing about how fast events are stored.
            self.bar.reset_elapsed();
            self.bar.reset_eta();
            self.before = progress.before;
        }
        self.bar.set_position(now);
        if let Some(next) = self.next_line
            && now >= next
            && next < self.total - self.total / 20
        {
            let rate = progress.stored as f64 / self.begin.elapsed().as_secs_f64();
            eprintln!(
                "{} of {} events, {} events/s",
                HumanCount(now),
                HumanCount(self.total),
                HumanCount(rate as u64)
            );
            self.next_line = Some(now + self.total / 10);
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how far a projection is, by its status: a bar on a terminal, a line every fourth elsewhere.
pub(crate) struct Reading {
    bar: ProgressBar,
    next_line: Option<f64>,
}

const STEPS: f64 = 1000.0;

impl Reading {
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:30} {percent} % read  {msg}  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self {
            bar: ProgressBar::new(STEPS as u64).with_style(style),
            next_line: (!std::io::stderr().is_terminal()).then_some(0.25),
        }
    }

    pub(crate) fn show(&mut self, status: &Status) {
        let (read, rate) = (status.progress(), HumanCount(status.rate() as u64));
        self.bar.set_position((read * STEPS) as u64);
        self.bar.set_message(format!("{rate} events/s"));
        if let Some(next) = self.next_line
            && (next..1.0).contains(&read)
        {
            eprintln!("{:.0} % read, {rate} events/s", read * 100.0);
            self.next_line = Some(read + 0.25);
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
