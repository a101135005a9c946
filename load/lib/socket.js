// A Socket.IO client (protocol 5, over Engine.IO 4) over WebSocket. It supports only the framing that the service uses: no
// namespaces, no binary. Callers define the events.

import { Counter, Trend } from 'k6/metrics';
import ws from 'k6/ws';

import { EDGE } from './settings.js';

const sent = new Counter('socket_sent');
const received = new Counter('socket_heard');
/** Time from an event to its acknowledgement. */
const acknowledged = new Trend('socket_ack', true);

const ADDRESS = `${EDGE.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`;
/** Frame prefixes: the Engine.IO packet type. In messages (type 4), the Socket.IO packet type follows. */
const OPEN = '0';
const PING = '2';
const PONG = '3';
const CONNECTED = '40';
const EVENT = '42';
const ACK = '43';
const REFUSED = '44';

/** Keeps a connection until one side closes it. `on` has a handler per event, plus `connected`, which gets the client, and `refused`. */
export function hold(token, on) {
  const answer = ws.connect(ADDRESS, {}, (socket) => {
    const client = new Client(socket, token, on);
    socket.on('message', (frame) => client.receive(frame));
  });
  if (answer.status !== 101) {
    on.refused(`${answer.status} ${answer.body}`);
  }
}

/** The client side of a connection. */
class Client {
  constructor(socket, token, on) {
    Object.assign(this, { socket, token, on, waiting: new Map(), last: 0 });
  }

  /** Sends an event; `answered` gets the acknowledgement. */
  say(event, payload, answered) {
    this.last += 1;
    this.waiting.set(this.last, { since: Date.now(), answered });
    sent.add(1, { event });
    this.socket.send(`${EVENT}${this.last}${JSON.stringify([event, payload])}`);
  }

  /** Repeats an action while the connection is open. */
  every(milliseconds, act) {
    this.socket.setInterval(act, milliseconds);
  }

  /** Runs an action later, if the connection is still open. */
  after(milliseconds, act) {
    this.socket.setTimeout(act, milliseconds);
  }

  /** Closes the connection. */
  close() {
    this.socket.close();
  }

  /** Handles a frame from the service. */
  receive(frame) {
    if (frame === PING) {
      this.socket.send(PONG);
    } else if (frame.startsWith(OPEN)) {
      this.socket.send(`${CONNECTED}${JSON.stringify({ token: this.token })}`);
    } else if (frame.startsWith(CONNECTED)) {
      this.on.connected(this);
    } else if (frame.startsWith(EVENT)) {
      const [event, payload] = JSON.parse(frame.slice(EVENT.length));
      received.add(1, { event });
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
