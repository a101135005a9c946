// A client that changes a project to which listeners subscribe, so that the listeners receive an event.

import exec from 'k6/execution';

import { program } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { changeProject } from '../lib/projects.js';

/** Makes one change. */
export const editor = journey(({ targets }) => {
  const { token, project } = targets[exec.scenario.iterationInTest % targets.length];
  changeProject(program(token), project, `Changed at ${new Date().toISOString()}`);
});
