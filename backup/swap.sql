-- Gives the restored database the name of the database, which gets another name. Clients see either the old or the restored one.
\if :exists
ALTER DATABASE :"database" WITH ALLOW_CONNECTIONS false;
SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity WHERE datname = :'database' \gset
BEGIN;
ALTER DATABASE :"database" RENAME TO :"old";
ALTER DATABASE :"fresh" RENAME TO :"database";
COMMIT;
\else
ALTER DATABASE :"fresh" RENAME TO :"database";
\endif
