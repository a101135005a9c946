// Subscriptions to projects and environments. A subscription ends with its connection, so the page subscribes again
// whenever it connects.

import { problemOf, type Ack } from './protocol';
import type { Live } from './socket';
import { showUnlessChanged } from './status';
import { toast } from './toast';

/** Subscribes to a project on every connect. */
export function subscribeToProject(socket: Live, project_id: string): void {
  socket.on('connect', () => {
    socket.emit('project:subscribe', { project_id }, (answer) => void granted(answer));
  });
}

/** Subscribes to an environment on every connect, and shows its status. `last` returns the number of the last log line on the page, or
 * 0. */
export function subscribeToEnvironment(socket: Live, environment_id: string, last: () => number): void {
  socket.on('connect', () => {
    const show = showUnlessChanged();
    const last_seq = last();
    socket.emit('env:subscribe', last_seq > 0 ? { environment_id, last_seq } : { environment_id }, (answer) => {
      if (granted(answer)) {
        show(answer);
      }
    });
  });
}

/** Returns whether the service accepted the subscription. If it did not, shows the reason to the user. */
function granted<T>(answer: Ack<T>): answer is T {
  const problem = problemOf(answer);
  if (problem) {
    toast(`No live updates: ${problem.title.toLowerCase()}.`);
  }
  return problem === undefined;
}
