// Problems (RFC 9457) as the service tells them, and how a page shows one.

import { main, make, makeButton, nearest } from './dom';
import { loginAddress } from './page';

/** One field that is not acceptable. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** What went wrong, for people, and its code, for programs. */
export interface Problem {
  /** 0 when the network failed. */
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly trace_id?: string;
  readonly errors?: readonly FieldError[];
}

/** No answer came. */
export const networkProblem: Problem = {
  status: 0,
  code: 'network',
  title: 'No answer from the service',
  detail: 'Check your connection and try again.',
};

/** The problem that a response tells, or what its status alone says. */
export async function readProblem(response: Response): Promise<Problem> {
  const { status } = response;
  if (response.headers.get('content-type')?.includes('json')) {
    const problem = (await response.json()) as Problem;
    const after = response.headers.get('retry-after');
    return after && !problem.detail ? { ...problem, detail: `Try again in ${after} s.` } : problem;
  }
  return { status, code: 'unknown', title: `The service answered ${status}`, detail: 'Try again in a moment.' };
}

/** Whether it was the session that was missing, rather than a right or a password that was wrong. */
export function wantsLogin({ code }: Problem): boolean {
  return code === 'unauthenticated' || code === 'invalid_token';
}

/** Shows a problem at the nearest place for it; `fields` tells those of its fields that are not marked elsewhere. */
export function showProblem(from: Element, problem: Problem, fields: readonly FieldError[] = problem.errors ?? []): void {
  if (wantsLogin(problem)) {
    location.assign(loginAddress());
    return;
  }
  const text = make('p', {}, make('strong', {}, `${problem.title}.`));
  if (problem.code === 'precondition_failed') {
    text.append(' Reload to see it as it is now; what you have typed here will be gone.');
  } else if (problem.detail) {
    text.append(` ${problem.detail}`);
  }
  const parts: Node[] = [text];
  if (fields.length > 0) {
    parts.push(make('ul', {}, ...fields.map(({ field, message }) => make('li', {}, `${field}: ${message}`))));
  }
  if (problem.code === 'precondition_failed') {
    parts.push(makeButton('Reload', 'button-small', () => location.reload()));
  }
  if (problem.status >= 500 && problem.trace_id) {
    parts.push(make('p', { class: 'small' }, 'Reference: ', make('code', {}, problem.trace_id)));
  }
  const place = placeFor(from);
  place.replaceChildren(...parts);
  place.hidden = false;
}

/** Takes away what was shown for an earlier try. */
export function clearProblem(from: Element): void {
  const place = nearest(from, '[data-problem]');
  place?.replaceChildren();
  place?.toggleAttribute('hidden', true);
}

function placeFor(from: Element): HTMLElement {
  const place = nearest(from, '[data-problem]');
  if (place) {
    return place;
  }
  const made = make('div', { class: 'problem', 'data-problem': '', role: 'alert' });
  main().prepend(made);
  return made;
}
