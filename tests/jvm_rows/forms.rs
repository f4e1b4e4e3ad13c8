use annals::Layout;

/// A form in which journals of the plugin are about, by age and by what was done to them.
pub(super) struct Form {
    pub(super) name: &'static str,
    /// What makes it of one that is as the plugin's own DDL has it.
    sql: &'static str,
    in_ordering: bool,
    /// Whether the row trigger of the plugin fires.
    pub(super) trigger: bool,
    /// Whether the persistence id that is written to has its row in `journal_metadata`.
    known: bool,
}

const AS_IT_IS: Form = Form {
    name: "as it is",
    sql: "",
    in_ordering: true,
    trigger: true,
    known: true,
};

pub(super) const FORMS: [Form; 9] = [
    AS_IT_IS,
    Form {
        name: "without a trigger",
        sql: "drop trigger trig_update_journal_metadata on journal",
        trigger: false,
        ..AS_IT_IS
    },
    Form {
        name: "with a disabled trigger",
        sql: "alter table journal disable trigger trig_update_journal_metadata",
        trigger: false,
        ..AS_IT_IS
    },
    // A migration tool of the plugin's copied tables and left the columns in another order, and its
    // script for journal_metadata made ten partitions.
    Form {
        name: "with columns in another order",
        sql: "\
alter table journal rename column tags to old; \
alter table journal add column tags int[]; \
update journal set tags = old; \
alter table journal drop column old; \
create index journal_tags_idx on journal using gin (tags gin__int_ops); \
create temporary table kept as select * from journal_metadata; \
drop table journal_metadata; \
create table journal_metadata ( \
  id bigint generated always as identity, max_sequence_number bigint not null, \
  max_ordering bigint not null, min_ordering bigint not null, persistence_id text not null, \
  primary key (persistence_id) \
) partition by hash (persistence_id); \
do $$ begin for n in 0..9 loop execute format( \
  'create table journal_metadata_%s partition of journal_metadata for values with (modulus 10, remainder %s)', n, n); \
end loop; end $$; \
insert into journal_metadata (max_sequence_number, max_ordering, min_ordering, persistence_id) \
select max_sequence_number, max_ordering, min_ordering, persistence_id from kept",
        ..AS_IT_IS
    },
    Form {
        name: "from before there was journal_metadata",
        sql: "drop trigger trig_update_journal_metadata on journal; drop table journal_metadata; drop function update_journal_metadata",
        in_ordering: false,
        trigger: false,
        ..AS_IT_IS
    },
    Form {
        name: "whose metadata begins behind its events",
        sql: "delete from journal_metadata where persistence_id = 'Log|1'",
        known: false,
        ..AS_IT_IS
    },
    Form {
        name: "whose beginnings nobody has seen",
        sql: "update journal_metadata set min_ordering = -1",
        ..AS_IT_IS
    },
    // The first releases wrote long keys; one that was updated in between leaves both in a row.
    Form {
        name: "with long keys, and with both",
        sql: "\
update journal set metadata = jsonb_build_object( \
  'serId', metadata->'sid', 'serManifest', '', 'eventManifest', '', \
  'writerUuid', metadata->'wid', 'timestamp', metadata->'t') \
  || case when sequence_number % 3 = 0 then metadata else '{}' end; \
update snapshot set metadata = jsonb_build_object('serId', metadata->'sid', 'serManifest', '')",
        ..AS_IT_IS
    },
    Form {
        name: "with no tags where none were",
        sql: "update journal set tags = null where tags = '{}'",
        ..AS_IT_IS
    },
];

impl Form {
    /// Nothing where the plugin leaves no such journal in this layout.
    pub(super) fn sql_in(&self, layout: Layout) -> Option<&'static str> {
        (self.in_ordering || layout != Layout::Ordering).then_some(self.sql)
    }

    /// Whether `journal_metadata` is kept, by whomever.
    pub(super) fn keeps(&self, layout: Layout) -> bool {
        self.trigger || layout == Layout::Ordering
    }

    /// How often writing so many events one by one changes `journal_metadata`: once each, by whomever;
    /// where the trigger keeps it and the id has no row, a first time for the row.
    pub(super) fn upkeep(&self, layout: Layout, events: i64) -> i64 {
        let row = self.trigger && !self.known && layout == Layout::Ordering;
        if self.keeps(layout) {
            events + i64::from(row)
        } else {
            0
        }
    }
}

/// Notes every change of `journal_metadata`.
pub(super) const AUDIT: &str = "\
create table upkeep (persistence_id text); \
create function note_upkeep() returns trigger language plpgsql as $$ \
begin insert into upkeep values (new.persistence_id); return null; end $$; \
do $$ begin if to_regclass('journal_metadata') is not null then \
  create trigger note_upkeep after insert or update on journal_metadata for each row execute function note_upkeep(); \
end if; end $$";

pub(super) const UPKEEP: &str = "select count(*) from upkeep";

/// Rows that say something else than the journal; an unknown beginning may stay one.
pub(super) const WRONG_METADATA: &str = "\
select count(*) from ( \
  select persistence_id, max(sequence_number) as last, min(ordering) as lowest, max(ordering) as highest \
  from journal where persistence_id = 'Log|1' group by persistence_id \
) as journal left join journal_metadata as kept using (persistence_id) \
where (kept.max_sequence_number, kept.max_ordering) is distinct from (last, highest) \
  or kept.min_ordering >= 0 and kept.min_ordering <> lowest";
