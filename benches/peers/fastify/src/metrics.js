// The metrics that the other modules record, and the default metrics of prom-client. The recorded metrics have the same names, buckets
// and labels as in Vitrine, but no label `transport`. The default metrics differ from Vitrine's metrics of the process.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export const registry = new Registry();
collectDefaultMetrics({ register: registry });

const shared = { registers: [registry] };
const counter = (name, help, ...labelNames) => new Counter({ ...shared, name, help, labelNames });
const gauge = (name, help, ...labelNames) => new Gauge({ ...shared, name, help, labelNames });
const histogram = (name, help, buckets, ...labelNames) => new Histogram({ ...shared, name, help, buckets, labelNames });

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10];
const DATABASE_SECONDS = [0.0005, 0.001, 0.0025, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10];
const REDIS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const REQUEST_BYTES = [100, 1000, 5000, 10000, 50000, 100000, 500000, 1000000];
const RESPONSE_BYTES = [100, 500, 1000, 5000, 10000, 50000, 100000, 500000];

export const http = {
  requests: counter('http_requests_total', 'Completed requests, including client disconnects', 'method', 'route', 'status'),
  duration: histogram('http_request_duration_seconds', 'Time to the end of the response', SECONDS, 'method', 'route'),
  requestSize: histogram('http_request_size_bytes', 'Size of request bodies', REQUEST_BYTES, 'method', 'route'),
  responseSize: histogram('http_response_size_bytes', 'Size of response bodies', RESPONSE_BYTES, 'method', 'route'),
  inFlight: gauge('http_requests_in_flight', 'Requests whose response has not ended'),
  connections: gauge('active_connections', 'Open TCP connections'),
  errors: counter('api_errors_total', 'Responses with a problem', 'type', 'route', 'status'),
  cancelled: counter('http_requests_cancelled_total', 'Requests whose client disconnected before the end of the response', 'route'),
};

export const database = {
  queries: counter('db_queries_total', 'Database statements', 'operation', 'table', 'status'),
  duration: histogram('db_query_duration_seconds', 'Duration of a database statement', DATABASE_SECONDS, 'operation', 'table'),
  pool: gauge('db_connection_pool_size', 'Connections of the pool by state', 'state'),
  wait: histogram('db_pool_wait_seconds', 'Wait for a connection from the pool', DATABASE_SECONDS),
};

export const redis = {
  commands: counter('redis_commands_total', 'Redis commands', 'command', 'status'),
  duration: histogram('redis_command_duration_seconds', 'Duration of a Redis command', REDIS_SECONDS, 'command'),
};

export const cache = {
  hits: counter('cache_hits_total', 'Cache hits', 'cache_type'),
  misses: counter('cache_misses_total', 'Cache misses', 'cache_type'),
  errors: counter('cache_errors_total', 'Failed cache operations', 'cache_type'),
};

export const accounts = { attempts: counter('auth_attempts_total', 'Authentication attempts', 'method', 'status') };

export const sockets = {
  active: gauge('websocket_connections_active', 'Open Socket.IO connections'),
  opened: counter('websocket_connections_total', 'Accepted Socket.IO connections'),
  closed: counter('websocket_disconnections_total', 'Closed Socket.IO connections', 'reason'),
};

/** Seconds since `start`, a value of `performance.now()`. */
export const since = (start) => (performance.now() - start) / 1000;
