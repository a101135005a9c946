#!/bin/sh
# PostgreSQL (Debian package postgresql-15, 15.18): a prepared statement whose LIMIT is a parameter is planned for every execution once its
# table is long, although each plan is the same.
#
# Expected: the documentation says that after five executions with custom plans, the generic plan is used if "its cost is not so much higher
#   than the average custom-plan cost" that planning each time seems better. A page in the order of the primary key has only one sensible
#   plan, the same with every parameter, so its generic plan should not seem more expensive.
# Actual: for the generic plan, the planner assumes that an unknown LIMIT returns a tenth of the rows. With 1,000 rows, executions from the
#   sixth on use the generic plan. With 1,000,000 rows, all of them use custom plans, so each one pays for planning. If the rows come
#   from a subquery with a fixed LIMIT, this limit bounds the estimate, and the generic plan is used with 1,000,000 rows, too.
# Source: https://www.postgresql.org/docs/15/sql-prepare.html, https://www.postgresql.org/docs/15/view-pg-prepared-statements.html
# Needs the package postgresql-15; installs it if it is missing. Must run as root; the server runs as the user postgres, as it refuses root.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
bin=/usr/lib/postgresql/15/bin
[ -x "$bin/initdb" ] || apt-get install --yes --quiet=2 --no-install-recommends postgresql-15 >/dev/null
work=$(mktemp -d)
chown postgres "$work"
as_postgres() { runuser -u postgres -- "$@"; }
trap 'as_postgres "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1; rm -rf "$work"' EXIT INT TERM
"$bin/postgres" --version
cd "$work"
as_postgres "$bin/initdb" -D "$work/data" --auth=trust >/dev/null
as_postgres "$bin/pg_ctl" -D "$work/data" -l "$work/log" -w -o "-c listen_addresses= -c fsync=off -k $work" start >/dev/null
query() { as_postgres psql -h "$work" -d postgres -qAtX "$@"; }
plans() { # plans STATEMENT: how often ten executions used the generic plan, and how often a custom one
    {
        echo "PREPARE page(bigint) AS $1;"
        for _ in 1 2 3 4 5 6 7 8 9 10; do echo 'EXECUTE page(20) \g /dev/null'; done
        echo "SELECT generic_plans || ' generic, ' || custom_plans || ' custom' FROM pg_prepared_statements WHERE name = 'page'"
    } | query
}
for rows in 1000 1000000; do
    query -c "CREATE TABLE rows_$rows AS SELECT n AS id, 'row ' || n AS text FROM generate_series(1, $rows) n" \
        -c "ALTER TABLE rows_$rows ADD PRIMARY KEY (id)" -c "VACUUM ANALYZE rows_$rows"
done
short=$(plans 'SELECT * FROM rows_1000 ORDER BY id LIMIT $1')
long=$(plans 'SELECT * FROM rows_1000000 ORDER BY id LIMIT $1')
bounded=$(plans 'SELECT * FROM (SELECT * FROM rows_1000000 ORDER BY id LIMIT 101) longest ORDER BY id LIMIT $1')
echo "1,000 rows: $short; 1,000,000 rows: $long; with a fixed limit inside: $bounded"
[ "$short" = '5 generic, 5 custom' ] && [ "$long" = '0 generic, 10 custom' ] && [ "$bounded" = '5 generic, 5 custom' ]
