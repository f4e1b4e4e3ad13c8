-- The statement that takes the rows of a dump, as text: what follows it is the data of COPY. The table was made in
-- the same transaction, so the rows are frozen at once, and no vacuum has to write them again.
--
-- Reads: annals.relation, annals.manifest.
select format('copy %s (%s) from stdin (freeze);', current_setting('annals.relation')::oid::regclass,
    (select string_agg(quote_ident(c ->> 'name'), ', ' order by place)
     from jsonb_array_elements(current_setting('annals.manifest')::jsonb -> 'columns') with ordinality as t (c, place)))
