use std::error::Error;

use annals::projection::EventHandler;
use annals::{
    Connection, EventEnvelope, Handled, Options, Projection, Selection, Settings,
    TransactionHandler, connect,
};
use flights::{Carriers, airlines, carriers};
use tokio::sync::Mutex;

use crate::Work;

/// Counts events until it is killed.
pub(crate) async fn work(settings: Settings, how: Work) -> Result<(), Box<dyn Error>> {
    let annals = Options::new(settings.clone()).open().await?;
    let projection = match how.naive {
        false => carriers(&airlines()?)?,
        true => {
            let connection = Mutex::new(connect(&settings).await?);
            Projection::at_least_once("carriers", Selection::all(), Naive(connection))
                .over_ranges(4)
        }
    };
    let projection = projection.in_groups_of(how.in_groups_of).lease(how.lease);
    let mut running = annals.projections().start(projection).await?;
    running.ended().await?;
    Err("the projection ended".into())
}

/// The same count in a transaction that knows of no offset.
struct Naive(Mutex<Connection>);

impl EventHandler for Naive {
    async fn handle(&self, event: &EventEnvelope) -> Handled {
        self.handle_group(std::slice::from_ref(event)).await
    }

    async fn handle_group(&self, events: &[EventEnvelope]) -> Handled {
        let mut connection = self.0.lock().await;
        let transaction = connection.transaction().await?;
        Carriers.handle_group(events, &transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}
