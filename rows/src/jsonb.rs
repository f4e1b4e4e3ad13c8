use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// JSON text bound as a `jsonb` parameter as it stands, without a detour over a tree of values.
#[derive(Debug)]
pub struct JsonbText(pub String);

/// The only version of jsonb's binary form that there has been.
const VERSION: u8 = 1;

impl ToSql for JsonbText {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u8(VERSION);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::JSONB
    }

    to_sql_checked!();
}
