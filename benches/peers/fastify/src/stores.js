// Postgres and Redis. `query` and `command` run and measure every statement and command, except the commands of Socket.IO's adapter.
import { Redis } from 'ioredis';
import pg from 'pg';
import { config } from './config.js';
import { database as measured, redis as measuredRedis, since } from './metrics.js';

const pool = new pg.Pool({
  connectionString: config.databaseUrl,
  max: config.databaseConnections,
  connectionTimeoutMillis: 1000,
  statement_timeout: 1500,
});
pool.on('error', (error) => console.error('an idle database connection failed:', error.message));
measured.pool.collect = () => {
  measured.pool.set({ state: 'max' }, config.databaseConnections);
  measured.pool.set({ state: 'idle' }, pool.idleCount);
  measured.pool.set({ state: 'used' }, pool.totalCount - pool.idleCount);
};

/** A prepared statement. Because it has a name, each connection prepares it only once. */
export const statement = (operation, table, text) => ({ operation, table, text, name: `${operation}_${table}_${text.length}` });

/** Runs a statement and returns its rows. */
export async function query({ operation, table, text, name }, values) {
  const asked = performance.now();
  const client = await pool.connect();
  measured.wait.observe(since(asked));
  const start = performance.now();
  let status = 'error';
  try {
    const { rows } = await client.query({ name, text, values });
    status = 'success';
    return rows;
  } finally {
    client.release();
    measured.queries.inc({ operation, table, status });
    measured.duration.observe({ operation, table }, since(start));
  }
}

const redis = new Redis(config.redisUrl, { commandTimeout: 250, enableAutoPipelining: true, maxRetriesPerRequest: 1 });
redis.on('error', (error) => console.error('redis:', error.message));

/** Runs a Redis command and returns its reply. */
export async function command(name, ...values) {
  const start = performance.now();
  let status = 'error';
  try {
    const answer = await redis[name](...values);
    status = 'success';
    return answer;
  } finally {
    measuredRedis.commands.inc({ command: name, status });
    measuredRedis.duration.observe({ command: name }, since(start));
  }
}

// Socket.IO's adapter does not handle a failed subscription, so its commands have no timeout and are sent again after a
// reconnect.
const FOR_EVENTS = { commandTimeout: undefined, maxRetriesPerRequest: null, enableAutoPipelining: false };

/** Separate connections for events: one publishes, one subscribes. */
export const pubSub = () =>
  [1, 2].map(() => {
    const own = redis.duplicate(FOR_EVENTS);
    own.on('error', (error) => console.error('redis:', error.message));
    return own;
  });

/** Closes the connections to Redis and Postgres, except those for events. */
export async function close() {
  redis.disconnect();
  await pool.end();
}
