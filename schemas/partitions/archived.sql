-- Notes where the dump of a partition lies. manifest.sql comes before this file.
--
-- Reads: annals.found, annals.content, annals.manifest, annals.server, annals.archive, annals.archive_sha256,
-- annals.archive_bytes. Locks: the row of the partition.
update partition_life as life set
    state = 'archived', archived_at = now(), verified_at = null,
    archive = current_setting('annals.archive'),
    archive_sha256 = current_setting('annals.archive_sha256'),
    archive_bytes = current_setting('annals.archive_bytes')::bigint,
    row_count = (content ->> 'rows')::bigint, checksum = content ->> 'checksum',
    first_ordering = (content ->> 'first_ordering')::bigint, last_ordering = (content ->> 'last_ordering')::bigint,
    first_sequence_number = (content ->> 'first_sequence_number')::bigint,
    last_sequence_number = (content ->> 'last_sequence_number')::bigint,
    last_write = (content ->> 'last_write')::bigint,
    schema_version = (current_setting('annals.manifest')::jsonb ->> 'schema_version')::int,
    server_id = current_setting('annals.server')::jsonb ->> 'id',
    changed_by = session_user
from (select current_setting('annals.found')::jsonb as found, current_setting('annals.content')::jsonb as content) as looked
where life.schema_name = found ->> 'schema_name' and life.partition = found ->> 'partition';
