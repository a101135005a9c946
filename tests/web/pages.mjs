// Every page that there is, for stories that look at all of them.

/** Pages for everybody; `things` is what somebody has published. */
export const open = ({ slug }) => ({
  home: '/',
  about: '/about',
  login: '/login',
  projects: '/projects',
  published: `/projects/${slug}`,
});

/** A page that is not there: the browser itself complains of its status. */
export const missing = { path: '/nothing-is-here', complaint: /status of 404/ };

/** Pages of admins. */
export const admin = { faults: '/studio/faults' };

/** Pages of who is signed in; `things` is what they own. */
export const studio = ({ project, environment }) => ({
  studio: '/studio',
  project: `/studio/projects/${project}`,
  environment: `/studio/environments/${environment}`,
  posts: '/studio/posts',
  accounts: '/studio/accounts',
});
