// Journeys: whether they come to their end. What a journey is made of is in journeys/.

import { Rate } from 'k6/metrics';

/** The share that came to its end. One that k6 broke off itself is not counted. */
export const journeys = new Rate('journeys');

/** A journey that is counted: as failed when it throws. */
export function journey(go) {
  return (stage) => {
    let done = false;
    try {
      go(stage);
      done = true;
    } finally {
      journeys.add(done);
    }
  };
}
