// A Socket.IO client (protocol 5, over Engine.IO 4) on a websocket. Of the framing it knows what the service uses: no
// namespaces, no binary. What is said and heard is the caller's business.

import { Counter, Trend } from 'k6/metrics';
import ws from 'k6/ws';

import { EDGE } from './settings.js';

const sent = new Counter('socket_sent');
const heard = new Counter('socket_heard');
/** From an event to its acknowledgement. */
const acknowledged = new Trend('socket_ack', true);

const ADDRESS = `${EDGE.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`;
/** First letters of a frame: Engine.IO's, then for a message Socket.IO's. */
const OPEN = '0';
const PING = '2';
const PONG = '3';
const CONNECTED = '40';
const EVENT = '42';
const ACK = '43';
const REFUSED = '44';

/** Holds a connection until one side closes it; `on` has a function for each event, `connected`, which gets the client, and `refused`. */
export function hold(token, on) {
  const answer = ws.connect(ADDRESS, {}, (socket) => {
    const client = new Client(socket, token, on);
    socket.on('message', (frame) => client.hear(frame));
  });
  if (answer.status !== 101) {
    on.refused(`${answer.status} ${answer.body}`);
  }
}

/** One end of a connection. */
class Client {
  constructor(socket, token, on) {
    Object.assign(this, { socket, token, on, waiting: new Map(), last: 0 });
  }

  /** Says something; `answered` gets the acknowledgement. */
  say(event, payload, answered) {
    this.last += 1;
    this.waiting.set(this.last, { since: Date.now(), answered });
    sent.add(1, { event });
    this.socket.send(`${EVENT}${this.last}${JSON.stringify([event, payload])}`);
  }

  /** Does something again and again while the connection is open. */
  every(milliseconds, act) {
    this.socket.setInterval(act, milliseconds);
  }

  /** Does something later, if the connection is still open then. */
  after(milliseconds, act) {
    this.socket.setTimeout(act, milliseconds);
  }

  /** Ends it. */
  close() {
    this.socket.close();
  }

  hear(frame) {
    if (frame === PING) {
      this.socket.send(PONG);
    } else if (frame.startsWith(OPEN)) {
      this.socket.send(`${CONNECTED}${JSON.stringify({ token: this.token })}`);
    } else if (frame.startsWith(CONNECTED)) {
      this.on.connected(this);
    } else if (frame.startsWith(EVENT)) {
      const [event, payload] = JSON.parse(frame.slice(EVENT.length));
      heard.add(1, { event });
      this.on[event]?.(payload);
    } else if (frame.startsWith(ACK)) {
      const at = frame.indexOf('[');
      this.settle(Number(frame.slice(ACK.length, at)), JSON.parse(frame.slice(at))[0]);
    } else if (frame.startsWith(REFUSED)) {
      this.on.refused(frame);
      this.close();
    }
  }

  settle(id, answer) {
    const { since, answered } = this.waiting.get(id);
    this.waiting.delete(id);
    acknowledged.add(Date.now() - since);
    answered(answer);
  }
}
