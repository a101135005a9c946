// The clients of the proofs: many clients in one process, so that one clock times the sending and every receipt. All of them use the
// official Socket.IO library, except the clients of `idle`.
// Reads commands from stdin, one JSON object per line, and writes one JSON line per command.
// The module of each proof sends the commands, through sockets.rs, and checks the results.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { connect as connectTcp } from 'node:net';

const { io } = createRequire(`${process.env.SOCKET_IO_CLIENT}/`)('socket.io-client');
const now = () => performance.now();
const until = async (what, limit, done) => {
  const deadline = now() + limit;
  while (!done()) {
    if (now() > deadline) return what;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** Reconnects a client whose connection the service refused as `unavailable`: the library does not reconnect after a refusal. */
const retry = (socket) =>
  socket.on('connect_error', ({ message }) => message === 'unavailable' && setTimeout(() => socket.connect(), 200 + 300 * Math.random()));

/** Emits an event with an acknowledgement; retries up to 20 times while the service is busy, as any client should. */
async function ask(socket, event, payload) {
  for (let tries = 0; ; tries += 1) {
    const answer = await socket.timeout(10_000).emitWithAck(event, payload).catch((error) => ({ error: String(error) }));
    if (answer.error?.code !== 'unavailable' || tries === 20 || !socket.connected) return answer;
    busy += 1;
    await new Promise((resolve) => setTimeout(resolve, 200 + 300 * Math.random()));
  }
}

/** The number of retries. */
let busy = 0;
let sockets = [];
/** For each version of the project: the number of the client and the time of every receipt. */
const receiptsOf = new Map();

/** Connects clients and subscribes each to the project. */
async function connect({ url, tokens, clients, project }) {
  sockets = Array.from({ length: clients }, (_, number) => {
    const token = tokens[number % tokens.length];
    const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, reconnectionDelay: 200, reconnectionDelayMax: 500 });
    socket.on('connect', async () => {
      const answer = await ask(socket, 'project:subscribe', { project_id: project });
      socket.refusal = answer.error;
      socket.subscribed = !answer.error;
    });
    socket.on('disconnect', () => (socket.subscribed = false));
    retry(socket);
    socket.on('connect_error', (error) => (socket.refusal = error.message));
    socket.on('project:changed', ({ version }) => {
      const receipts = receiptsOf.get(version);
      if (receipts) receipts.push([number, now()]);
    });
    return socket;
  });
  const missing = await until('clients that failed to subscribe', 60_000, () => sockets.every((socket) => socket.subscribed));
  return { subscribed: sockets.filter((socket) => socket.subscribed).length, busy, missing, refusal: sockets.find((socket) => socket.refusal)?.refusal };
}

/** Changes the project repeatedly through one replica. After each change, waits for its receipt by every client, for at most `limit`. */
async function round({ replica, token, project, events, limit }) {
  const sent = new Map();
  let etag = (await fetch(`${replica}/api/projects/${project}`, { headers: { authorization: `Bearer ${token}` } })).headers.get('etag');
  const [before] = etag.match(/\d+/);
  for (let version = Number(before) + 1; version <= Number(before) + events; version += 1) {
    receiptsOf.set(version, []);
    sent.set(version, now());
    const answer = await fetch(`${replica}/api/projects/${project}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'if-match': etag },
      body: JSON.stringify({ description: `change ${version}` }),
    });
    if (answer.status !== 200) throw new Error(`PATCH: ${answer.status} ${await answer.text()}`);
    etag = answer.headers.get('etag');
    // Changes do not overlap, so the latencies are those of single broadcasts, not of a queue of broadcasts.
    await until('', limit, () => receiptsOf.get(version).length >= sockets.length);
  }
  const latencies = [];
  let [lost, doubled] = [0, 0];
  for (const [version, at] of sent) {
    const receipts = receiptsOf.get(version);
    const clients = new Set(receipts.map(([client]) => client));
    lost += sockets.length - clients.size;
    doubled += receipts.length - clients.size;
    for (const [, received] of receipts) latencies.push(received - at);
    receiptsOf.delete(version);
  }
  latencies.sort((a, b) => a - b);
  const quantile = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? null;
  return { events, lost, doubled, p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: latencies.at(-1) ?? null };
}

/**
 * Opens websockets that authenticate and answer the server's pings. With `project`, they also subscribe to it, and `round` counts the
 * changes that they receive. They do not use the library: its memory is not under test, and it cannot hold ten thousand clients.
 */
async function idle({ url, token, clients, project }) {
  const { hostname: host, port } = new URL(url);
  let connected = 0;
  const textFrame = (packet) => {
    const body = Buffer.from(packet);
    const head = body.length < 126 ? Buffer.from([0x81, 0x80 | body.length]) : Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 255]);
    return Buffer.concat([head, Buffer.alloc(4), body]);
  };
  const open = (number) =>
    new Promise((resolve, reject) => {
      const socket = connectTcp(Number(port), host);
      socket.on('error', reject);
      socket.on('connect', () =>
        socket.write(
          `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
        ),
      );
      const handle = (packet) => {
        if (packet.startsWith('0{')) socket.write(textFrame(`40${JSON.stringify({ token })}`));
        if (packet.startsWith('40')) {
          if (project) socket.write(textFrame(`420${JSON.stringify(['project:subscribe', { project_id: project }])}`));
          else resolve((connected += 1));
        }
        if (packet.startsWith('430')) packet.includes('"error"') ? reject(new Error(packet)) : resolve((connected += 1));
        if (packet.startsWith('42["project:changed"')) receiptsOf.get(JSON.parse(packet.slice(2))[1].version)?.push([number, now()]);
        if (packet.startsWith('44')) reject(new Error(packet));
        if (packet === '2') socket.write(textFrame('3'));
      };
      let upgraded = false;
      let waiting = Buffer.alloc(0);
      socket.on('data', (bytes) => {
        waiting = Buffer.concat([waiting, bytes]);
        const head = upgraded ? 0 : waiting.indexOf('\r\n\r\n') + 4;
        if (!upgraded && head < 4) return;
        upgraded = true;
        waiting = waiting.subarray(head);
        while (waiting.length >= 2) {
          const [start, length] = waiting[1] === 126 ? [4, waiting.length >= 4 ? waiting.readUInt16BE(2) : Infinity] : [2, waiting[1]];
          if (waiting.length < start + length) return;
          handle(waiting.toString('utf8', start, start + length));
          waiting = waiting.subarray(start + length);
        }
      });
    });
  const AT_ONCE = 50;
  for (let opened = 0; opened < clients; opened += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, clients - opened) }, (_, number) => open(sockets.length + opened + number)));
  }
  if (project) sockets.push(...Array(clients));
  return { connected };
}

let readers = [];
/** The reconnection delays of clients: short ones for a proof, or the library's defaults. */
const PACES = { hasty: { reconnectionDelay: 200, reconnectionDelayMax: 500 }, usual: {} };

/** Connects clients that read the log of an environment, and that resume at their position after a reconnection. */
async function read({ url, token, environment, clients, pace }) {
  readers = Array.from({ length: clients }, () => {
    const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, ...PACES[pace] });
    retry(socket);
    const reader = { socket, seqs: [], interruptions: 0, disconnected: 0, drained: 0, codes: [], returns: [] };
    socket.on('connect', async () => {
      if (reader.leftAt) {
        reader.disconnected = Math.max(reader.disconnected, now() - reader.leftAt);
        reader.returns.push(now());
      }
      const from = reader.seqs.length ? { last_seq: reader.seqs.at(-1) } : {};
      const answer = await ask(socket, 'env:subscribe', { environment_id: environment, ...from });
      reader.refusal = answer.error;
    });
    socket.on('server:draining', () => (reader.drained += 1));
    socket.on('disconnect', (reason, details) => {
      reader.interruptions += 1;
      reader.codes.push(details?.context?.code ?? reason);
      reader.leftAt = now();
    });
    socket.on('env:log', ({ entries }) => reader.seqs.push(...entries.map(({ seq }) => seq)));
    return reader;
  });
  const missing = await until('clients that have read nothing', 60_000, () => readers.every(({ seqs }) => seqs.length));
  return { reading: readers.filter(({ seqs }) => seqs.length).length, missing, refusal: readers.find(({ refusal }) => refusal)?.refusal };
}

/** Waits until every reader has read up to a line; returns sums over all readers, and the longest disconnection. */
async function readUpTo({ seq, limit }) {
  const late = await until('readers that are late', limit, () => readers.every(({ seqs }) => seqs.at(-1) >= seq));
  let [lost, doubled] = [0, 0];
  for (const { seqs } of readers) {
    const read = new Set(seqs);
    doubled += seqs.length - read.size;
    lost += Math.max(...seqs) - Math.min(...seqs) + 1 - read.size;
  }
  const sum = (of) => readers.map(of).reduce((a, b) => a + b, 0);
  const disconnected = Math.max(...readers.map((reader) => reader.disconnected));
  return { late, lost, doubled, disconnected, interruptions: sum((reader) => reader.interruptions), announced: sum((reader) => reader.drained), lines: sum(({ seqs }) => seqs.length) };
}

/** Waits until every reader was disconnected and has reconnected; returns the statistics and resets them. */
async function returned({ limit }) {
  const missing = await until('readers that have not reconnected', limit, () => readers.every(({ socket, returns }) => returns.length && socket.connected));
  const codes = {};
  for (const code of readers.flatMap((reader) => reader.codes)) codes[code] = (codes[code] ?? 0) + 1;
  const returns = readers.flatMap((reader) => reader.returns).sort((a, b) => a - b);
  const crowd = Math.max(...returns.map((at) => returns.filter((other) => other >= at && other < at + 100).length));
  const answer = { missing, codes, crowd, spread: returns.at(-1) - returns[0], disconnected: Math.max(...readers.map((reader) => reader.disconnected)) };
  for (const reader of readers) Object.assign(reader, { codes: [], returns: [], disconnected: 0 });
  return answer;
}

/** Connects and disconnects a new client every `every` milliseconds, until the process ends. */
async function storm({ url, token, every }) {
  setInterval(() => {
    const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, reconnection: false });
    // `emitWithAck` fails if the connection closes before the acknowledgement; this is no error here.
    const leave = () => socket.disconnect();
    socket.on('connect', () => socket.emitWithAck('ping', Date.now()).then(leave, leave));
    socket.on('connect_error', () => socket.disconnect());
  }, every);
  return {};
}

/** Sends events with known and unknown names and various payloads, with valid and invalid tokens, over both transports. */
async function attack({ url, token, clients, events }) {
  const known = ['ping', 'project:subscribe', 'project:unsubscribe', 'env:subscribe', 'env:unsubscribe', 'session:open', 'session:input', 'session:resize', 'session:close'];
  const payloads = [undefined, null, 0, 'x', [], {}, { project_id: 'evil' }, { environment_id: '0192f0c1-2f6b-7c3a-9d5e-6a1b2c3d4e5f' }, Buffer.from('evil'), { session_id: {} }];
  let sent = 0;
  let refused = 0;
  const open = (number) => {
    const socket = io(url, { auth: number % 5 ? { token } : { token: `evil-${number}` }, transports: [number % 3 ? 'websocket' : 'polling'], forceNew: true, reconnection: false });
    socket.on('connect_error', () => (refused += 1));
    return socket;
  };
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      let socket = open(client);
      for (let number = client; number < events; number += clients) {
        if (!socket.connected && number % 7 === 0) {
          socket.disconnect();
          socket = open(number);
        }
        // If the socket is not connected yet, the library sends the event after the connection is established.
        const event = number % 2 ? known[(number >> 1) % known.length] : `evil-${number}`;
        // The payload does not depend on the parity of `number`. Otherwise, the known events, which have odd numbers, would get only half of
        // the payloads.
        const payload = payloads[(number >> 1) % payloads.length];
        if (number % 3) socket.emit(event, payload);
        else socket.timeout(1000).emit(event, payload, () => {});
        sent += 1;
        if (number % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await until('events in flight', 5000, () => !socket.connected || socket.io.engine?.writeBuffer?.length === 0);
      socket.disconnect();
    }),
  );
  return { sent, refused };
}

let talkers = [];
/** Connects clients that count their connections and every event. Each client subscribes to a project of its own. */
async function talk({ url, members }) {
  talkers = members.map(({ token, project }) => {
    const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, ...PACES.hasty });
    const talker = { socket, connections: 0, refused: 0, sent: {}, received: {} };
    retry(socket);
    // A client is inactive only if the server refused it; after other errors, the library reconnects it.
    socket.on('connect_error', () => socket.active || (talker.refused += 1));
    socket.onAny((event) => (talker.received[event] = (talker.received[event] ?? 0) + 1));
    socket.on('connect', async () => {
      talker.connections += 1;
      const answer = await send(talker, 'project:subscribe', { project_id: project });
      talker.subscribed = !answer.error;
    });
    socket.on('disconnect', () => (talker.subscribed = false));
    return talker;
  });
  return { talking: talkers.length };
}

/** Sends an event of a talker and waits for its acknowledgement. */
async function send({ socket, sent }, event, payload) {
  sent[event] = (sent[event] ?? 0) + 1;
  return socket.timeout(10_000).emitWithAck(event, payload).catch((error) => ({ error: String(error) }));
}

/** Waits until every talker is subscribed and has received this many changes; then each sends pings. Returns all counts since the start. */
async function talked({ pings, changes, limit }) {
  const missing = await until('talkers without a subscription or a change', limit, () =>
    talkers.every(({ subscribed, received }) => subscribed && (received['project:changed'] ?? 0) === changes),
  );
  await Promise.all(
    talkers.map(async (talker) => {
      for (let number = 0; number < pings; number += 1) await send(talker, 'ping', { at: now() });
    }),
  );
  const sum = (counts) => {
    const total = {};
    for (const [event, count] of counts.flatMap(Object.entries)) total[event] = (total[event] ?? 0) + count;
    return total;
  };
  const total = (field) => talkers.reduce((all, talker) => all + talker[field], 0);
  const [sent, received] = [sum(talkers.map((talker) => talker.sent)), sum(talkers.map((talker) => talker.received))];
  return { missing, connections: total('connections'), refused: total('refused'), sent, received };
}

let listeners = [];
/** Connects a client to each replica. Each subscribes to the project and keeps the status events of its environments. */
async function listen({ urls, token, project }) {
  listeners = urls.map((url) => {
    const socket = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, ...PACES.hasty });
    const listener = { socket, heard: [] };
    retry(socket);
    socket.on('env:status', (event) => listener.heard.push(event));
    socket.on('connect', async () => {
      const answer = await ask(socket, 'project:subscribe', { project_id: project });
      listener.subscribed = !answer.error;
    });
    return listener;
  });
  const missing = await until('clients that failed to subscribe', 10_000, () => listeners.every(({ subscribed }) => subscribed));
  return { missing };
}

/** Waits until every listener has received this status of an environment; returns how often each received it. */
async function heard({ environment, status, limit }) {
  const of = ({ heard }) => heard.filter((event) => event.environment_id === environment && event.status === status).length;
  const missing = await until('clients that received no event', limit, () => listeners.every(of));
  return { missing, receipts: listeners.map(of) };
}

/** Disconnects the listeners. */
async function leave() {
  for (const { socket } of listeners) socket.disconnect();
  return {};
}

const commands = { attack, heard, leave, listen, storm, talk, talked, connect, round, idle, read, readUpTo, returned };
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  const answer = await commands[command](rest).catch((error) => ({ error: String(error) }));
  console.log(JSON.stringify(answer));
}
process.exit(0);
