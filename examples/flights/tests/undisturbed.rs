use std::future::pending;

use annals::{Offset, Options};
use annals_postgres::TestDatabase;
use flights::{
    Aircraft, CaughtUp, Command, Flight, LogBook, Progress, Report, Totals, airlines, carriers,
    catch_up, flights_of_2013, load, make_carriers, read_carriers,
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
    let connection = database.connect().await.unwrap();
    make_carriers(&*connection).await.unwrap();
    let projection = carriers(&airlines().unwrap()).unwrap();
    let (mut lowest, mut statuses) = (1.0_f64, 0);
    let caught_up = catch_up(annals.projections(), projection, pending(), |status| {
        lowest = lowest.min(status.progress());
        statuses += 1;
    });
    let expected = CaughtUp {
        handled: 664_839,
        before: 0,
        interrupted: false,
    };
    assert_eq!(caught_up.await.unwrap(), expected);
    assert!(lowest < 1.0 && statuses > 1, "it is told how it stands");
    let (report, totals) = read_carriers(&*connection).await.unwrap();
    totals.check(&Totals::of_2013()).unwrap();
    let mut of_the_file = Report::default();
    year.iter().for_each(|flight| of_the_file.flight(flight));
    assert_eq!(report, of_the_file);

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
