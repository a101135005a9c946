// Real user monitoring: page views, errors and, for a sample of page loads, timings.

import { route, sample } from '../page';
import { startAssets } from './assets';
import { startErrors } from './errors';
import { report, startQueue } from './queue';

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
