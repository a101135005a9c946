// A short visit: four requests without pauses. Visits are the main traffic of `peak`, `seed`, `soak` and `spike`. The mix is that of a
// real site: most visits read with a token, some open public pages, few write.

import exec from 'k6/execution';

import { browser, program } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { changeProject, createProject, deleteProject } from '../lib/projects.js';

/** Thirteen of twenty visits read, five browse, two write, evenly spread. */
const MIX = Array.from({ length: 20 }, (_, number) => (number % 10 === 9 ? write : number % 4 === 2 ? browse : read));

/** One visit; its kind follows from its number, so that every stretch of a run has the same mix. */
export const visit = journey((stage) => {
  const number = exec.scenario.iterationInTest;
  const reader = stage.readers[number % stage.readers.length];
  MIX[number % MIX.length](stage, program(reader.token), reader.project);
});

function read({ exhibit }, client, project) {
  client.call('GET', '/api/auth/me');
  client.call('GET', '/api/projects', { query: '?limit=20' });
  client.call('GET', '/api/projects/{id}', { at: { id: project } });
  client.call('GET', '/api/showcase/{slug}', { at: { slug: exhibit } });
}

function browse({ exhibit }) {
  const headers = { accept: 'text/html' };
  browser.call('GET', '/', { headers });
  browser.call('GET', '/projects', { headers });
  browser.call('GET', '/projects/{slug}', { at: { slug: exhibit }, headers });
  browser.call('GET', '/api/fleet');
}

function write(_, client) {
  const { id } = createProject(client, 'A short visit');
  try {
    changeProject(client, id, 'Gone in a moment.');
  } finally {
    deleteProject(client, id);
  }
}
