use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// JSON text bound as a `jsonb` parameter as it stands, without a detour over a tree of values.
#[derive(Debug)]
pub struct JsonbText(pub String);

/// What stands before the text in jsonb's binary form: the only version that there has been.
pub const JSONB_VERSION: u8 = 1;

impl ToSql for JsonbText {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u8(JSONB_VERSION);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::JSONB
    }

    to_sql_checked!();
}

/// The text of a `jsonb` column, borrowed from its row. The server makes the same text of it as for
/// `metadata::text`, one copy earlier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jsonb<'a>(pub(crate) &'a str);

impl<'a> FromSql<'a> for Jsonb<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw.split_first() {
            Some((&JSONB_VERSION, text)) => Ok(Self(std::str::from_utf8(text)?)),
            _ => Err("jsonb of an unknown version".into()),
        }
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::JSONB
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let mut raw = BytesMut::new();
        let written = JsonbText(r#"{"a": 1}"#.to_owned());
        assert!(written.to_sql(&Type::JSONB, &mut raw).is_ok());
        assert_eq!(Jsonb::from_sql(&Type::JSONB, &raw).unwrap().0, written.0);
        for broken in [&b""[..], b"\x02{}", b"\x01\xff"] {
            assert!(Jsonb::from_sql(&Type::JSONB, broken).is_err());
        }
    }
}
