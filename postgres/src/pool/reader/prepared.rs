use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use tokio_postgres::types::{BorrowToSql, Kind, Oid, ToSql, Type};
use tokio_postgres::{Client, Error, Row, RowStream, SimpleQueryMessage, Statement};

/// A statement of which a connection knows what its parameters are; see
/// [`Reader::prepared`](super::Reader::prepared).
#[derive(Clone, Debug)]
pub struct Prepared(Form);

#[derive(Clone, Debug)]
enum Form {
    /// In the session, under a name.
    Named(Statement),
    /// Sent each time: the session may be another one then.
    Unnamed { sql: Arc<str>, types: Arc<[Type]> },
}

/// What a [`Reader`](super::Reader) can be asked: a text, or what it was prepared as.
pub trait Question: sealed::Sealed {
    #[doc(hidden)]
    fn kind(&self) -> Asking<'_>;
}

#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Asking<'a> {
    Text(&'a str),
    Prepared(&'a Prepared),
}

impl Question for str {
    fn kind(&self) -> Asking<'_> {
        Asking::Text(self)
    }
}

impl Question for Prepared {
    fn kind(&self) -> Asking<'_> {
        Asking::Prepared(self)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for str {}
    impl Sealed for super::Prepared {}
}

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Prepared {
    pub(super) async fn named(client: &Client, sql: &str) -> Result<Self, Error> {
        Ok(Self(Form::Named(client.prepare(sql).await?)))
    }

    pub(super) async fn unnamed(client: &Client, sql: &str) -> Result<Self, Error> {
        let types = types_of(client, sql).await?.into();
        let sql = sql.into();
        Ok(Self(Form::Unnamed { sql, types }))
    }

    pub(super) async fn query(
        &self,
        client: &Client,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        match &self.0 {
            Form::Named(statement) => client.query(statement, params).await,
            Form::Unnamed { sql, types } => client.query_typed(sql, &typed(params, types)).await,
        }
    }

    pub(super) async fn query_one(
        &self,
        client: &Client,
        params: Params<'_>,
    ) -> Result<Row, Error> {
        match &self.0 {
            Form::Named(statement) => client.query_one(statement, params).await,
            Form::Unnamed { sql, types } => {
                client.query_typed_one(sql, &typed(params, types)).await
            }
        }
    }

    pub(super) async fn query_opt(
        &self,
        client: &Client,
        params: Params<'_>,
    ) -> Result<Option<Row>, Error> {
        match &self.0 {
            Form::Named(statement) => client.query_opt(statement, params).await,
            Form::Unnamed { sql, types } => {
                client.query_typed_opt(sql, &typed(params, types)).await
            }
        }
    }

    pub(super) async fn execute(&self, client: &Client, params: Params<'_>) -> Result<u64, Error> {
        match &self.0 {
            Form::Named(statement) => client.execute(statement, params).await,
            Form::Unnamed { sql, types } => client.execute_typed(sql, &typed(params, types)).await,
        }
    }

    pub(super) async fn query_raw<P, I>(
        &self,
        client: &Client,
        params: I,
    ) -> Result<RowStream, Error>
    where
        P: BorrowToSql,
        I: IntoIterator<Item = P>,
        I::IntoIter: ExactSizeIterator,
    {
        match &self.0 {
            Form::Named(statement) => client.query_raw(statement, params).await,
            Form::Unnamed { sql, types } => {
                let params = params.into_iter();
                debug_assert_eq!(params.len(), types.len(), "{sql}");
                let typed = params.zip(types.iter().cloned());
                client.query_typed_raw(sql, typed).await
            }
        }
    }
}

fn typed<'a>(params: Params<'a>, types: &[Type]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    debug_assert_eq!(params.len(), types.len(), "values for other parameters");
    params.iter().copied().zip(types.iter().cloned()).collect()
}

/// Asks the server, in one message and so in one session: the statement is gone again when that is lent to
/// the next.
async fn types_of(client: &Client, sql: &str) -> Result<Vec<Type>, Error> {
    // The session may hold names of others.
    let name = format!("annals_{:016x}", RandomState::new().build_hasher().finish());
    let question = format!(
        "prepare {name} as {sql}; \
         select unnest(parameter_types)::oid from pg_prepared_statements where name = '{name}'; \
         deallocate {name}"
    );
    let answer = client.simple_query(&question).await?;
    let rows = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    Ok(rows.map(type_of).collect())
}

/// A type that an extension brings has no name here; its values are sent by those who know it by others.
fn type_of(oid: Oid) -> Type {
    let unknown = || Type::new(oid.to_string(), oid, Kind::Simple, String::new());
    Type::from_oid(oid).unwrap_or_else(unknown)
}
