// The line that shows the state of the live connection.

import { all } from '../dom';
import type { State } from './socket';

const texts: Readonly<Record<State, string>> = {
  connected: 'Live: changes appear automatically.',
  disconnected: 'Connection lost. Reconnecting …',
  moving: 'This replica is shutting down. Switching to another one …',
};

/** Shows the state of the connection. `why` is the error message of a failed attempt to connect: a code if the service refused it. */
export function showConnection(state: State, why?: string): void {
  const text = why === 'too_many_connections' ? 'Too many connections for your account. Reconnecting …' : texts[state];
  for (const line of all('[data-connection]')) {
    line.dataset['connection'] = state;
    if (line.textContent !== text) {
      line.textContent = text;
    }
  }
}
