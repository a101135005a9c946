-- Prints the tables whose rows differ from those that the manifest of the backup has; nothing if all are equal.
\ir rows.sql
SELECT string_agg(coalesce(found.key, expected.key), ', ' ORDER BY coalesce(found.key, expected.key))
FROM jsonb_each((:count_rows)) AS found
FULL JOIN jsonb_each(:'manifest'::jsonb -> 'tables') AS expected ON found.key = expected.key
WHERE found.value IS DISTINCT FROM expected.value;
