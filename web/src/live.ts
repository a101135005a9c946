// The live parts of a page, loaded only on pages with `data-live`. All parts share one connection.

import { boundary } from './boundary';
import { all } from './dom';
import { startChanges } from './live/changes';
import { showConnection } from './live/connection';
import { startDeliveries } from './live/deliveries';
import { startLog } from './live/log';
import { startPresence } from './live/presence';
import { connect } from './live/socket';
import { startStatus } from './live/status';
import { subscribeToEnvironment, subscribeToProject } from './live/subscribe';
import { startTerminal } from './live/terminals';

/** Starts the parts, then connects, so that no part misses an event. */
export function startLive(): void {
  const socket = connect(showConnection);
  const project = document.querySelector<HTMLElement>('[data-live][data-project], [data-live] [data-project]')?.dataset['project'];
  void boundary(() => startStatus(socket, project));
  void boundary(() => startDeliveries(socket));
  if (project) {
    void boundary(() => startPresence(socket, project));
    void boundary(() => startChanges(socket, project));
    subscribeToProject(socket, project);
  }
  const logs = all('ol[data-log]');
  for (const log of logs) {
    void boundary(() => startLog(socket, log), log.parentElement ?? log);
  }
  const logged = new Set(logs.map((log) => log.dataset['environment']));
  for (const { dataset } of all('[data-live][data-environment]')) {
    if (dataset['environment'] && !logged.has(dataset['environment'])) {
      subscribeToEnvironment(socket, dataset['environment'], () => 0);
    }
  }
  for (const section of all('[data-terminal]')) {
    void boundary(() => startTerminal(socket, section), section);
  }
  socket.connect();
}
