// Postgres, Redis and the cache, as measured by the service and by their exporters.

import { above, BAD, below, BY_OUTCOME, BY_POOL, BY_QUANTILE, GOOD, high, low } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { cacheHitRate } from '../figures.js';
import { barGauge, heatmap, stat, timeSeries } from '../panels.js';
import { buckets, from, max, orAll, orNone, orZero, ours, perMinute, quantile, rate, ratio, sum, top } from '../queries.js';
import { instance } from '../variables.js';

const queries = ours('db_queries_total');
const latency = ours('db_query_duration_seconds');
const pool = (state: string) => ours('db_connection_pool_size', `state="${state}"`);
const hits = sum(rate(ours('cache_hits_total')));
const misses = sum(rate(ours('cache_misses_total')));
const connections = sum(from('postgres', 'pg_stat_activity_count'));
const allowed = sum(from('postgres', 'pg_settings_max_connections'));
/** Excludes Postgres' own databases. */
const database = (metric: string) => from('postgres', metric, 'datname!~"|postgres|template.*"');

export const databaseCache = dashboard('database-cache', {
  title: 'Database and cache',
  folder: 'infrastructure',
  description: 'Are Postgres and Redis up, fast, and far from their limits? Does the cache help?',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Postgres',
        description: 'Whether Postgres responds to its exporter and to every selected replica. Good: up.',
        unit: 'none',
        query: `min(${from('postgres', 'pg_up')} or ${ours('service_ready', 'dependency="postgres"')}) or vector(0)`,
        words: { 0: ['Down', BAD], 1: ['Up', GOOD] },
        alert: 'PostgresDown',
        movedBy: 'postgres-away',
      }),
      stat({
        title: 'Redis',
        description: 'Whether Redis responds to its exporter and to every selected replica. Good: up; without Redis the service is slower.',
        unit: 'none',
        query: `min(${from('redis', 'redis_up')} or ${ours('service_ready', 'dependency="redis"')}) or vector(0)`,
        words: { 0: ['Down', BAD], 1: ['Up', GOOD] },
        alert: 'RedisDown',
        movedBy: 'redis-away',
      }),
      stat({
        title: 'Statements',
        description: 'Statements per second. Good: follows the requests.',
        unit: 'ops',
        query: sum(rate(queries)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Statement p95',
        description:
          '95 % of statements finish within this time. Good: below 50 ms; 500 ms for one operation on one table raises an alert.',
        unit: 's',
        query: orZero(quantile(0.95, latency)),
        limits: low(0.1, 0.5),
        alert: 'SlowDatabaseQueries',
        movedBy: 'slow-database',
      }),
      stat({
        title: 'Failed',
        description: 'Share of statements that failed or timed out. Good: 0; 5 % raises an alert.',
        unit: 'percentunit',
        query: orZero(
          ratio(
            sum(rate(ours('db_queries_total', 'table!="health", status=~"error|timeout"'))),
            sum(rate(ours('db_queries_total', 'table!="health", status!="cancelled"'))),
          ),
        ),
        limits: low(0.01, 0.05),
        alert: 'DatabaseErrors',
        movedBy: 'database-errors',
      }),
      stat({
        title: 'Pool in use',
        description: "Share of the pool's connections in use on the replica with the fullest pool. Good: below 70 %; 90 % raises an alert.",
        unit: 'percentunit',
        decimals: 0,
        query: `max(${sum(pool('used'), 'instance')} / ${sum(pool('max'), 'instance')})`,
        limits: low(0.7, 0.9),
        alert: 'DatabasePoolSaturated',
        movedBy: 'database-pool',
      }),
      stat({
        title: 'Connections',
        description: 'Open connections as a share of `max_connections`. Good: below 60 %; 80 % raises an alert.',
        unit: 'percentunit',
        decimals: 0,
        query: orZero(`${connections} / ${allowed}`),
        limits: low(0.6, 0.8),
        alert: 'PostgresConnectionsHigh',
        movedBy: 'database-connections',
      }),
      stat({
        title: 'Cache hits',
        description:
          'Share of lookups that the cache answers. Good: above 80 % once the cache is warm; less than 50 % for one type raises an alert.',
        unit: 'percentunit',
        decimals: 0,
        query: orAll(ratio(hits, `(${hits} + ${misses})`)),
        limits: high(0.5, 0.7),
        alert: 'LowCacheHitRate',
        movedBy: 'redis-away',
      }),
    ),
    row(
      'Statements',
      timeSeries({
        title: 'Statements by operation',
        description: 'Statements per second by operation. Good: mostly `select`.',
        unit: 'ops',
        query: { '{{operation}}': sum(rate(queries), 'operation') },
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Latency of statements',
        description:
          'Duration of statements, without the wait for a connection. Good: p95 below 50 ms; for one operation on one table, a p95 of 500 ms or a p99 of 1 s raises an alert (dashed).',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, latency)),
          p95: orZero(quantile(0.95, latency)),
          p99: orZero(quantile(0.99, latency)),
        },
        colours: BY_QUANTILE,
        limits: low(0.5, 1),
        alert: 'SlowDatabaseQueries',
        movedBy: 'slow-database',
      }),
      timeSeries({
        title: 'Statements that did not succeed',
        description: 'Statements per minute that failed, timed out, or were abandoned with their request. Good: 0.',
        unit: 'opm',
        query: { '{{status}}': perMinute(sum(rate(ours('db_queries_total', 'status!="success"')), 'status')) },
        colours: BY_OUTCOME,
        alert: 'DatabaseErrors',
        movedBy: 'database-errors',
      }),
      timeSeries({
        title: 'Latency p95 by table',
        description: 'p95 duration of statements over five minutes, for the ten slowest tables. Good: below 50 ms.',
        unit: 's',
        query: { '{{table}}': orNone(top(10, 'max by (table) (table:db_query_duration_seconds:p95_rate5m)'), 'table') },
        legend: 'right',
        movedBy: 'slow-database',
      }),
      barGauge({
        title: 'Slowest tables',
        description:
          'p99 duration of statements by table over five minutes. Good: below 100 ms; 1 s for one operation on a table raises an alert.',
        unit: 's',
        query: { '{{table}}': orNone(top(10, 'max by (table) (table:db_query_duration_seconds:p99_rate5m)'), 'table') },
        limits: low(0.1, 1),
        alert: 'SlowDatabaseQueries',
        movedBy: 'slow-database',
        width: 6,
      }),
      barGauge({
        title: 'Busiest tables',
        description: 'Statements per second for the ten busiest tables. Good: the usual order; an unusual table at the top indicates a loop.',
        unit: 'ops',
        query: { '{{table}}': orNone(top(10, sum(rate(queries), 'table')), 'table') },
        movedBy: 'traffic',
        width: 6,
      }),
    ),
    row(
      'Pool',
      timeSeries({
        title: 'Connections of the pool',
        description: 'Connections of all selected replicas by state. Good: `used` far below `max`.',
        unit: 'none',
        query: { '{{state}}': sum(ours('db_connection_pool_size'), 'state') },
        colours: BY_POOL,
        movedBy: 'database-pool',
      }),
      timeSeries({
        title: 'Pool in use by replica',
        description: "Share of the pool's connections in use, by replica. Good: below 70 %; 90 % raises an alert (dashed).",
        unit: 'percentunit',
        max: 1,
        query: { '{{instance}}': `${sum(pool('used'), 'instance')} / ${sum(pool('max'), 'instance')}` },
        limits: below(0.9),
        alert: 'DatabasePoolSaturated',
        movedBy: 'database-pool',
      }),
      timeSeries({
        title: 'Wait for a connection',
        description: 'How long requests wait for a connection. Good: almost nothing; a p99 of 0.5 s raises an alert (dashed).',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, ours('db_pool_wait_seconds'))),
          p95: orZero(quantile(0.95, ours('db_pool_wait_seconds'))),
          p99: orZero(quantile(0.99, ours('db_pool_wait_seconds'))),
        },
        colours: BY_QUANTILE,
        limits: below(0.5),
        alert: 'DatabasePoolSaturated',
        movedBy: 'database-pool',
      }),
    ),
    row(
      'Postgres',
      timeSeries({
        title: 'Connections by state',
        description: 'Connections to Postgres by state. Good: mostly idle; `idle in transaction` holds locks and should be brief.',
        unit: 'none',
        query: { '{{state}}': `${sum(from('postgres', 'pg_stat_activity_count'), 'state')} > 0` },
        stacked: true,
        alert: 'PostgresConnectionsHigh',
        movedBy: 'database-connections',
      }),
      timeSeries({
        title: 'Locks by mode',
        description: 'Held and requested locks by mode. Good: mostly shared locks; `accessexclusivelock` blocks all other use of a table.',
        unit: 'none',
        query: { '{{mode}}': orNone(`${sum(from('postgres', 'pg_locks_count'), 'mode')} > 0`, 'mode') },
        colours: { '/^accessexclusive/': 'red', '/^exclusive/': 'orange' },
        stacked: true,
        movedBy: 'database-connections',
      }),
      timeSeries({
        title: 'Transactions',
        description:
          'Transactions per second. Good: mostly commits; rollbacks come from abandoned or failed requests, deadlocks from transactions that wait for each other.',
        unit: 'ops',
        query: {
          committed: sum(rate(database('pg_stat_database_xact_commit'))),
          'rolled back': sum(rate(database('pg_stat_database_xact_rollback'))),
          deadlocked: sum(rate(database('pg_stat_database_deadlocks'))),
        },
        colours: { '/committed/': 'green', '/rolled back/': 'orange', '/deadlocked/': 'red' },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Longest transaction',
        description:
          'Age of the oldest open transaction. Good: below a second; a long one holds locks and prevents the removal of dead rows.',
        unit: 's',
        query: { longest: max(from('postgres', 'pg_stat_activity_max_tx_duration')) },
        movedBy: 'slow-database',
      }),
      timeSeries({
        title: 'Rows',
        description:
          'Rows read and changed per second. Good: follows the statements; reading many more rows than needed indicates a missing index.',
        unit: 'ops',
        query: {
          fetched: sum(rate(database('pg_stat_database_tup_fetched'))),
          inserted: sum(rate(database('pg_stat_database_tup_inserted'))),
          updated: sum(rate(database('pg_stat_database_tup_updated'))),
          deleted: sum(rate(database('pg_stat_database_tup_deleted'))),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Blocks',
        description:
          'Blocks that Postgres reads per second, from memory and from disk. Good: almost none from disk; otherwise Postgres needs more memory, or a table needs an index.',
        unit: 'ops',
        query: {
          'from memory': sum(rate(database('pg_stat_database_blks_hit'))),
          'from disk': sum(rate(database('pg_stat_database_blks_read'))),
        },
        colours: { '/memory/': 'green', '/disk/': 'orange' },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Size',
        description: 'Size of the database on disk. Good: grows slowly.',
        unit: 'bytes',
        query: { '{{datname}}': sum(database('pg_database_size_bytes'), 'datname') },
        movedBy: 'postgres-away',
        width: 24,
        height: 6,
      }),
    ),
    row(
      'Cache',
      timeSeries({
        title: 'Hit rate by type',
        description:
          'Share of lookups over five minutes that the cache answered. Good: above 80 %; less than 50 % raises an alert (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{cache_type}}': cacheHitRate },
        limits: above(0.5),
        alert: 'LowCacheHitRate',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Lookups',
        description: 'Hits, misses and errors per second; a failed lookup counts as a miss and as an error. Good: mostly hits.',
        unit: 'ops',
        query: { hits, misses, errors: sum(rate(ours('cache_errors_total'))) },
        colours: { '/hits/': 'green', '/misses/': 'blue', '/errors/': 'red' },
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Cache errors by type',
        description:
          'Failed cache operations (lookups and changes) per minute. Good: 0; after a failed lookup the replica reads from Postgres.',
        unit: 'opm',
        query: { '{{cache_type}}': perMinute(sum(rate(ours('cache_errors_total')), 'cache_type')) },
        alert: 'CacheErrors',
        shades: BAD,
        movedBy: 'redis-away',
      }),
    ),
    row(
      'Redis',
      timeSeries({
        title: 'Commands',
        description: 'Redis commands of the replicas per second, by command. Good: follows the requests.',
        unit: 'ops',
        query: { '{{command}}': sum(rate(ours('redis_commands_total')), 'command') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Latency p99 by command',
        description: 'p99 duration of Redis commands by command. Good: a few milliseconds; 100 ms raises an alert (dashed).',
        unit: 's',
        query: { '{{command}}': orNone(quantile(0.99, ours('redis_command_duration_seconds'), 'command'), 'command') },
        limits: below(0.1),
        alert: 'RedisSlow',
        movedBy: 'slow-redis',
      }),
      timeSeries({
        title: 'Failed commands',
        description: 'Failed Redis commands of the replicas per minute, by command. Good: 0.',
        unit: 'opm',
        query: { '{{command}}': perMinute(sum(rate(ours('redis_commands_total', 'status="error"')), 'command')) },
        alert: 'CacheErrors',
        shades: BAD,
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Memory of Redis',
        description:
          'Memory that Redis uses for its data, and its resident memory. Good: flat; at its limit Redis evicts the least recently used keys.',
        unit: 'bytes',
        query: {
          used: sum(from('redis', 'redis_memory_used_bytes')),
          resident: sum(from('redis', 'redis_memory_used_rss_bytes')),
        },
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Keys',
        description: 'Keys in Redis, and those with an expiry. Good: nearly all have an expiry.',
        unit: 'short',
        query: {
          all: sum(from('redis', 'redis_db_keys')),
          'with expiry': sum(from('redis', 'redis_db_keys_expiring')),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Expired and evicted keys',
        description: 'Keys removed per minute, because they expired or because memory ran out. Good: none evicted.',
        unit: 'opm',
        query: {
          expired: perMinute(sum(rate(from('redis', 'redis_expired_keys_total')))),
          evicted: perMinute(sum(rate(from('redis', 'redis_evicted_keys_total')))),
        },
        colours: { '/expired/': 'green', '/evicted/': 'red' },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Connections of replicas',
        description: 'Working connections to Redis by purpose. Good: one for each purpose and replica.',
        unit: 'none',
        query: { '{{role}}': sum(ours('redis_connections_active'), 'role') },
        alert: 'RedisDown',
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Clients of Redis',
        description: 'All clients connected to Redis, and those that wait in a blocking command. Good: steady, none blocked.',
        unit: 'none',
        query: {
          connected: sum(from('redis', 'redis_connected_clients')),
          blocked: sum(from('redis', 'redis_blocked_clients')),
        },
        movedBy: 'replica-stopped',
      }),
      heatmap({
        title: 'Command duration distribution',
        description: 'Number of Redis commands of the replicas by duration. Good: one band below 2 ms.',
        unit: 's',
        query: buckets(ours('redis_command_duration_seconds')),
        movedBy: 'traffic',
        width: 8,
      }),
    ),
  ],
});
