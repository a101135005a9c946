// What a run is told from outside, by `k6 run --env NAME=value`.

/** The edge: the only way in. */
export const EDGE = __ENV.EDGE || 'http://localhost:8080';

/** How long new journeys begin; those under way then come to their end. */
export const DURATION = __ENV.DURATION || '5m';

/** Where the simulated platforms are when it is not where the service sends browsers: within Compose. */
export const SIMULATOR = __ENV.SIMULATOR || '';
