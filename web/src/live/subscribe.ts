// Subscriptions. They end with a connection, so every connect renews them.

import { problemOf, type Ack, type Status } from './protocol';
import type { Live } from './socket';
import { toast } from './toast';

/** Subscribes to a project on every connect. */
export function subscribeToProject(socket: Live, project_id: string): void {
  socket.on('connect', () => {
    socket.emit('project:subscribe', { project_id }, (answer) => void granted(answer));
  });
}

/** Subscribes to an environment on every connect. `last` returns the number of the last log line on the page, or 0; `answered` receives
 * the status. */
export function subscribeToEnvironment(
  socket: Live,
  environment_id: string,
  last: () => number,
  answered: (status: Status) => void,
): void {
  socket.on('connect', () => {
    const last_seq = last();
    socket.emit('env:subscribe', last_seq > 0 ? { environment_id, last_seq } : { environment_id }, (answer) => {
      if (granted(answer)) {
        answered(answer);
      }
    });
  });
}

function granted<T>(answer: Ack<T>): answer is T {
  const problem = problemOf(answer);
  if (problem) {
    toast(`No live updates: ${problem.title.toLowerCase()}.`);
  }
  return problem === undefined;
}
