// A user who links a platform account, publishes a project and announces it, then deletes the project and the link.

import exec from 'k6/execution';

import { logIn, logOut } from '../lib/accounts.js';
import { browser } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { open } from '../lib/pages.js';
import { authorise, linkedAccounts, unlink } from '../lib/platforms.js';
import { announce, awaitDelivery, readInsights } from '../lib/posts.js';
import { createProject, deleteProject, publish, unpublish } from '../lib/projects.js';

const PLATFORM = 'mastodon';

/** Deletes the project and the link, even if the announcement fails. */
export const announcer = journey(({ people }) => {
  const number = exec.scenario.iterationInTest % people.length;
  const login = open('/login');
  logIn(login, people[number]);
  login.leave();
  // An interrupted earlier journey may have left a link, and this journey must create its own.
  const accounts = open('/studio/accounts');
  unlinkAll(accounts);
  accounts.leave(1);
  authorise(PLATFORM, people[number].split('@')[0]);
  const project = createProject(browser, 'For everybody');
  try {
    announceProject(project.id);
  } finally {
    deleteProject(browser, project.id);
    unlinkAll(browser);
  }
  logOut(browser);
});

function announceProject(project) {
  const page = open('/studio/projects/{id}', { id: project });
  const slug = publish(page, project);
  page.leave(1);
  const posts = open('/studio/posts');
  const post = announce(posts, project, [PLATFORM]);
  readInsights(posts, PLATFORM);
  posts.leave();
  awaitDelivery(post);
  open('/projects/{slug}', { slug }).leave(1);
  for (let read = 0; read < 2; read += 1) {
    readInsights(browser, PLATFORM);
  }
  unpublish(browser, project);
}

function unlinkAll(client) {
  linkedAccounts().forEach(({ id }) => unlink(client, id));
}
