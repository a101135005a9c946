// What makes a panel move. Every panel names one, and `cargo xtask panels` brings it about on a stack and looks whether the panel moves.
// The same list stands where that is done.

export type Cause =
  /** The demo load begins. */
  | 'traffic'
  /** A route answers 500. */
  | 'server-errors'
  /** Clients ask for what they must not have. */
  | 'client-errors'
  /** Answers are late. */
  | 'slowness'
  /** A request panics. */
  | 'panic'
  /** A task in the background fails, and its replica ends. */
  | 'task'
  /** Workers are kept busy. */
  | 'busy'
  /** Memory is held. */
  | 'memory'
  /** Statements are slow. */
  | 'slow-database'
  /** Statements run into their timeout. */
  | 'database-errors'
  /** Somebody else holds connections and locks. */
  | 'database-connections'
  /** Slow statements fill the pool. */
  | 'database-pool'
  /** Redis answers late. */
  | 'slow-redis'
  | 'redis-away'
  | 'postgres-away'
  /** Calls of the driver of environments fail. */
  | 'driver-failures'
  /** Calls of the driver of environments are slow. */
  | 'slow-driver'
  /** Wrong passwords. */
  | 'login-failures'
  /** Signing in by a platform fails. */
  | 'oauth-failures'
  /** Platforms refuse or fail. */
  | 'platform-failures'
  /** More jobs than workers get done. */
  | 'jobs-backlog'
  /** Events of the bus are dropped. */
  | 'dropped-events'
  /** Sockets are refused. */
  | 'socket-errors'
  /** Browsers report errors, bad vitals, slow files. */
  | 'browser-reports'
  | 'replica-stopped'
  /** A replica ends on request, and starts again. */
  | 'replica-restarted'
  /** The edge finds no replica. */
  | 'edge-errors'
  /** An alert fires. */
  | 'alerts'
  /** Requests fail for long enough that a budget burns. */
  | 'error-budget'
  /** The disk fills. */
  | 'disk'
  /** A program beside the service writes to a disk of the machine. */
  | 'disk-traffic'
  /** Clients fetch much. */
  | 'downloads'
  /** Clients that come too often. */
  | 'rate-limits'
  /** Prometheus has more rules to evaluate, some of them bad. */
  | 'rules';
