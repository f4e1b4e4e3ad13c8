use annals_persistence::SnapshotMessage;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::backlog::Backlog;
use crate::loader::Loader;
use crate::saver::{Job, Saver};

/// The mailbox of the snapshot store. Stopping waits until everything accepted is saved.
pub(crate) struct SnapshotActor;

pub(crate) struct Parts {
    saver: Option<Saver>,
    backlog: Backlog,
    loader: Loader,
}

impl Actor for SnapshotActor {
    type Msg = SnapshotMessage;
    type State = Parts;
    type Arguments = (Saver, Backlog, Loader);

    async fn pre_start(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        (saver, backlog, loader): Self::Arguments,
    ) -> Result<Parts, ActorProcessingErr> {
        Ok(Parts {
            saver: Some(saver),
            backlog,
            loader,
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        message: SnapshotMessage,
        parts: &mut Parts,
    ) -> Result<(), ActorProcessingErr> {
        let job = match message {
            SnapshotMessage::Load(persistence_id, criteria, reply) => {
                parts.loader.serve(persistence_id, criteria, reply);
                return Ok(());
            }
            SnapshotMessage::Save(snapshot, None) if parts.backlog.is_full() => {
                tracing::warn!(
                    persistence_id = %snapshot.persistence_id,
                    sequence_number = %snapshot.sequence_number,
                    "snapshots come faster than they can be saved, this one is let go"
                );
                return Ok(());
            }
            SnapshotMessage::Save(snapshot, reply) => {
                parts.backlog.add(snapshot.payload.bytes.len());
                Job::Save(snapshot, reply)
            }
            SnapshotMessage::Delete(persistence_id, criteria, reply) => {
                Job::Delete(persistence_id, criteria, reply)
            }
        };
        if let Some(saver) = &parts.saver {
            saver.send(job)?;
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        parts: &mut Parts,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(saver) = parts.saver.take() {
            saver.finish().await?;
        }
        Ok(())
    }
}
