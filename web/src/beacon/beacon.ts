// What the page tells of itself: that it was seen, what failed in it and, for a share of page loads, how fast it was.

import { route, sample } from '../page';
import { startAssets } from './assets';
import { startErrors } from './errors';
import { report, startQueue } from './queue';

/** Starts telling. */
export async function startBeacon(): Promise<void> {
  startErrors();
  startQueue();
  if (route) {
    report({ kind: 'page_view', route });
  }
  if (route && Math.random() < sample) {
    startAssets();
    const { startVitals } = await import('../vitals');
    startVitals((vital, value) => report({ kind: 'web_vital', route, vital, value }));
  }
}
