// Fixtures that journeys share: registered users, a published project, and the targets of listeners (a project that keeps changing, and a
// running environment). The environment has its own project, because each change to a project removes that project from the cache for a
// while. The fixtures exist from before the first journey until after the last. Accounts remain, because the service does not delete
// accounts.

import { logIn, register } from './accounts.js';
import { awaitStatus, createEnvironment, operate } from './environments.js';
import { browser } from './http.js';
import { linkedAccounts, unlink } from './platforms.js';
import { createProject, deleteProject, ownProjects, publish } from './projects.js';

/** Creates the fixtures for `size` users. */
export function setUp(size) {
  const run = crypto.randomUUID().slice(0, 8);
  const people = Array.from({ length: size }, (_, number) => register(`load-${run}-${number}@example.org`));
  const host = register(`load-${run}-host@example.org`);
  const token = logIn(browser, host);
  const exhibit = publish(browser, createProject(browser, 'On show').id);
  const project = createProject(browser, 'Ever changing').id;
  const environment = createEnvironment(browser, createProject(browser, 'Up and running').id);
  awaitStatus(environment, 'stopped');
  operate(browser, environment, 'start');
  awaitStatus(environment, 'running');
  return { people, host, token, exhibit, project, environment };
}

/** Deletes the fixtures, and the data that interrupted journeys left. */
export function tearDown({ people, host }) {
  for (const person of [...people, host]) {
    logIn(browser, person);
    ownProjects(browser).forEach(({ id }) => deleteProject(browser, id));
    linkedAccounts().forEach(({ id }) => unlink(browser, id));
    browser.call('POST', '/api/auth/logout-all', { wanted: [204] });
  }
}
