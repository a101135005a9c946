// Builds the options of a profile from its scenarios and gates. The profiles define rates and limits; journeys/ defines the journeys.
//
// The scenarios built here are open models: journeys start at a rate, whether or not earlier ones have finished, so a slow service gets the
// same load. Only when all virtual users of a scenario are busy does k6 drop journeys; `dropped_iterations` counts them.

/** Number of requests in a visit (journeys/visit.js). */
export const REQUESTS = 4;
/** Time for running journeys to finish. */
const FINISH = '45s';

/** Starts `rate` journeys per minute for some seconds; at most `limit` run concurrently. */
export const perMinute = (exec, seconds, rate, limit) => ({
  exec,
  executor: 'constant-arrival-rate',
  duration: `${Math.ceil(seconds)}s`,
  rate,
  timeUnit: '1m',
  preAllocatedVUs: limit,
  gracefulStop: FINISH,
});

/** Visits at `rate` requests per second; they begin `start` seconds after the start of the run and last for `seconds`. */
export const visits = (rate, seconds, start = 0) => ({
  ...perMinute('visit', seconds, Math.round((rate * 60) / REQUESTS), 20 + Math.ceil(rate / 8)),
  startTime: `${Math.ceil(start)}s`,
  gracefulStop: '10s',
});

/**
 * Six kinds of journeys at a gentle pace, with about `sockets` open sockets at a time: twice as many listeners start each minute, and each
 * stays for half a minute. With ten sockets, all journeys together send about five requests per second.
 */
export const crowd = (seconds, sockets = 10) => ({
  visitors: perMinute('visitor', seconds, 6, 4),
  newcomers: perMinute('newcomer', seconds, 6, 4),
  builders: perMinute('builder', seconds, 2, 6),
  announcers: perMinute('announcer', seconds, 2, 4),
  editors: perMinute('editor', seconds, 3, 2),
  listeners: perMinute('listener', seconds, 2 * sockets, 2 * sockets),
});

/** The same scenarios, which start their journeys `factor` times more slowly. */
export const slower = (scenarios, factor) =>
  Object.fromEntries(Object.entries(scenarios).map(([name, scenario]) => [name, { ...scenario, timeUnit: `${factor}m` }]));

/**
 * The options of the profile `name`, with its gates. In addition, every scenario must complete at least one journey, and more than 99 % of
 * those that it starts. A threshold on a rate or a percentile passes without samples, so each scenario also has one on a counter.
 */
export const profile = (name, scenarios, gates) => ({
  scenarios,
  // Becomes a label of every series in Prometheus.
  tags: { profile: name },
  thresholds: {
    http_reqs: ['count>0'],
    checks: ['rate>0.99'],
    ...gates,
    ...Object.fromEntries(
      Object.keys(scenarios).flatMap((name) => [
        [`journeys{scenario:${name}}`, ['rate>0.99']],
        [`journeys_done{scenario:${name}}`, ['count>0']],
      ]),
    ),
  },
  // Without `url` and `name`: they would create a series for each URL. The counter `requests` has the route instead.
  systemTags: ['scenario', 'check', 'expected_response'],
  summaryTrendStats: ['avg', 'p(50)', 'p(95)', 'p(99)', 'max'],
  userAgent: 'Vitrine load (k6)',
});

/** Gates on the journeys' sockets: every expected log line and project change arrives exactly once. */
export const SOCKETS = {
  socket_heard: ['count>0'],
  events_missed: ['count==0'],
  events_doubled: ['count==0'],
};
