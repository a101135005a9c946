// Journeys: whether they come to their end. What a journey is made of is in journeys/.

import { Counter, Rate } from 'k6/metrics';

/** The share that came to its end. One that k6 broke off itself is not counted. */
export const journeys = new Rate('journeys');
/** How many came to their end. A threshold on a rate holds when nothing was counted; one on a counter does not. */
const done = new Counter('journeys_done');

/** A journey that is counted: as failed when it throws. */
export function journey(go) {
  return (stage) => {
    let ended = false;
    try {
      go(stage);
      ended = true;
      done.add(1);
    } finally {
      journeys.add(ended);
    }
  };
}
