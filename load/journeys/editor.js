// A client that keeps changing the shared project, so that listeners receive events.

import { program } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { changeProject } from '../lib/projects.js';

/** Makes one change. */
export const editor = journey(({ token, project }) => {
  changeProject(program(token), project, `Changed at ${new Date().toISOString()}`);
});
