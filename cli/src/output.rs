use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstream::ColorChoice;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use serde_json::Value;

use crate::failure::{Failure, USAGE};
use crate::redacted::redacted;

/// How answers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Table,
    Json,
}

impl Form {
    pub(crate) fn for_stdout() -> Self {
        match std::io::stdout().is_terminal() {
            true => Self::Table,
            false => Self::Json,
        }
    }
}

/// Where answers go. Dropped without [`Self::flush`], it loses what is not yet written.
pub(crate) struct Output {
    form: Form,
    to: BufWriter<std::io::Stdout>,
    colour: bool,
}

impl Output {
    pub(crate) fn new(form: Form) -> Self {
        let stdout = std::io::stdout();
        let colour = anstream::AutoStream::choice(&stdout) != ColorChoice::Never;
        Self {
            form,
            to: BufWriter::new(stdout),
            colour,
        }
    }

    /// Whether lines may be in colour.
    pub(crate) const fn is_in_colour(&self) -> bool {
        self.colour
    }

    /// One answer as a whole.
    pub(crate) fn document(
        &mut self,
        json: &Value,
        human: impl FnOnce() -> Vec<Part>,
    ) -> Result<(), Failure> {
        match self.form {
            Form::Json => writeln!(self.to, "{json:#}")?,
            Form::Table => {
                for part in human() {
                    self.part(part)?;
                }
            }
        }
        Ok(())
    }

    /// One of many answers, which come as long as they come.
    pub(crate) fn line(
        &mut self,
        json: impl FnOnce() -> Value,
        human: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.form {
            Form::Json => writeln!(self.to, "{}", json())?,
            Form::Table => writeln!(self.to, "{}", human())?,
        }
        Ok(())
    }

    /// Text that is what it is in either form.
    pub(crate) fn plain(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.to.write_all(text.as_bytes())?)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.to.flush()?)
    }

    fn part(&mut self, part: Part) -> Result<(), Failure> {
        match part {
            Part::Text(text) => writeln!(self.to, "{text}")?,
            Part::Rows(mut table) => {
                match self.colour {
                    true => table.enforce_styling(),
                    false => table.force_no_tty(),
                };
                // A terminal that does not know its size says 0.
                if table.width().is_some_and(|it| it < NARROWEST) {
                    table.set_width(NARROWEST);
                }
                writeln!(self.to, "{}", table.trim_fmt())?;
            }
        }
        Ok(())
    }
}

/// Where a table gets no narrower, and a terminal wraps its lines.
const NARROWEST: u16 = 60;

/// A piece of an answer for people.
pub(crate) enum Part {
    Text(String),
    Rows(Box<Table>),
}

/// A table with these columns; nothing else draws the eye from what is in it.
pub(crate) fn table<const N: usize>(columns: [&str; N]) -> Box<Table> {
    // Boxed, because an answer moves it about.
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(columns.map(|it| Cell::new(it).add_attribute(Attribute::Bold)));
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    Box::new(table)
}

/// A number, to the right.
pub(crate) fn number(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

/// A word that says how something stands.
pub(crate) fn word(text: impl ToString, mood: Mood) -> Cell {
    Cell::new(text).fg(match mood {
        Mood::Good => Color::Green,
        Mood::Attention => Color::Yellow,
        Mood::Bad => Color::Red,
    })
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    Good,
    Attention,
    Bad,
}

/// Says on the standard error why a command failed.
pub(crate) fn complain(failure: &Failure) {
    let said = redacted(&failure.said());
    // Where even this cannot be written, the exit code says it.
    let _ = writeln!(anstream::stderr(), "\x1b[1;31merror:\x1b[0m {said}");
}

/// Help and version, or what is wrong with the arguments: clap repeats them, and they may hold a password.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let text = redacted(&error.render().ansi().to_string());
    if error.use_stderr() {
        let _ = write!(anstream::stderr(), "{text}");
        return ExitCode::from(USAGE);
    }
    let _ = write!(anstream::stdout(), "{text}");
    ExitCode::SUCCESS
}
