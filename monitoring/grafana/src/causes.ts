// Causes that change a panel. Every panel names one; `cargo xtask panels` provokes it on a test stack and checks that the panel reacts.
// crates/proofs/src/panels/causes.rs has the same list, with the code that provokes each cause.

export type Cause =
  /** The demo load starts. */
  | 'traffic'
  /** A route fails with 500. */
  | 'server-errors'
  /** Clients send invalid or forbidden requests. */
  | 'client-errors'
  /** Responses are delayed. */
  | 'slowness'
  /** A request panics. */
  | 'panic'
  /** A background task fails, and its replica exits. */
  | 'task'
  /** Worker threads are blocked. */
  | 'busy'
  /** A replica allocates memory and keeps it. */
  | 'memory'
  /** Statements are slow. */
  | 'slow-database'
  /** Statements time out. */
  | 'database-errors'
  /** Another client holds connections and locks. */
  | 'database-connections'
  /** Slow statements fill the pool. */
  | 'database-pool'
  /** Redis responds late. */
  | 'slow-redis'
  | 'redis-away'
  | 'postgres-away'
  /** Environment driver calls fail. */
  | 'driver-failures'
  /** Environment driver calls are slow. */
  | 'slow-driver'
  /** Wrong passwords. */
  | 'login-failures'
  /** Sign-ins through a platform fail. */
  | 'oauth-failures'
  /** Platforms reject calls or fail. */
  | 'platform-failures'
  /** More jobs arrive than workers can process. */
  | 'jobs-backlog'
  /** Events on the bus are dropped. */
  | 'dropped-events'
  /** Socket.IO connections are refused. */
  | 'socket-errors'
  /** Browsers report errors, bad vitals, slow files. */
  | 'browser-reports'
  | 'replica-stopped'
  /** A replica is stopped gracefully and restarted. */
  | 'replica-restarted'
  /** The edge finds no replica. */
  | 'edge-errors'
  /** An alert fires. */
  | 'alerts'
  /** Requests fail long enough to burn an error budget. */
  | 'error-budget'
  /** A disk fills up. */
  | 'disk'
  /** Another process writes to a disk of the machine. */
  | 'disk-traffic'
  /** Clients download large amounts of data. */
  | 'downloads'
  /** Clients exceed rate limits. */
  | 'rate-limits'
  /** Prometheus evaluates additional rules, some of them invalid. */
  | 'rules';
