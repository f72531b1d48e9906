-- Why: what empties the queues of flushes looks its usage rows up by their keys, and must do so whatever is known of the table.
-- Postgres keeps the plan of a function's statement: one that was made while no usage was stored, as by a rater that starts before
-- the first request, or while a month's partition was empty, read the whole partition each time, until autovacuum looked at it a
-- minute later or more. Under load from the start rating fell behind. Nor is an estimate of ten rows a flush one to plan by.
-- Locks: the two functions' rows in the catalogue; executions under way end as they began.
ALTER FUNCTION rating_take(smallint[], integer) SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off;
ALTER FUNCTION rollup_add(integer) SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off;
