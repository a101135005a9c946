// A user who does everything once: every operation of the API, and every page except those for operators: faults, which only admins can
// open, and the operator's page, which does not exist for users in production. The profile `smoke` checks that no operation is missing.

import exec from 'k6/execution';

import { askForMail, logIn, logOut, lookAround, register } from '../lib/accounts.js';
import { attach, awaitStatus, createEnvironment, deleteEnvironment, install, operate, readLog } from '../lib/environments.js';
import { browser, newKey } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { open } from '../lib/pages.js';
import { authorise, linkedAccounts, unlink } from '../lib/platforms.js';
import { announce, awaitDelivery, readInsights } from '../lib/posts.js';
import { changeProject, createProject, deleteProject, publish, unpublish } from '../lib/projects.js';

const PLATFORM = 'mastodon';
const EXTENSION = 'shell-prompt';
/** 403 because this user is no admin; 404 if fault injection is off. */
const REFUSED = [403, 404];

/** Leaves nothing behind but two accounts. */
export const tour = journey(({ people }) => {
  const email = people[exec.scenario.iterationInTest % people.length];
  withoutAccount();
  signIn(email);
  const project = createProject(browser, 'Once around').id;
  try {
    share(project);
    build(project);
    goPublic(project, email);
  } finally {
    deleteProject(browser, project);
  }
  faults();
  logLevels();
  signOut(email);
});

function read(route, at = {}, query = '') {
  return browser.call('GET', route, { at, query });
}

function withoutAccount() {
  const routes = ['/health', '/health/live', '/version', '/api/fleet', '/api/showcase', '/api/oauth/platforms'];
  routes.forEach((route) => read(route));
  ['/', '/about', '/projects', '/confirm', '/password-reset'].forEach((page) => open(page).leave());
}

function signIn(email) {
  const login = open('/login');
  register(`load-tour-${crypto.randomUUID()}@example.org`);
  logIn(login, email);
  login.leave();
  lookAround();
  links();
  open('/studio').leave();
}

/** The token of the links is made up, because this user reads no mail. The current password is wrong, because others use the account. */
function links() {
  askForMail(browser);
  const token = crypto.randomUUID();
  browser.call('POST', '/api/auth/confirmations/redeem', { body: { token }, wanted: [400] });
  browser.call('POST', '/api/auth/password-resets', { body: { email: `${token}@example.org` }, wanted: [202, 409] });
  browser.call('POST', '/api/auth/password-resets/redeem', { body: { token, password: token }, wanted: [400] });
  browser.call('PUT', '/api/auth/password', { body: { current_password: token, password: token }, wanted: [403] });
  browser.call('POST', '/api/auth/second-factor', { body: { password: token }, wanted: [403, 409] });
  browser.call('POST', '/api/auth/second-factor/activate', { body: { password: token, code: '000000' }, wanted: [403] });
  browser.call('POST', '/api/auth/second-factor/remove', { body: { password: token }, wanted: [403] });
  browser.call('POST', '/api/auth/me/delete', { body: { password: token }, wanted: [403] });
}

function share(project) {
  const member = `load-tour-${crypto.randomUUID()}@example.org`;
  register(member);
  const route = '/api/projects/{id}/members';
  const body = { email: member, role: 'viewer' };
  const { user_id } = browser.call('POST', route, { at: { id: project }, body, headers: newKey(), wanted: [201] }).json();
  read(route, { id: project });
  browser.call('DELETE', `${route}/{user_id}`, { at: { id: project, user_id }, wanted: [204] });
  read('/api/projects');
  changeProject(browser, project, 'Seen from every side.');
  open('/studio/projects/{id}', { id: project }).leave();
}

function build(project) {
  const id = createEnvironment(browser, project);
  const route = '/api/environments/{id}';
  read('/api/projects/{id}/environments', { id: project });
  awaitStatus(id, 'stopped');
  operate(browser, id, 'start');
  awaitStatus(id, 'running');
  attach(browser, id);
  read(`${route}/sessions`, { id });
  read('/api/extensions');
  install(browser, id, EXTENSION);
  read(`${route}/extensions`, { id });
  browser.call('DELETE', `${route}/extensions/{extension}`, { at: { id, extension: EXTENSION }, wanted: [202] });
  readLog(id);
  open('/studio/environments/{id}', { id }).leave();
  operate(browser, id, 'restart');
  awaitStatus(id, 'running');
  operate(browser, id, 'stop');
  awaitStatus(id, 'stopped');
  deleteEnvironment(browser, id);
}

function goPublic(project, email) {
  authorise(PLATFORM, email.split('@')[0]);
  const [{ id }] = linkedAccounts();
  // 409 if the platform issued no refresh token.
  browser.call('POST', '/api/accounts/{id}/refresh', { at: { id }, wanted: [200, 409] });
  const slug = publish(browser, project);
  read('/api/showcase/{slug}', { slug });
  open('/projects/{slug}', { slug }).leave();
  const post = announce(browser, project, [PLATFORM]);
  read('/api/posts');
  awaitDelivery(post);
  readInsights(browser, PLATFORM);
  open('/studio/posts').leave();
  open('/studio/accounts').leave();
  read('/api/auth/events');
  open('/studio/accounts/events').leave();
  read('/api/auth/second-factor');
  open('/studio/accounts/second-factor').leave();
  unpublish(browser, project);
  unlink(browser, id);
}

function faults() {
  const at = { id: crypto.randomUUID() };
  const body = { fault: 'latency', delay_ms: 1, expires_in: 1 };
  browser.call('GET', '/api/faults', { wanted: REFUSED });
  browser.call('PUT', '/api/faults/{id}', { at, body, wanted: REFUSED });
  browser.call('GET', '/api/faults/{id}', { at, wanted: REFUSED });
  browser.call('DELETE', '/api/faults/{id}', { at, wanted: REFUSED });
  browser.call('DELETE', '/api/faults', { wanted: REFUSED });
}

function logLevels() {
  const body = { levels: 'info', expires_in: 1 };
  browser.call('GET', '/api/log-levels', { wanted: REFUSED });
  browser.call('PUT', '/api/log-levels', { body, wanted: REFUSED });
  browser.call('DELETE', '/api/log-levels', { wanted: REFUSED });
}

function signOut(email) {
  const other = read('/api/auth/sessions').json('items').find(({ current }) => !current);
  // Without another session, the identifier is made up, and the answer is 404.
  browser.call('DELETE', '/api/auth/sessions/{id}', { at: { id: other?.id ?? crypto.randomUUID() }, wanted: [204, 404] });
  logOut(browser);
  logIn(browser, email);
  browser.call('POST', '/api/auth/logout-all', { wanted: [204] });
}
