// Counts what goes wrong in the page: only the kind is told, never a message, so that nothing of the reader's leaves the page.

import { report, type ErrorType } from './queue';

/** An error in a loop must not become a flood. */
const MOST = 20;

/** Listens for everything that nobody catches. */
export function startErrors(): void {
  let told = 0;
  const tell = (type: ErrorType): void => {
    told += 1;
    if (told <= MOST) {
      report({ kind: 'client_error', type });
    }
  };
  // Files that do not load tell it to their element only, and that does not bubble.
  window.addEventListener('error', ({ target }) => tell(target instanceof Element ? 'resource' : 'error'), true);
  window.addEventListener('unhandledrejection', () => tell('unhandled_rejection'));
  document.addEventListener('securitypolicyviolation', () => tell('csp_violation'));
}
