// A user who creates a project, and in it an environment that goes through its whole lifecycle.

import exec from 'k6/execution';

import { logIn, logOut } from '../lib/accounts.js';
import { attach, awaitStatus, createEnvironment, deleteEnvironment, install, operate, readLog } from '../lib/environments.js';
import { browser } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { open } from '../lib/pages.js';
import { changeProject, createProject, deleteProject } from '../lib/projects.js';

/** Leaves no project behind. */
export const builder = journey(({ people }) => {
  const login = open('/login');
  logIn(login, people[exec.scenario.iterationInTest % people.length]);
  login.leave();
  const studio = open('/studio');
  const project = createProject(studio, 'Under construction');
  studio.leave(1);
  try {
    build(project.id);
  } finally {
    deleteProject(browser, project.id);
  }
  logOut(browser);
});

function build(project) {
  const page = open('/studio/projects/{id}', { id: project });
  const environment = createEnvironment(page, project);
  page.leave(1);
  awaitStatus(environment, 'stopped');
  live(open('/studio/environments/{id}', { id: environment }), environment);
  const again = open('/studio/projects/{id}', { id: project });
  changeProject(again, project, 'It was a pleasure.');
  again.leave(1);
}

function live(page, environment) {
  operate(page, environment, 'start');
  awaitStatus(environment, 'running');
  attach(page, environment);
  install(page, environment, 'shell-prompt');
  readLog(environment);
  operate(page, environment, 'restart');
  awaitStatus(environment, 'running');
  operate(page, environment, 'stop');
  awaitStatus(environment, 'stopped');
  deleteEnvironment(page, environment);
  page.leave();
}
