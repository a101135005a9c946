// Writes dashboards/<folder>/*.json, and causes.json, which maps each panel to the cause that changes it. The output is deterministic.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { accounts } from './dashboards/accounts.js';
import { apiPerformance } from './dashboards/api-performance.js';
import { containers } from './dashboards/containers.js';
import { databaseCache } from './dashboards/database-cache.js';
import { environments } from './dashboards/environments.js';
import { frontend } from './dashboards/frontend.js';
import { httpDetail } from './dashboards/http-detail.js';
import { infrastructureSlo } from './dashboards/infrastructure-slo.js';
import { loadTest } from './dashboards/load-test.js';
import { machine } from './dashboards/machine.js';
import { monitoring } from './dashboards/monitoring.js';
import { overview } from './dashboards/overview.js';
import { realtime } from './dashboards/realtime.js';
import { runtime } from './dashboards/runtime.js';
import { uid } from './links.js';

const DASHBOARDS = [
  overview,
  apiPerformance,
  httpDetail,
  environments,
  realtime,
  databaseCache,
  accounts,
  runtime,
  frontend,
  infrastructureSlo,
  machine,
  containers,
  monitoring,
  loadTest,
];

/** Output folder; the first argument overrides the default. */
const output = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url));
const target = join(output, 'dashboards');

function write(file: string, content: unknown) {
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}

// The output may hold files of removed dashboards.
rmSync(target, { recursive: true, force: true });
for (const { name, folder, dashboard } of DASHBOARDS) {
  mkdirSync(join(target, folder), { recursive: true });
  write(join(target, folder, `${name}.json`), dashboard);
}
write(join(output, 'causes.json'), Object.fromEntries(DASHBOARDS.map(({ name, causes }) => [uid(name), causes])));
