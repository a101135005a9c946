-- Sets `count_rows` to a query over every table: the number of its rows, and the sum of a hash of each row, which does not depend on the
-- order of the rows. Included by manifest.sql and compare.sql; the settings make the text of a value the same on every server.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SELECT coalesce(
    'SELECT jsonb_object_agg(counted.name, jsonb_build_object(''rows'', counted.rows, ''hash'', counted.hash)) FROM ('
    || string_agg(
        format(
            'SELECT %L AS name, count(*) AS rows, '
            'coalesce(sum((''x'' || left(md5(this_row::text), 15))::bit(60)::bigint), 0)::text AS hash FROM %I.%I AS this_row',
            relname, nspname, relname
        ),
        ' UNION ALL ' ORDER BY relname
    )
    || ') AS counted',
    'SELECT ''{}''::jsonb'
) AS count_rows
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname = 'public' \gset
