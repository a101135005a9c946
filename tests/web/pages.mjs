// All pages, for stories that visit each of them.

/** Public pages; needs the slug of a published project. */
export const open = ({ slug }) => ({
  home: '/',
  about: '/about',
  login: '/login',
  projects: '/projects',
  published: `/projects/${slug}`,
});

/** A missing page. The browser logs its status as an error. */
export const missing = { path: '/nothing-is-here', complaint: /status of 404/ };

/** Pages for admins. */
export const admin = { faults: '/studio/faults' };

/** Pages of a signed-in user; needs the identifiers of one of the user's projects and environments. */
export const studio = ({ project, environment }) => ({
  studio: '/studio',
  project: `/studio/projects/${project}`,
  environment: `/studio/environments/${environment}`,
  posts: '/studio/posts',
  accounts: '/studio/accounts',
});
