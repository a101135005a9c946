// A client that subscribes to a project and to the log of an environment, and sends pings. It reconnects when a replica drains. At the
// end, the client checks that each log line, and each change since the start of the client's last connection, arrived exactly once.

import { check, sleep } from 'k6';
import exec from 'k6/execution';

import { program } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { projectVersion } from '../lib/projects.js';
import { Sequence } from '../lib/sequence.js';
import { hold } from '../lib/socket.js';

/** Time for which a listener listens. Each listener ends, because k6 starts new ones at a steady rate. */
const DURATION_MS = 28_000;
const PING_EVERY_MS = 5_000;
const RECONNECT_DELAY_SECONDS = 0.5;
/** Time for the last events to arrive. */
const LAST_EVENTS_MS = 1_500;

/** Listens for `DURATION_MS`, over as many connections as that takes. */
export const listener = journey(({ targets }) => {
  const target = targets[exec.scenario.iterationInTest % targets.length];
  const ends = Date.now() + DURATION_MS;
  const lines = new Sequence();
  do {
    listen(target, ends, lines);
    sleep(RECONNECT_DELAY_SECONDS);
  } while (Date.now() < ends);
  lines.judge('every log line arrives once');
});

/** Holds one connection until one side closes it. The next connection resumes the log after the last line received so far. */
function listen({ token, project, environment }, ends, lines) {
  const client = program(token);
  const changes = new Sequence();
  const counted = { pings: 0, pongs: 0 };
  const accepted = (answer) => check(answer, { 'the subscription is accepted': ({ error }) => error === undefined });

  const subscribe = (socket) => {
    socket.say('project:subscribe', { project_id: project }, (answer) => {
      accepted(answer);
      // Every change after this version must arrive.
      changes.begin(projectVersion(client, project));
    });
    socket.say('env:subscribe', { environment_id: environment, last_seq: lines.last ?? null }, accepted);
  };
  const ping = (socket) => {
    counted.pings += 1;
    const at = Date.now();
    socket.say('ping', { at }, (answer) => check(answer, { 'the ping is acknowledged': (pong) => pong.at === at }));
  };
  const end = (socket) => {
    const version = projectVersion(client, project);
    socket.after(LAST_EVENTS_MS, () => {
      changes.judge('every change arrives once', version);
      check(counted, { 'every pong arrives': ({ pings, pongs }) => pings === pongs });
      socket.close();
    });
  };

  hold(token, {
    connected: (socket) => {
      subscribe(socket);
      socket.every(PING_EVERY_MS, () => Date.now() < ends && ping(socket));
      socket.after(Math.max(1, ends - Date.now()), () => end(socket));
    },
    refused: (reason) => check(reason, { 'the connection is accepted': () => false }),
    pong: () => (counted.pongs += 1),
    'project:changed': ({ version }) => changes.hear(version),
    'env:log': ({ entries }) => entries.forEach(({ seq }) => lines.hear(seq)),
  });
}
