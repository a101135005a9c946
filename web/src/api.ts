// The API client of the pages: JSON in both directions, authentication by the session cookie. Errors are returned as problems, not thrown.
// The beacon counts every call.

import { report } from './beacon/queue';
import { networkProblem, readProblem, type Problem } from './problem';
import { answered, newTrace, unanswered } from './trace';

/** Timeout of a call in milliseconds, longer than the service's own request timeout. */
const PATIENCE = 30_000;

/** A request to the API. */
export interface Call {
  readonly method: string;
  /** Path template, the `endpoint` label in metrics. */
  readonly endpoint: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The result of a call. */
export type Answer<T> = { readonly data: T; readonly problem?: undefined } | { readonly problem: Problem };

/** Sends a request. `T` is the documented type of the response body; an empty body is null. */
export async function call<T>({ method, endpoint, path, body, headers }: Call): Promise<Answer<T>> {
  const trace = newTrace();
  const named = { accept: 'application/json', traceparent: trace.parent, ...headers };
  const request: RequestInit = { method, headers: named, signal: AbortSignal.timeout(PATIENCE) };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { ...named, 'content-type': 'application/json' };
  }
  const response = await fetch(path, request).catch(() => null);
  report({ kind: 'api_call', endpoint, status: response?.status ?? 0 });
  if (!response) {
    return { problem: networkProblem(unanswered(trace)) };
  }
  const id = answered(trace, response);
  try {
    if (!response.ok) {
      return { problem: await readProblem(response, id) };
    }
    const text = await response.text();
    return { data: (text === '' ? null : JSON.parse(text)) as T };
  } catch {
    return { problem: networkProblem(id) };
  }
}

/** Sends a GET request. */
export function read<T>(endpoint: string, path: string): Promise<Answer<T>> {
  return call<T>({ method: 'GET', endpoint, path });
}
