// Subscriptions: made again on every connection, because a connection that is lost has lost them too.

import { problemOf, type Ack, type Status } from './protocol';
import type { Live } from './socket';
import { toast } from './toast';

/** Subscribes to a project whenever the page is connected. */
export function subscribeToProject(socket: Live, project_id: string): void {
  socket.on('connect', () => {
    socket.emit('project:subscribe', { project_id }, (answer) => void granted(answer));
  });
}

/** Subscribes to an environment whenever the page is connected. `last` tells the last line that the page has, if any; `answered` hears the
 * status. */
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
