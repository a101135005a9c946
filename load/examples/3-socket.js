// A socket: connects over Socket.IO, sends pings and measures the time until each is acknowledged. lib/socket.js has the protocol.
//
//   k6 run load/examples/3-socket.js

import { Counter, Trend } from 'k6/metrics';

import { logIn, register } from '../lib/accounts.js';
import { browser } from '../lib/http.js';
import { duration } from '../lib/settings.js';
import { hold } from '../lib/socket.js';

const SECONDS = duration('10s');
const answered = new Counter('pings_answered');
const took = new Trend('ping_took', true);

export const options = {
  vus: 2,
  iterations: 2,
  thresholds: { pings_answered: ['count>0'], ping_took: ['p(95)<500'] },
};

export const setup = () => logIn(browser, register(`load-${crypto.randomUUID()}@example.org`));

export default function (token) {
  hold(token, {
    connected: (socket) => {
      socket.every(200, () => ping(socket));
      socket.after(SECONDS * 1000, () => socket.close());
    },
    refused: (reason) => {
      throw new Error(`the connection was refused: ${reason}`);
    },
  });
}

function ping(socket) {
  const at = Date.now();
  socket.say('ping', { at }, () => {
    answered.add(1);
    took.add(Date.now() - at);
  });
}
