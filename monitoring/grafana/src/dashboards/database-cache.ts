// Postgres, Redis and the cache: as the service sees them, and as they see themselves.

import { above, BAD, below, BY_OUTCOME, BY_POOL, BY_QUANTILE, GOOD, high, low } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
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
/** Not the databases that Postgres keeps for itself. */
const database = (metric: string) => from('postgres', metric, 'datname!~"|postgres|template.*"');

export const databaseCache = dashboard('database-cache', {
  title: 'Database and cache',
  description: 'Are Postgres and Redis there, fast, and far from their limits? Does the cache help?',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Postgres',
        description: 'Whether Postgres answers its exporter and every chosen replica. Good: there.',
        unit: 'none',
        query: `min(${from('postgres', 'pg_up')} or ${ours('service_ready', 'dependency="postgres"')}) or vector(0)`,
        words: { 0: ['Away', BAD], 1: ['There', GOOD] },
        alert: 'PostgresDown',
        movedBy: 'postgres-away',
      }),
      stat({
        title: 'Redis',
        description:
          'Whether Redis answers its exporter and every chosen replica. Good: there; without it the service goes on, more slowly.',
        unit: 'none',
        query: `min(${from('redis', 'redis_up')} or ${ours('service_ready', 'dependency="redis"')}) or vector(0)`,
        words: { 0: ['Away', BAD], 1: ['There', GOOD] },
        alert: 'RedisDown',
        movedBy: 'redis-away',
      }),
      stat({
        title: 'Statements',
        description: 'Statements in a second. Good: follows the requests.',
        unit: 'ops',
        query: sum(rate(queries)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Statement p95',
        description: 'Of 20 statements, 19 take no longer. Good: below 50 ms; 1 s is an alert.',
        unit: 's',
        query: orZero(quantile(0.95, latency)),
        limits: low(0.1, 1),
        alert: 'SlowDatabaseQueries',
        movedBy: 'slow-database',
      }),
      stat({
        title: 'Failed',
        description: 'Share of statements that ended in an error or a timeout. Good: 0; 5 % is an alert.',
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
        description: 'Share of the connections that the fullest replica has in use. Good: below 70 %; above 90 % requests wait.',
        unit: 'percentunit',
        decimals: 0,
        query: `max(${sum(pool('used'), 'instance')} / ${sum(pool('max'), 'instance')})`,
        limits: low(0.7, 0.9),
        alert: 'DatabasePoolSaturated',
        movedBy: 'database-pool',
      }),
      stat({
        title: 'Connections',
        description: 'Share of the connections that Postgres allows which are open. Good: below 60 %; 80 % is an alert.',
        unit: 'percentunit',
        decimals: 0,
        query: orZero(`${connections} / ${allowed}`),
        limits: low(0.6, 0.8),
        alert: 'PostgresConnectionsHigh',
        movedBy: 'database-connections',
      }),
      stat({
        title: 'Cache hits',
        description: 'Share of the look-ups that the cache answers. Good: above 80 % once it is warm; below 50 % it is no use.',
        unit: 'percentunit',
        decimals: 0,
        query: orAll(ratio(hits, `(${hits} + ${misses})`)),
        limits: high(0.5, 0.7),
        alert: 'LowCacheHitRate',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Statements',
      timeSeries({
        title: 'Statements by operation',
        description: 'Statements in a second, by what they do. Good: mostly `select`.',
        unit: 'ops',
        query: { '{{operation}}': sum(rate(queries), 'operation') },
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Latency of statements',
        description: 'Time of a statement, without the wait for a connection. Good: p95 below 50 ms; 1 s is an alert (dashed).',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, latency)),
          p95: orZero(quantile(0.95, latency)),
          p99: orZero(quantile(0.99, latency)),
        },
        colours: BY_QUANTILE,
        limits: below(1),
        alert: 'SlowDatabaseQueries',
        movedBy: 'slow-database',
      }),
      timeSeries({
        title: 'Statements that did not succeed',
        description: 'Statements in a minute that failed, ran into their timeout, or whose request was given up. Good: 0.',
        unit: 'opm',
        query: { '{{status}}': perMinute(sum(rate(ours('db_queries_total', 'status!="success"')), 'status')) },
        colours: BY_OUTCOME,
        alert: 'DatabaseErrors',
        movedBy: 'database-errors',
      }),
      timeSeries({
        title: 'Latency p95 by table',
        description: 'Of 20 statements on a table within five minutes, 19 took no longer: the ten slowest. Good: below 50 ms.',
        unit: 's',
        query: { '{{table}}': orNone(top(10, 'max by (table) (table:db_query_duration_seconds:p95_rate5m)'), 'table') },
        legend: 'right',
        movedBy: 'slow-database',
      }),
      barGauge({
        title: 'Slowest tables',
        description: 'Of 100 statements on a table within five minutes, 99 took no longer. Good: below 100 ms.',
        unit: 's',
        query: { '{{table}}': orNone(top(10, 'max by (table) (table:db_query_duration_seconds:p99_rate5m)'), 'table') },
        limits: low(0.1, 2),
        movedBy: 'slow-database',
        width: 6,
      }),
      barGauge({
        title: 'Busiest tables',
        description: 'Statements in a second by table, the first ten. Good: the usual order; one that runs away is a loop.',
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
        description: 'Connections of all chosen replicas by state. Good: `used` far below `max`.',
        unit: 'none',
        query: { '{{state}}': sum(ours('db_connection_pool_size'), 'state') },
        colours: BY_POOL,
        movedBy: 'database-pool',
      }),
      timeSeries({
        title: 'Use by replica',
        description: "Share of each replica's connections that is in use. Good: below 70 %; above 90 % requests wait (dashed).",
        unit: 'percentunit',
        max: 1,
        query: { '{{instance}}': `${sum(pool('used'), 'instance')} / ${sum(pool('max'), 'instance')}` },
        limits: below(0.9),
        alert: 'DatabasePoolSaturated',
        movedBy: 'database-pool',
      }),
      timeSeries({
        title: 'Wait for a connection',
        description: 'Time that a request waits for a connection. Good: next to nothing; 0.5 s is an alert (dashed).',
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
      'Postgres by itself',
      timeSeries({
        title: 'Connections by state',
        description: 'Connections to Postgres by state. Good: mostly idle; `idle in transaction` holds locks and should pass at once.',
        unit: 'none',
        query: { '{{state}}': `${sum(from('postgres', 'pg_stat_activity_count'), 'state')} > 0` },
        stacked: true,
        alert: 'PostgresConnectionsHigh',
        movedBy: 'database-connections',
      }),
      timeSeries({
        title: 'Locks by mode',
        description: 'Locks that are held or waited for, by mode. Good: shared ones; `accessexclusivelock` keeps everybody out.',
        unit: 'none',
        query: { '{{mode}}': orNone(`${sum(from('postgres', 'pg_locks_count'), 'mode')} > 0`, 'mode') },
        colours: { '/^accessexclusive/': 'red', '/^exclusive/': 'orange' },
        stacked: true,
        movedBy: 'database-connections',
      }),
      timeSeries({
        title: 'Transactions',
        description:
          'Transactions in a second. Good: commits; rollbacks are requests that were given up, and what waits for each other in a circle is deadlocked.',
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
        description: 'How long the longest open transaction has lasted. Good: below a second; a long one holds locks and keeps dead rows.',
        unit: 's',
        query: { longest: max(from('postgres', 'pg_stat_activity_max_tx_duration')) },
        movedBy: 'slow-database',
      }),
      timeSeries({
        title: 'Rows',
        description:
          'Rows that were read and changed in a second. Good: follows the statements; reading far more than is asked for lacks an index.',
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
          'Blocks that Postgres reads in a second, from its memory and from disk. Good: next to none from disk; more wants memory, or an index.',
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
        description: 'Bytes of the database on disk. Good: grows slowly.',
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
          'Share of the look-ups within five minutes that the cache answered. Good: above 80 %; below 50 % it is no use (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{cache_type}}': orNone('max by (cache_type) (cache_type:cache_hits:ratio_rate5m)', 'cache_type') },
        limits: above(0.5),
        alert: 'LowCacheHitRate',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Look-ups',
        description: 'Look-ups in a second, by what came of them. Good: mostly hits.',
        unit: 'ops',
        query: { hits, misses, errors: sum(rate(ours('cache_errors_total'))) },
        colours: { '/hits/': 'green', '/misses/': 'blue', '/errors/': 'red' },
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Cache errors by type',
        description: 'Look-ups and changes in a minute that the cache failed. Good: 0; the store answers instead.',
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
        description: 'Commands of the service in a second, by command. Good: follows the requests.',
        unit: 'ops',
        query: { '{{command}}': sum(rate(ours('redis_commands_total')), 'command') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Latency p95 by command',
        description: 'Of 20 commands, 19 take no longer. Good: a few milliseconds; 100 ms is an alert (dashed).',
        unit: 's',
        query: { '{{command}}': orNone(quantile(0.95, ours('redis_command_duration_seconds'), 'command'), 'command') },
        limits: below(0.1),
        alert: 'RedisSlow',
        movedBy: 'slow-redis',
      }),
      timeSeries({
        title: 'Failed commands',
        description: 'Commands of the service in a minute that failed, by command. Good: 0.',
        unit: 'opm',
        query: { '{{command}}': perMinute(sum(rate(ours('redis_commands_total', 'status="error"')), 'command')) },
        alert: 'CacheErrors',
        shades: BAD,
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Memory of Redis',
        description: 'Bytes of what Redis holds, and what it has in RAM for that. Good: flat; at its limit it forgets what was used least.',
        unit: 'bytes',
        query: {
          used: sum(from('redis', 'redis_memory_used_bytes')),
          resident: sum(from('redis', 'redis_memory_used_rss_bytes')),
        },
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Keys',
        description: 'Keys in Redis, and those that end by themselves. Good: nearly all end by themselves.',
        unit: 'short',
        query: {
          all: sum(from('redis', 'redis_db_keys')),
          'with an end': sum(from('redis', 'redis_db_keys_expiring')),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Keys that end',
        description: 'Keys that ended in a minute, in time or for want of memory. Good: none for want of memory.',
        unit: 'opm',
        query: {
          'in time': perMinute(sum(rate(from('redis', 'redis_expired_keys_total')))),
          'for want of memory': perMinute(sum(rate(from('redis', 'redis_evicted_keys_total')))),
        },
        colours: { '/in time/': 'green', '/for want/': 'red' },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Connections of replicas',
        description: 'Connections to Redis that work, by what they are for. Good: one of each kind for each replica.',
        unit: 'none',
        query: { '{{role}}': sum(ours('redis_connections_active'), 'role') },
        alert: 'RedisDown',
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Clients of Redis',
        description: 'Everybody who is connected to Redis. Good: steady.',
        unit: 'none',
        query: {
          connected: sum(from('redis', 'redis_connected_clients')),
          blocked: sum(from('redis', 'redis_blocked_clients')),
        },
        movedBy: 'replica-stopped',
      }),
      heatmap({
        title: 'How commands spread',
        description: 'How many commands of the service took how long. Good: one band below a millisecond or two.',
        unit: 's',
        query: buckets(ours('redis_command_duration_seconds')),
        movedBy: 'traffic',
        width: 8,
      }),
    ),
  ],
});
