// All pages, for stories that visit each of them.

/** Returns the public pages. Requires the slug of a published project. */
export const open = ({ slug }) => ({
  home: '/',
  about: '/about',
  login: '/login',
  operator: '/operator',
  confirm: '/confirm?token=of-a-link',
  forgotten: '/password-reset',
  reset: '/password-reset?token=of-a-link',
  projects: '/projects',
  published: `/projects/${slug}`,
});

/** A missing page. The browser logs its status as an error. */
export const missing = { path: '/nothing-is-here', complaint: /status of 404/ };

/** Pages for admins. */
export const admin = { faults: '/studio/faults' };

/** Returns the pages of a signed-in user. Requires the identifiers of a project and an environment of this user. */
export const studio = ({ project, environment }) => ({
  studio: '/studio',
  project: `/studio/projects/${project}`,
  environment: `/studio/environments/${environment}`,
  posts: '/studio/posts',
  accounts: '/studio/accounts',
  factor: '/studio/accounts/second-factor',
  events: '/studio/accounts/events',
});
