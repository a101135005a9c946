// A client that listens: to a project, to the log of an environment, and to the answers to its pings. It comes back when a replica
// leaves, and at its end it tells whether anything was missed or came twice.

import { check, sleep } from 'k6';

import { program } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { projectVersion } from '../lib/projects.js';
import { Sequence } from '../lib/sequence.js';
import { hold } from '../lib/socket.js';

/** How long one listens; then it leaves, so that new ones can come at a steady rate. */
const LIFE_MS = 28_000;
const PING_EVERY_MS = 5_000;
const COME_BACK_SECONDS = 0.5;
/** For what was said just before the end to arrive. */
const LAST_WORDS_MS = 1_500;

/** Listens for a while. */
export const listener = journey((stage) => {
  const ends = Date.now() + LIFE_MS;
  const lines = new Sequence();
  do {
    listen(stage, ends, lines);
    sleep(COME_BACK_SECONDS);
  } while (Date.now() < ends);
  lines.judge('every line of the log is read once');
});

/** One connection. Lines that it does not get, the next one will. */
function listen({ token, project, environment }, ends, lines) {
  const client = program(token);
  const changes = new Sequence();
  const counted = { pings: 0, pongs: 0 };
  const accepted = (answer) => check(answer, { 'the subscription is accepted': ({ error }) => error === undefined });

  const subscribe = (socket) => {
    socket.say('project:subscribe', { project_id: project }, (answer) => {
      accepted(answer);
      // From here on every change is to be heard.
      changes.begin(projectVersion(client, project));
    });
    socket.say('env:subscribe', { environment_id: environment, last_seq: lines.last ?? null }, accepted);
  };
  const ping = (socket) => {
    counted.pings += 1;
    const at = Date.now();
    socket.say('ping', { at }, (answer) => check(answer, { 'the ping is answered': (pong) => pong.at === at }));
  };
  const end = (socket) => {
    const version = projectVersion(client, project);
    socket.after(LAST_WORDS_MS, () => {
      changes.judge('every change is heard once', version);
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
    refused: (reason) => check(reason, { 'the connection is taken': () => false }),
    pong: () => (counted.pongs += 1),
    'project:changed': ({ version }) => changes.hear(version),
    'env:log': ({ entries }) => entries.forEach(({ seq }) => lines.hear(seq)),
  });
}
