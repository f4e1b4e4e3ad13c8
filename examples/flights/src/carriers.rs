use std::collections::BTreeMap;
use std::slice;

use annals::tokio_postgres::types::Type;
use annals::tokio_postgres::{self, GenericClient, Transaction};
use annals::{
    EventEnvelope, Handled, InvalidTagExpression, OnFailure, PersistenceId, Projection,
    TagExpression, TransactionHandler,
};

use crate::{Aircraft, Carrier, CarrierRow, Event, LogBook, Owner, Report, TailNumber, Totals};

/// Keeps two tables of what the events say: `carriers`, what each of them did, and `aircraft`, how often
/// each was to fly. Every event counts once, whatever breaks; [`make_carriers`] makes the tables.
///
/// # Errors
/// There are no carriers.
pub fn carriers(names: &BTreeMap<Carrier, String>) -> Result<Projection, InvalidTagExpression> {
    let tags: Vec<String> = names.keys().map(|it| format!("carrier:{it}")).collect();
    let of_any_carrier: TagExpression = tags.join(" | ").parse()?;
    let carriers = Projection::exactly_once("carriers", of_any_carrier, Carriers)
        .in_groups_of(500)
        .over_ranges(4)
        .on_failure(OnFailure::fail());
    Ok(carriers)
}

/// Makes the tables, where they are not there yet.
///
/// # Errors
/// The server does not do it.
pub async fn make_carriers(client: &impl GenericClient) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(MAKE).await
}

/// What the tables say.
///
/// # Errors
/// The server does not do it, or the tables are not those that [`make_carriers`] makes.
pub async fn read_carriers(
    client: &impl GenericClient,
) -> Result<(Report, Totals), tokio_postgres::Error> {
    let mut report = Report::default();
    for row in client.query(READ, &[]).await? {
        let Ok(carrier) = row.try_get::<_, &str>(0)?.parse() else {
            continue;
        };
        let mut numbers = [0; 6];
        for (column, number) in (1..).zip(&mut numbers) {
            *number = row.try_get(column)?;
        }
        *report.carrier(carrier) = CarrierRow::of(numbers);
    }
    let row = client.query_one(READ_AIRCRAFT, &[]).await?;
    let (aircraft, flights): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok((report.clone(), report.totals(aircraft, flights)))
}

/// Two processes may come at the same time; what they do is one transaction each.
const MAKE: &str = "
select pg_advisory_xact_lock(hashtext('make carriers'));
create table if not exists carriers (
    carrier             text   primary key,
    departures          bigint not null,
    departure_minutes   bigint not null,
    arrivals            bigint not null,
    arrivals_with_delay bigint not null,
    arrival_minutes     bigint not null,
    cancellations       bigint not null
) with (fillfactor = 10);
create table if not exists aircraft (
    tail_number text   primary key,
    flights     bigint not null
) with (fillfactor = 50)";

const READ: &str = "
select carrier, departures, departure_minutes, arrivals, arrivals_with_delay, arrival_minutes, cancellations
from carriers";

const READ_AIRCRAFT: &str = "select count(*), coalesce(sum(flights), 0)::bigint from aircraft";

/// What [`carriers`] does about events.
#[derive(Clone, Copy, Debug)]
pub struct Carriers;

impl TransactionHandler for Carriers {
    async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
        self.handle_group(slice::from_ref(event), transaction).await
    }

    /// Two statements, however many events.
    async fn handle_group(
        &self,
        events: &[EventEnvelope],
        transaction: &Transaction<'_>,
    ) -> Handled {
        let (mut report, mut aircraft) = (Report::default(), BTreeMap::<TailNumber, i64>::new());
        for envelope in events {
            let event: Event = envelope.event::<LogBook<Aircraft>>()?;
            report.event(&event);
            if !matches!(event, Event::Arrived { .. })
                && let Some(tail_number) = tail_number(&envelope.persistence_id)
            {
                *aircraft.entry(tail_number).or_default() += 1;
            }
        }
        add_aircraft(transaction, &aircraft).await?;
        // Last, as all ranges meet at these rows; sorted, so that they meet in one order.
        add_carriers(transaction, &report).await?;
        Ok(())
    }
}

const ADD_CARRIERS: &str = "
insert into carriers as it
select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
on conflict (carrier) do update set
    departures          = it.departures          + excluded.departures,
    departure_minutes   = it.departure_minutes   + excluded.departure_minutes,
    arrivals            = it.arrivals            + excluded.arrivals,
    arrivals_with_delay = it.arrivals_with_delay + excluded.arrivals_with_delay,
    arrival_minutes     = it.arrival_minutes     + excluded.arrival_minutes,
    cancellations       = it.cancellations       + excluded.cancellations";

async fn add_carriers(
    transaction: &Transaction<'_>,
    report: &Report,
) -> Result<(), tokio_postgres::Error> {
    let (mut codes, mut columns) = (Vec::new(), <[Vec<i64>; 6]>::default());
    for (carrier, row) in report.carriers() {
        codes.push(carrier.as_str());
        for (column, number) in columns.iter_mut().zip(row.numbers()) {
            column.push(number);
        }
    }
    let [a, b, c, d, e, f] = &columns;
    let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 7] = [
        (&codes, Type::TEXT_ARRAY),
        (a, Type::INT8_ARRAY),
        (b, Type::INT8_ARRAY),
        (c, Type::INT8_ARRAY),
        (d, Type::INT8_ARRAY),
        (e, Type::INT8_ARRAY),
        (f, Type::INT8_ARRAY),
    ];
    transaction.execute_typed(ADD_CARRIERS, &params).await?;
    Ok(())
}

const ADD_AIRCRAFT: &str = "
insert into aircraft as it select * from unnest($1::text[], $2::bigint[])
on conflict (tail_number) do update set flights = it.flights + excluded.flights";

async fn add_aircraft(
    transaction: &Transaction<'_>,
    aircraft: &BTreeMap<TailNumber, i64>,
) -> Result<(), tokio_postgres::Error> {
    let tail_numbers: Vec<&str> = aircraft.keys().map(|it| it.as_str()).collect();
    let flights: Vec<i64> = aircraft.values().copied().collect();
    transaction
        .execute_typed(
            ADD_AIRCRAFT,
            &[
                (&tail_numbers, Type::TEXT_ARRAY),
                (&flights, Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

fn tail_number(persistence_id: &PersistenceId) -> Option<TailNumber> {
    if persistence_id.entity_type() != Aircraft::ENTITY {
        return None;
    }
    persistence_id.entity_id().parse().ok()
}
