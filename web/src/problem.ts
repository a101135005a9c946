// Problems (RFC 9457): parses them from responses and shows them on the page.

import { main, make, makeButton, nearest } from './dom';
import { loginAddress } from './page';

/** A field that failed validation. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** An error response: texts for people, and a code for programs. */
export interface Problem {
  /** HTTP status; 0 if no response arrived. */
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly trace_id?: string;
  readonly errors?: readonly FieldError[];
}

/** The problem of a request without a complete response. `id` is its identifier, if known. */
export const networkProblem = (id: string | null): Problem => ({
  status: 0,
  code: 'network',
  title: 'No response from the service',
  detail: 'Check your connection and try again.',
  ...(id && { trace_id: id }),
});

/** Reads the problem from a response. If the problem has no detail, the header `Retry-After` provides one. Makes a problem from the status
 * and the identifier of the request if the body is not JSON. */
export async function readProblem(response: Response, id: string | null): Promise<Problem> {
  const { status } = response;
  if (response.headers.get('content-type')?.includes('json')) {
    const problem = (await response.json()) as Problem;
    const after = response.headers.get('retry-after');
    return after && !problem.detail ? { ...problem, detail: `Try again in ${after} s.` } : problem;
  }
  const title = `The service responded with status ${status}`;
  return { status, code: 'unknown', title, detail: 'Try again in a moment.', ...(id && { trace_id: id }) };
}

/** Whether the user must sign in, as opposed to lacking a right or entering a wrong password. */
export function wantsLogin({ code }: Problem): boolean {
  return code === 'unauthenticated' || code === 'invalid_token';
}

/** Shows a problem at the nearest `[data-problem]`, or opens the sign-in page if the user must sign in. `fields` are the field errors that
 * are not shown at a control. */
export function showProblem(from: Element, problem: Problem, fields: readonly FieldError[] = problem.errors ?? []): void {
  if (wantsLogin(problem)) {
    location.assign(loginAddress());
    return;
  }
  const text = make('p', {}, make('strong', {}, `${problem.title}.`));
  if (problem.code === 'precondition_failed') {
    text.append(' Reload to see the current version; your input here will be lost.');
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
  if ((problem.status === 0 || problem.status >= 500) && problem.trace_id) {
    parts.push(make('p', { class: 'small' }, 'Reference: ', make('code', {}, problem.trace_id)));
  }
  const place = placeFor(from);
  place.replaceChildren(...parts);
  place.hidden = false;
}

/** Clears the problem of the previous attempt. */
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
