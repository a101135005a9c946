// Idempotency keys: a resubmission with the same body reuses the key as long as the outcome of the previous attempt is unknown.

import type { Problem } from './problem';

interface Attempt {
  readonly key: string;
  readonly body: string;
}

const open = new WeakMap<Element, Attempt>();

/** The key for the next submission of an element. A changed body gets a new key. */
export function keyFor(element: Element, body: unknown): string {
  const sent = JSON.stringify(body ?? null);
  const before = open.get(element);
  const attempt = before?.body === sent ? before : { key: crypto.randomUUID(), body: sent };
  open.set(element, attempt);
  return attempt.key;
}

/** Forgets the key once a response has settled the outcome. */
export function settle(element: Element, problem: Problem | undefined): void {
  const unknown = problem !== undefined && (problem.status === 0 || problem.status >= 500 || problem.code === 'idempotency_in_progress');
  if (!unknown) {
    open.delete(element);
  }
}
