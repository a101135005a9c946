// Settings of a run, given by `k6 run --env NAME=value`.

/** Address of the edge. */
export const EDGE = __ENV.EDGE || 'http://localhost:8080';

/** How long new journeys start; running ones then finish. */
export const DURATION = __ENV.DURATION || '5m';

/** Address of the simulated platforms, if it differs from the one that the service sends browsers to: within Compose. */
export const SIMULATOR = __ENV.SIMULATOR || '';
