// A user who creates a project and an environment in it, and takes the environment through its lifecycle: from creation to deletion.

import exec from 'k6/execution';

import { logIn, logOut } from '../lib/accounts.js';
import { attach, awaitStatus, createEnvironment, deleteEnvironment, install, operate, readLog } from '../lib/environments.js';
import { browser } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { open } from '../lib/pages.js';
import { changeProject, createProject, deleteProject } from '../lib/projects.js';

/** Deletes the project, even if the work in it fails. */
export const builder = journey(({ people }) => {
  const login = open('/login');
  logIn(login, people[exec.scenario.iterationInTest % people.length]);
  login.leave();
  const studio = open('/studio');
  const project = createProject(studio, 'Under construction');
  studio.leave(1);
  try {
    useProject(project.id);
  } finally {
    deleteProject(browser, project.id);
  }
  logOut(browser);
});

function useProject(project) {
  const page = open('/studio/projects/{id}', { id: project });
  const environment = createEnvironment(page, project);
  page.leave(1);
  awaitStatus(environment, 'stopped');
  useEnvironment(open('/studio/environments/{id}', { id: environment }), environment);
  const projectPage = open('/studio/projects/{id}', { id: project });
  changeProject(projectPage, project, 'It was a pleasure.');
  projectPage.leave(1);
}

function useEnvironment(page, environment) {
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
