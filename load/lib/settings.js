// Settings of a run: environment variables that `k6 run --env NAME=value` passes to the script.

/** Address of the edge. */
export const EDGE = __ENV.EDGE || 'http://localhost:8080';

/** Time during which journeys start. Running journeys may finish after it. */
export const DURATION = __ENV.DURATION || '5m';

/** Address at which the load reaches the simulated platforms; empty for the address in the service's redirects. Within Compose, the two
 *  differ. */
export const SIMULATOR = __ENV.SIMULATOR || '';
