-- Projections: how far each has read, who runs it, and the events that it gave up.
--
-- The offset tables of pekko-projection are not used: they know neither slices nor who may write. To
-- take over a projection of the JVM by tag, start ours behind its offset:
--   select current_offset from pekko_projection_offset_store where projection_name = '...';

-- One row a version of a projection. A rebuild is another version beside the one that is live.
create table if not exists projection_version (
    projection text        not null,
    version    int         not null,
    -- Set and cleared by anybody; nobody runs a version that is paused.
    paused     boolean     not null default false,
    -- The version whose results are in use. It means nothing to the projection itself.
    live       boolean     not null default false,
    -- What it reads, for those who look at it: an expression over tags, an entity type, slices.
    tags        text,
    entity_type text,
    slices      text       not null default '0-1023',
    created_at timestamptz not null default now(),
    primary key (projection, version)
);

create unique index if not exists projection_version_live_idx on projection_version (projection) where live;

-- One row a range of slices, which one process runs at a time.
create table if not exists projection_range (
    projection   text   not null,
    version      int    not null,
    first_slice  int    not null,
    last_slice   int    not null,
    -- The ordering of the last event that was dealt with.
    read_to      bigint not null,
    -- How many events were dealt with, and how many a second lately, when the offset was saved.
    handled      bigint not null default 0,
    rate         double precision not null default 0,
    saved_at     timestamptz,
    -- Grows whenever somebody takes the range or moves its offset by hand. Whoever writes read_to
    -- must name the newest one, so that a process that was thought dead writes nothing.
    epoch        bigint not null default 0,
    -- Who runs it, until when unless they say that they are still there.
    owner        text,
    leased_until timestamptz,
    -- The last failure: where (null when it was not an event, or when it is over), how often, and what.
    failed_at    bigint,
    attempts     int    not null default 0,
    error        text,
    error_at     timestamptz,
    -- A failure ended the range; nobody runs it until somebody resumes it.
    stopped      boolean not null default false,
    primary key (projection, version, first_slice),
    foreign key (projection, version) references projection_version on delete cascade
) with (fillfactor = 50);

-- Who runs a version, each for its share of the ranges.
create table if not exists projection_member (
    projection  text        not null,
    version     int         not null,
    member      text        not null,
    alive_until timestamptz not null,
    primary key (projection, version, member),
    foreign key (projection, version) references projection_version on delete cascade
);

-- Events that were passed over because their handler failed, or by hand.
create table if not exists projection_dead_letter (
    projection      text        not null,
    version         int         not null,
    -- The event: select * from journal where ordering = ...
    ordering        bigint      not null,
    -- Null where the row could not be read.
    persistence_id  text,
    sequence_number bigint,
    -- What the handler said, and its causes.
    error           text        not null,
    attempts        int         not null,
    given_up_at     timestamptz not null default clock_timestamp(),
    primary key (projection, version, ordering),
    foreign key (projection, version) references projection_version on delete cascade
);
