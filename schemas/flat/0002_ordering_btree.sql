-- Readers ask for the next events in the order of ordering. The BRIN index of the JVM plugin cannot
-- deliver an order, so every page is sorted; and the block ranges at its end are not summarised
-- until vacuum has passed, so every read of the newest rows, the one that a live query repeats all
-- day, scans them all. A btree answers both from its right edge, for about 22 bytes an event.
--
-- Building it blocks appends (not reads). On a large journal build it beforehand, outside of a
-- transaction, and this file finds it in place:
--   create index concurrently journal_ordering_btree_idx on journal (ordering);
-- If that was interrupted, drop the invalid index first: "if not exists" looks at the name only.
create index if not exists journal_ordering_btree_idx on journal (ordering);
