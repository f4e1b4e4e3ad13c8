//! What the entity layer costs beyond the stores: processor time a command, entities a second,
//! bytes an entity.

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use annals::ractor::{Actor, ActorProcessingErr, ActorRef};
use annals::{
    Entities, EntityRef, JournalCapacity, JournalRef, NewEvent, Payload, PersistenceId,
    SequenceNumber, Settings, WriteEvents, WriterId,
};
use annals_testkit::{MemoryJournal, MemorySnapshots};
use futures::{StreamExt, TryStreamExt, stream};

use crate::database::open;
use crate::entities::{ASKED_AT_ONCE, Count, Counter};
use crate::meter::processor_time;
use crate::rounds::Line;
use crate::sample::print_rate;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) entities: usize,
    pub(crate) commands: usize,
}

/// Measures in turn, so many rounds, and prints all of it.
pub(crate) async fn run(server: &Settings, plan: Plan) -> Result<(), Box<dyn Error>> {
    let (mut bare, mut entity) = (Vec::new(), Vec::new());
    let (mut spawned, mut bytes, mut on_postgres) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        bare.push(on_one_thread(move || bare_commands(plan.commands)).await?);
        entity.push(on_one_thread(move || entity_commands(plan.commands)).await?);
        println!(
            "round {round}  a command: bare actor {:.0} ns, entity {:.0} ns of processor time",
            bare[round - 1],
            entity[round - 1]
        );

        let before = resident_bytes()?;
        let entities = in_memory().await;
        let (live, rate) = spawn(&entities, plan.entities).await?;
        let each = resident_bytes()?.saturating_sub(before) as f64 / plan.entities as f64;
        println!("round {round}  {rate:.0} entities/s in memory, {each:.0} bytes each");
        spawned.push(rate);
        bytes.push(each);
        drop(live);
        entities.drain().await;

        let annals = open(server).await?;
        let (live, rate) = spawn(annals.entities(), plan.entities).await?;
        println!("round {round}  {rate:.0} entities/s on PostgreSQL");
        on_postgres.push(rate);
        drop(live);
        annals.shutdown().await;
    }
    println!("\n{}", Line::HEAD);
    Line::new("command-ns-beside-bare-actor", entity, bare).print();
    println!("\ncase\tmedian\tspread");
    print_rate("spawn-in-memory-per-second", &spawned);
    print_rate("spawn-on-postgresql-per-second", &on_postgres);
    // Later rounds live in the memory of the first.
    print_rate("idle-entity-bytes", &bytes[..1]);
    Ok(())
}

/// One thread, so that its processor time is that of the work and not of threads that look for some.
async fn on_one_thread<F: Future<Output = f64>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<f64, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(tokio::task::spawn_blocking(move || runtime.block_on(work())).await?)
}

async fn entity_commands(commands: usize) -> f64 {
    let entities = in_memory().await;
    let counter = entities.get::<Counter>("1").await.expect("an entity");
    let begin = processor_time();
    for _ in 0..commands {
        counter.ask(Count).await.expect("an answer");
    }
    each(begin, commands)
}

/// An actor that does by hand what the entity does: writes one event and answers.
struct Bare;

struct Writer {
    journal: JournalRef,
    persistence_id: PersistenceId,
    writer: WriterId,
    next: SequenceNumber,
    count: u64,
}

impl Actor for Bare {
    type Msg = Count;
    type State = Writer;
    type Arguments = JournalRef;

    async fn pre_start(
        &self,
        _: ActorRef<Count>,
        journal: JournalRef,
    ) -> Result<Writer, ActorProcessingErr> {
        Ok(Writer {
            journal,
            persistence_id: PersistenceId::of("Counter", "1")?,
            writer: WriterId::random(),
            next: SequenceNumber::FIRST,
            count: 0,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        Count(reply): Count,
        writer: &mut Writer,
    ) -> Result<(), ActorProcessingErr> {
        let event = NewEvent::from(Payload::raw(vec![0; 100]));
        let id = writer.persistence_id.clone();
        let write = WriteEvents::new(id, writer.next, writer.writer, vec![event]);
        writer.journal.write(write).await?;
        writer.next = writer.next.next();
        writer.count += 1;
        reply.send(Ok(writer.count))?;
        Ok(())
    }
}

async fn bare_commands(commands: usize) -> f64 {
    let journal = MemoryJournal::spawn(JournalCapacity::default()).await;
    let (actor, _) = Actor::spawn(None, Bare, journal).await.expect("an actor");
    let begin = processor_time();
    for _ in 0..commands {
        let (reply, answer) = annals::ractor::concurrency::oneshot();
        actor.send_message(Count(reply.into())).expect("a mailbox");
        answer.await.expect("an answer").expect("a count");
    }
    each(begin, commands)
}

/// Entities that nobody knew before, each ready for commands.
pub(crate) async fn spawn(
    entities: &Entities,
    count: usize,
) -> Result<(Vec<EntityRef<Count>>, f64), Box<dyn Error>> {
    let begin = Instant::now();
    let live = stream::iter(0..count)
        .map(|number| {
            let entities = entities.clone();
            async move { entities.get::<Counter>(&number.to_string()).await }
        })
        .buffer_unordered(ASKED_AT_ONCE)
        .try_collect()
        .await?;
    Ok((live, count as f64 / begin.elapsed().as_secs_f64()))
}

async fn in_memory() -> Entities {
    let journal = MemoryJournal::spawn(JournalCapacity::default()).await;
    Entities::new(journal, MemorySnapshots::spawn().await)
}

/// Nanoseconds.
fn each(begin: Duration, commands: usize) -> f64 {
    (processor_time() - begin).as_secs_f64() * 1e9 / commands as f64
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .ok_or("/proc/self/status tells no VmRSS")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}
