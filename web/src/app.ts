// The entry point that every page loads. It starts the parts that all pages need, and those that the page's attributes request. Each part
// has its own error boundary. Parts that need a library are loaded on demand.

import { startActions } from './actions';
import { startBeacon } from './beacon/beacon';
import { boundary } from './boundary';
import { all } from './dom';
import { startFleet } from './fleet';
import { startInsights } from './insights';
import { reloads } from './page';
import { startTimes } from './times';

void boundary(startBeacon);
void boundary(startActions);
void boundary(startTimes);

if (reloads) {
  void boundary(async () => (await import('./reload')).startReload());
}
for (const block of all('[data-fleet]')) {
  void boundary(() => startFleet(block), block);
}
for (const section of all('[data-insights]')) {
  void boundary(() => startInsights(section), section);
}
for (const place of all('[data-live]')) {
  void boundary(async () => (await import('./live')).startLive(), place);
}
