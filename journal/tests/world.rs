//! Journals in which a write is stored only where the highest sequence number is the one before, one for
//! each way in which that is held.

use annals_persistence::JournalRef;
use annals_postgres::Layout;

use crate::store::{ONE_LANE, Store, partitions_of};

/// A journal with partitions of one event each, so that the index of a partition never sees two events of
/// a persistence id.
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) store: Store,
    /// As the world is now; the one of the store was started before.
    pub(crate) journal: JournalRef,
}

/// Nobody keeps the metadata in our statement, but the trigger of the JVM plugin as its DDL has it.
pub(crate) const TRIGGER_OF_THE_JVM: &str = "
drop trigger trig_keep_journal_metadata on journal;
create function update_journal_metadata() returns trigger as $$
begin
    insert into journal_metadata (persistence_id, max_sequence_number, max_ordering, min_ordering)
    values (new.persistence_id, new.sequence_number, new.ordering,
            case when new.sequence_number = 1 then new.ordering else -1 end)
    on conflict (persistence_id) do update set
        max_sequence_number = greatest(journal_metadata.max_sequence_number, new.sequence_number),
        max_ordering = greatest(journal_metadata.max_ordering, new.ordering),
        min_ordering = least(journal_metadata.min_ordering, new.ordering);
    return new;
end
$$ language plpgsql;
create trigger trig_update_journal_metadata after insert on journal
    for each row execute function update_journal_metadata()";

/// Events may be there without metadata, as in a database that was adopted.
pub(crate) const INCOMPLETE: &str = "update journal_settings set metadata_complete = false";

/// Partitions for those who make none, ahead of what the journal of the store has made.
const ROOM: &str = "
do $$
begin
    for n in 10..80 loop
        continue when not exists (select from pg_partitioned_table where partrelid = 'journal'::regclass);
        execute format('create table j_%s (like journal including all)', n);
        execute format('create unique index j_%s_persistence_sequence_idx on j_%s (persistence_id, sequence_number)', n, n);
        execute format('alter table journal attach partition j_%s for values from (%s) to (%s)', n, n, n + 1);
    end loop;
end
$$";

const BEGIN_ANEW: &str = "\
delete from journal; delete from journal_metadata; select setval('journal_ordering_seq', 10)";

/// For each persistence id what its row in `journal_metadata` says and the events do not.
const WRONG: &str = "\
select coalesce(string_agg(it::text, ' '), '') from ( \
  select persistence_id, max(sequence_number) as last, min(ordering) as lowest, max(ordering) as highest \
  from journal group by 1 \
) as it left join journal_metadata as kept using (persistence_id) \
where (last, highest) is distinct from (max_sequence_number, max_ordering) \
  or min_ordering not in (lowest, -1)";

impl World {
    /// All of them.
    pub(crate) async fn all() -> Vec<Self> {
        let flat = partitions_of(Layout::Flat, 1).keep_metadata();
        let flat = Store::made_as(&flat, ONE_LANE).await;
        vec![
            Self::of("flat with metadata", flat, "").await,
            Self::by_ordering("by ordering", "").await,
            Self::by_ordering("by ordering, adopted", INCOMPLETE).await,
            Self::by_ordering("the trigger of the JVM", TRIGGER_OF_THE_JVM).await,
            Self::by_ordering(
                "the trigger of the JVM, adopted",
                &format!("{TRIGGER_OF_THE_JVM};{INCOMPLETE}"),
            )
            .await,
        ]
    }

    /// One in the layout by ordering, in which some SQL was run first.
    pub(crate) async fn by_ordering(name: &'static str, sql: &str) -> Self {
        let store = Store::in_layout(Layout::Ordering, 1, ONE_LANE).await;
        Self::of(name, store, sql).await
    }

    async fn of(name: &'static str, store: Store, sql: &str) -> Self {
        store.run(ROOM).await;
        store.run(sql).await;
        let journal = store.another(ONE_LANE).await;
        Self {
            name,
            store,
            journal,
        }
    }

    /// Deletes everything and goes back to where the numbers began, so that no batch waits for partitions.
    pub(crate) async fn begin_anew(&self) {
        let connection = self.store.borrow().await;
        connection.batch_execute(BEGIN_ANEW).await.unwrap();
        self.store.give_back(connection);
    }

    /// Expects that the metadata says what the events say.
    pub(crate) async fn check_metadata(&self) {
        let wrong: String = self.store.one(WRONG).await;
        assert_eq!(wrong, "", "{}", self.name);
    }

    /// The sequence numbers of a persistence id, those that are there twice included.
    pub(crate) async fn numbers(&self, persistence_id: &str) -> Vec<i64> {
        let sql = format!(
            "select sequence_number from journal where persistence_id = '{persistence_id}' order by 1"
        );
        self.store.column(&sql).await
    }
}
