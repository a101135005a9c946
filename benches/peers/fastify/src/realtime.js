// Socket.IO with its Redis adapter: a client authenticates before its connection is confirmed, and joins the room of its
// account.
import { createAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';
import { userOf } from './accounts.js';
import { sockets } from './metrics.js';
import { pubSub } from './stores.js';

export function attach(server) {
  const clients = pubSub();
  const io = new Server(server, { adapter: createAdapter(...clients), serveClient: false, maxHttpBufferSize: 100_000 });
  io.use((socket, next) => {
    userOf(socket.handshake.auth.token).then(
      (user) => {
        socket.data.user = user.id;
        next();
      },
      (error) => next(error),
    );
  });
  io.on('connection', (socket) => {
    sockets.active.inc();
    sockets.opened.inc();
    socket.join(`user:${socket.data.user}`);
    socket.on('ping', (_payload, acknowledge) => acknowledge?.({}));
    socket.on('disconnect', (reason) => {
      sockets.active.dec();
      sockets.closed.inc({ reason });
    });
  });
  return async () => {
    await io.close();
    for (const client of clients) client.disconnect();
  };
}
