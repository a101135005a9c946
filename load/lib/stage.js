// Fixtures that journeys share: registered users, a published project, and the targets of listeners (a project that keeps changing, and a
// running environment). The environment has its own project, because each change to a project removes that project from the cache for a
// while. The fixtures exist from before the first journey until after the last. Accounts remain.

import { logIn, register } from './accounts.js';
import { awaitStatus, createEnvironment, operate } from './environments.js';
import { browser } from './http.js';
import { linkedAccounts, unlink } from './platforms.js';
import { createProject, deleteProject, ownProjects, publish } from './projects.js';

/** Number of shared accounts. Journeys of one kind use them in turn. A builder or an announcer begins every 30 s and ends within six
 *  minutes, so two journeys of one kind never use the same account at the same time. */
const ACCOUNTS = 12;

/**
 * Creates the fixtures. Listeners are spread over `hosts` accounts, because the service limits the sockets of one account. The first
 * `readers` of the shared accounts have a session and a project, for the journeys `visit` and `arrival`.
 */
export function setUp({ hosts = 1, readers = 0 } = {}) {
  const run = crypto.randomUUID().slice(0, 8);
  const people = Array.from({ length: ACCOUNTS }, (_, number) => register(`load-${run}-${number}@example.org`));
  const owners = Array.from({ length: hosts }, (_, number) => register(`load-${run}-host-${number}@example.org`));
  const targets = owners.map(target);
  // The browser is still signed in as the last owner, so this project belongs to that account.
  const exhibit = publish(browser, createProject(browser, 'On show').id);
  return { people, owners, exhibit, targets, readers: people.slice(0, readers).map(reader) };
}

/** Deletes the fixtures, and the remains of interrupted journeys. */
export function tearDown({ people, owners }) {
  for (const person of [...people, ...owners]) {
    logIn(browser, person);
    ownProjects(browser).forEach(({ id }) => deleteProject(browser, id));
    linkedAccounts().forEach(({ id }) => unlink(browser, id));
    browser.call('POST', '/api/auth/logout-all', { wanted: [204] });
  }
}

function target(owner) {
  const token = logIn(browser, owner);
  const project = createProject(browser, 'Ever changing').id;
  const environment = createEnvironment(browser, createProject(browser, 'Up and running').id);
  awaitStatus(environment, 'stopped');
  operate(browser, environment, 'start');
  awaitStatus(environment, 'running');
  return { token, project, environment };
}

function reader(person) {
  const token = logIn(browser, person);
  return { token, project: createProject(browser, 'A good read').id };
}
