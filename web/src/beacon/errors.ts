// Counts errors in the page. Only their type is reported, never a message, because a message could contain the user's data.

import { report, type ErrorType } from './queue';

/** Reports at most this many errors per page load: an error in a loop must not flood the service. */
const MOST = 20;

/** Listens for uncaught errors. */
export function startErrors(): void {
  let told = 0;
  const tell = (type: ErrorType): void => {
    told += 1;
    if (told <= MOST) {
      report({ kind: 'client_error', type });
    }
  };
  // A file that fails to load fires an error on its element only; the event does not bubble, so capture it.
  window.addEventListener('error', ({ target }) => tell(target instanceof Element ? 'resource' : 'error'), true);
  window.addEventListener('unhandledrejection', () => tell('unhandled_rejection'));
  document.addEventListener('securitypolicyviolation', () => tell('csp_violation'));
}
