// Reports errors in the page: only their type, never a message, because a message could contain the user's data.

import { report, type ErrorType } from './queue';

/** Reports at most this many errors per page load: an error in a loop must not flood the service. */
const MAX_ERRORS = 20;

/** Listens for uncaught errors. */
export function startErrors(): void {
  let count = 0;
  const reportError = (type: ErrorType): void => {
    count += 1;
    if (count <= MAX_ERRORS) {
      report({ kind: 'client_error', type });
    }
  };
  // A file that fails to load fires an error on its element only; the event does not bubble, so capture it.
  window.addEventListener('error', ({ target }) => reportError(target instanceof Element ? 'resource' : 'error'), true);
  window.addEventListener('unhandledrejection', () => reportError('unhandled_rejection'));
  document.addEventListener('securitypolicyviolation', () => reportError('csp_violation'));
}
