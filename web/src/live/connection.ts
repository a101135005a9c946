// The line that says whether the page is live.

import { all } from '../dom';
import type { State } from './socket';

const texts: Readonly<Record<State, string>> = {
  connected: 'Live: changes appear by themselves.',
  away: 'Connection lost. Trying again …',
  moving: 'This replica is leaving. Moving to another one …',
};

/** Shows a state of the connection. */
export function showConnection(state: State, why?: string): void {
  const text = why === 'too_many_connections' ? 'Too many pages are open from your address. Trying again …' : texts[state];
  for (const line of all('[data-connection]')) {
    line.dataset['connection'] = state;
    if (line.textContent !== text) {
      line.textContent = text;
    }
  }
}
