// A client that holds one socket and sends only pings. So the journey fails only if the socket is refused or ends early.

import { check } from 'k6';
import { Counter } from 'k6/metrics';

import { journey } from '../lib/journey.js';
import { hold } from '../lib/socket.js';

const LIFE_MS = 10_000;
const PING_EVERY_MS = 2_000;

/** Connections that were refused, or ended before their client closed them. */
const lost = new Counter('sockets_lost');

/** Stays connected for `LIFE_MS`; fails if the connection is refused or ends earlier. */
export const guest = journey(({ targets: [{ token }] }) => {
  let stayed = false;
  hold(token, {
    connected: (socket) => {
      socket.every(PING_EVERY_MS, () => socket.say('ping', { at: Date.now() }, () => {}));
      socket.after(LIFE_MS, () => {
        stayed = true;
        socket.close();
      });
    },
    refused: () => {},
  });
  lost.add(stayed ? 0 : 1);
  if (!check(stayed, { 'the connection stays': (value) => value })) {
    throw new Error('the connection ended early');
  }
});
