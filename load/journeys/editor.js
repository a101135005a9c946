// Somebody who changes the shared project again and again, so that those who listen have something to hear.

import { program } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { changeProject } from '../lib/projects.js';

/** One change. */
export const editor = journey(({ token, project }) => {
  changeProject(program(token), project, `Changed at ${new Date().toISOString()}`);
});
