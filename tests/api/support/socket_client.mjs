// Socket.IO clients for the tests: one process runs any number of clients of the official npm package `socket.io-client`.
// socket_client.rs starts this process and sends it commands. raw_socket.rs sends traffic that the package never sends.
//
//   SOCKET_IO_CLIENT=<folder>/node_modules node socket_client.mjs
//
// Reads commands, one JSON object per line, and reports events in the same format. The process ends when its standard input closes.
//   {order: "connect", id, url, options}        `options` as `io()` of the package takes them
//   {order: "emit", id, number, event, args, timeout}   `timeout` of the acknowledgement in ms, or `null` to request
//                                               no acknowledgement
//   {order: "disconnect", id}                   disconnects
//   {order: "kill", id}                         closes the Engine.IO connection of the client
// Events: {id, kind, at, …}, `at` in milliseconds since the epoch. Bytes are {"$bytes": "<base64>"} in both directions.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { io } = createRequire(`${process.env.SOCKET_IO_CLIENT}/`)('socket.io-client');
const sockets = new Map();

const report = (id, kind, more) => process.stdout.write(`${JSON.stringify({ id, kind, at: Date.now(), ...more })}\n`);

const map = (value, change) => {
  const changed = change(value);
  if (changed !== undefined) return changed;
  if (Array.isArray(value)) return value.map((item) => map(item, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, map(item, change)]));
};
const toBytes = (value) => map(value, (item) => (item?.$bytes === undefined ? undefined : Buffer.from(item.$bytes, 'base64')));
const fromBytes = (value) =>
  map(value, (item) => (ArrayBuffer.isView(item) || item instanceof ArrayBuffer
    ? { $bytes: Buffer.from(item).toString('base64') }
    : undefined));

// The reason for a failed connection. If the service answered a poll with a problem: the problem's code. Otherwise: the error's message.
const refusal = (error) => {
  try {
    const { code } = JSON.parse(error.context.responseText);
    if (typeof code === 'string') return code;
  } catch {
    // There is no response, or its body is not JSON.
  }
  return error.description?.message ?? error.message;
};

const orders = {
  connect({ id, url, options }) {
    const socket = io(url, { forceNew: true, reconnection: false, ...options });
    sockets.set(id, socket);
    // Listens from `open` on, because the transport may be upgraded before the namespace has responded.
    socket.io.on('open', () => socket.io.engine.on('upgrade', ({ name }) => report(id, 'upgrade', { transport: name })));
    socket.on('connect', () => report(id, 'connect', { transport: socket.io.engine.transport.name }));
    socket.on('connect_error', (error) => report(id, 'connect_error', { message: refusal(error) }));
    socket.on('disconnect', (reason) => report(id, 'disconnect', { message: reason }));
    socket.onAny((event, ...args) => report(id, 'event', { event, args: fromBytes(args) }));
  },
  emit({ id, number, event, args, timeout }) {
    const socket = sockets.get(id);
    if (timeout === null) {
      socket.emit(event, ...toBytes(args));
    } else {
      socket.timeout(timeout).emit(event, ...toBytes(args), (error, ...answer) =>
        report(id, 'ack', { number, args: error ? null : fromBytes(answer) }));
    }
  },
  disconnect({ id }) {
    sockets.get(id).disconnect();
  },
  kill({ id }) {
    sockets.get(id).io.engine.close();
  },
};

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const order = JSON.parse(line);
  orders[order.order](order);
});
lines.on('close', () => process.exit());
