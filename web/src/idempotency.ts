// Keys by which the service knows a submission that is sent again: the same for as long as nobody knows whether it had its effect.

import type { Problem } from './problem';

interface Attempt {
  readonly key: string;
  readonly body: string;
}

const open = new WeakMap<Element, Attempt>();

/** The key for what an element is about to send. */
export function keyFor(element: Element, body: unknown): string {
  const sent = JSON.stringify(body ?? null);
  const before = open.get(element);
  const attempt = before?.body === sent ? before : { key: crypto.randomUUID(), body: sent };
  open.set(element, attempt);
  return attempt.key;
}

/** Forgets the key once an answer has said what became of it. */
export function settle(element: Element, problem: Problem | undefined): void {
  const unknown = problem !== undefined && (problem.status === 0 || problem.status >= 500 || problem.code === 'idempotency_in_progress');
  if (!unknown) {
    open.delete(element);
  }
}
