// Starts the service, and shuts it down on SIGTERM: sockets and requests first, then the stores.
import { build } from './app.js';
import { config } from './config.js';
import { attach } from './realtime.js';
import { close } from './stores.js';

const app = build();
const closeSockets = attach(app.server);
await app.listen({ host: config.host, port: config.port });

process.once('SIGTERM', async () => {
  await closeSockets();
  await app.close();
  await close();
});
