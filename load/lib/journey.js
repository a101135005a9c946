// Counts finished and failed journeys. Their steps are in journeys/.

import { Counter, Rate } from 'k6/metrics';

/** Share of journeys that finished. Journeys that k6 itself interrupts are not counted. */
export const journeys = new Rate('journeys');
/** Number of finished journeys. A threshold on a rate passes without samples; one on a counter does not. */
const done = new Counter('journeys_done');

/** Wraps the steps of a journey to count it. A journey that throws has failed. */
export function journey(run) {
  return (stage) => {
    let ended = false;
    try {
      run(stage);
      ended = true;
      done.add(1);
    } finally {
      journeys.add(ended);
    }
  };
}
