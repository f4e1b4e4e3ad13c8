use std::io::{self, Read};

use csv::{ByteRecord, ErrorKind};

use crate::DatasetError;

/// A CSV with a header, read one row at a time into the same buffer.
#[derive(Debug)]
pub(crate) struct Table<R> {
    csv: csv::Reader<R>,
    header: ByteRecord,
    row: ByteRecord,
    ended: bool,
}

/// A column that the header of a table has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    index: usize,
}

impl<R: Read> Table<R> {
    pub(crate) fn read(source: R) -> Result<Self, DatasetError> {
        let mut csv = csv::Reader::from_reader(source);
        let header = csv.byte_headers().map_err(|error| unreadable(1, error))?;
        Ok(Self {
            header: header.clone(),
            csv,
            row: ByteRecord::new(),
            ended: false,
        })
    }

    pub(crate) fn column(&self, name: &'static str) -> Result<Column, DatasetError> {
        let header = || self.header.iter().map(String::from_utf8_lossy);
        match header().position(|it| it == name) {
            Some(index) => Ok(Column { name, index }),
            None => Err(DatasetError::MissingColumn {
                column: name,
                header: header().collect::<Vec<_>>().join(","),
            }),
        }
    }

    /// Moves to the next row; false at the end of the file.
    pub(crate) fn advance(&mut self) -> Result<bool, DatasetError> {
        if self.ended {
            return Ok(false);
        }
        let line = self.csv.position().line();
        match self.csv.read_byte_record(&mut self.row) {
            Ok(more) => {
                self.ended = !more;
                Ok(more)
            }
            Err(error) => match error.kind() {
                ErrorKind::UnequalLengths {
                    pos,
                    expected_len: expected,
                    len: found,
                } => Err(DatasetError::UnevenRow {
                    line: pos.as_ref().map_or(line, csv::Position::line),
                    found: *found,
                    expected: *expected,
                }),
                _ => {
                    // The decoder would give the same error for ever.
                    self.ended = true;
                    Err(unreadable(line, error))
                }
            },
        }
    }

    pub(crate) fn value(&self, column: Column) -> &[u8] {
        &self.row[column.index]
    }

    pub(crate) fn required<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, DatasetError> {
        parse(self.value(column)).ok_or_else(|| self.malformed(column, expected))
    }

    /// `None` where the value is empty.
    pub(crate) fn optional<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, DatasetError> {
        if self.value(column).is_empty() {
            return Ok(None);
        }
        self.required(column, expected, parse).map(Some)
    }

    pub(crate) fn empty(&self, column: Column, expected: &'static str) -> Result<(), DatasetError> {
        self.required(column, expected, |value| value.is_empty().then_some(()))
    }

    pub(crate) fn malformed(&self, column: Column, expected: &'static str) -> DatasetError {
        DatasetError::MalformedRow {
            line: self.row.position().map_or(0, csv::Position::line),
            column: column.name,
            value: String::from_utf8_lossy(self.value(column)).into_owned(),
            expected,
        }
    }
}

fn unreadable(line: u64, error: csv::Error) -> DatasetError {
    DatasetError::Unreadable {
        line,
        source: match error.into_kind() {
            ErrorKind::Io(source) => source,
            other => io::Error::other(format!("{other:?}")),
        },
    }
}
