// A user who links a platform account, publishes a project, announces it, and undoes all of it.

import exec from 'k6/execution';

import { logIn, logOut } from '../lib/accounts.js';
import { browser } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { open } from '../lib/pages.js';
import { authorise, linkedAccounts, unlink } from '../lib/platforms.js';
import { announce, awaitDelivery, readInsights } from '../lib/posts.js';
import { createProject, deleteProject, publish, unpublish } from '../lib/projects.js';

const PLATFORM = 'mastodon';

/** Leaves no project and no link behind. */
export const announcer = journey(({ people }) => {
  const number = exec.scenario.iterationInTest % people.length;
  const login = open('/login');
  logIn(login, people[number]);
  login.leave();
  // Remove links that an interrupted earlier journey left: they would fail this one.
  const accounts = open('/studio/accounts');
  unlinkAll(accounts);
  accounts.leave(1);
  authorise(PLATFORM, people[number].split('@')[0]);
  const project = createProject(browser, 'For everybody');
  try {
    goPublic(project.id);
  } finally {
    deleteProject(browser, project.id);
    unlinkAll(browser);
  }
  logOut(browser);
});

function goPublic(project) {
  const page = open('/studio/projects/{id}', { id: project });
  const slug = publish(page, project);
  page.leave(1);
  const posts = open('/studio/posts');
  const post = announce(posts, project, [PLATFORM]);
  readInsights(posts, PLATFORM);
  posts.leave();
  awaitDelivery(post);
  open('/projects/{slug}', { slug }).leave(1);
  for (let look = 0; look < 2; look += 1) {
    readInsights(browser, PLATFORM);
  }
  unpublish(browser, project);
}

function unlinkAll(client) {
  linkedAccounts().forEach(({ id }) => unlink(client, id));
}
