use std::future::pending;

use annals::{Offset, Options};
use annals_postgres::TestDatabase;
use flights::{
    Aircraft, Command, Flight, LogBook, Progress, Totals, airlines, flights_of_2013, load,
    read_carriers,
};
use futures::StreamExt;

use crate::checks::assert_year_is_whole;

#[tokio::test(flavor = "multi_thread")]
async fn the_year_is_stored_read_by_tag_and_recovered() {
    let database = TestDatabase::create().await.unwrap();
    let options = Options::new(database.settings());
    let year = flights_of_2013().unwrap();
    let year = year.collect::<Result<Vec<Flight>, _>>().unwrap();

    let annals = options.clone().open().await.unwrap();
    let loaded = load(&annals, &year, pending(), |_| ()).await.unwrap();
    assert_eq!(loaded.progress.stored, 664_839);
    annals.shutdown().await;
    assert_year_is_whole(&database.settings()).await;

    let annals = options.open().await.unwrap();
    let (_, count) = read_carriers(annals.query(), &airlines().unwrap())
        .await
        .unwrap();
    count.totals().check(&Totals::of_2013()).unwrap();

    let log_book = annals.entity::<LogBook<Aircraft>>("N328AA").await.unwrap();
    let recovered = log_book.recovered();
    assert_eq!(recovered.snapshot.get() % 100, 0, "{recovered:?}");
    assert!(
        recovered.snapshot.get() > 0 && recovered.events < 101,
        "{recovered:?}"
    );
    let page = log_book.ask(Command::Show).await.unwrap();
    let of_aircraft = |flight: &&Flight| flight.tail_number.is_some_and(|it| &*it == "N328AA");
    let flown: Vec<&Flight> = year
        .iter()
        .filter(of_aircraft)
        .filter(|flight| flight.outcome != flights::Outcome::Cancelled)
        .collect();
    assert_eq!(page.flights, flown.len() as u64);
    let miles: u64 = flown.iter().map(|flight| u64::from(flight.distance)).sum();
    assert_eq!(page.miles, miles);

    // The same load again finds everything there and stores nothing.
    let again = load(&annals, &year, pending(), |_| ()).await.unwrap();
    let expected = Progress {
        stored: 0,
        before: 664_839,
    };
    assert_eq!(again.progress, expected);
    let rare = annals
        .query()
        .current_events_by_tag("carrier:OO", Offset::start());
    assert_eq!(
        rare.count().await,
        61,
        "29 departed, 29 arrived, 3 cancelled"
    );
    annals.shutdown().await;
}
