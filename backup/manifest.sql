-- Prints the manifest of a backup. `count_rows` is the query of rows.sql, or one that returns nothing; `history` is only that of a
-- base backup.
SELECT jsonb_pretty(jsonb_strip_nulls(jsonb_build_object(
    'kind', :'kind',
    'time', :'time',
    'program', :'program',
    'postgres', current_setting('server_version'),
    'schema', (SELECT max(version) FROM _sqlx_migrations WHERE success),
    'history', nullif(:'history', ''),
    'size_bytes', pg_database_size(current_database()),
    'tables', (:count_rows)
)));
