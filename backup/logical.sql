-- Dumps the database and prints the manifest, both from one snapshot: the manifest counts exactly the rows of the dump.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\! pg_dump --format=custom --snapshot="$SNAPSHOT" --file="$PARTIAL/database.dump" && touch "$PARTIAL/dumped"
\ir rows.sql
\ir manifest.sql
COMMIT;
