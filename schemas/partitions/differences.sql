-- What differs between a table and what a manifest says of it: a reason each in annals.reasons, named by
-- annals.told. content.sql comes before this file.
--
-- Reads: annals.content, annals.manifest, annals.told. Sets: annals.reasons.
select set_config('annals.reasons', coalesce(jsonb_agg(format('%s: %s is %s, and %s in the manifest',
    current_setting('annals.told'), key, coalesce(there ->> key, 'none'), coalesce(said ->> key, 'none'))), '[]')::text, false) is null
from (
    select current_setting('annals.content')::jsonb as there, current_setting('annals.manifest')::jsonb -> 'content' as said
) as both_of, unnest(array['rows', 'first_ordering', 'last_ordering', 'first_sequence_number', 'last_sequence_number', 'checksum']) as key
where there -> key is distinct from said -> key;
