// Calls the API as the pages do: JSON both ways, the session's cookie, problems as values, every call counted by the beacon.

import { report } from './beacon/queue';
import { networkProblem, readProblem, type Problem } from './problem';

/** How long an answer may take: longer than the service itself allows one. */
const PATIENCE = 30_000;

/** A request. */
export interface Call {
  readonly method: string;
  /** The template of the path, as metrics name it. */
  readonly endpoint: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came of a call. */
export type Answer<T> = { readonly data: T; readonly problem?: undefined } | { readonly problem: Problem };

/** Sends a request. `T` is what the service promises to answer; an answer without a body is null. */
export async function call<T>({ method, endpoint, path, body, headers }: Call): Promise<Answer<T>> {
  const request: RequestInit = { method, headers: { accept: 'application/json', ...headers }, signal: AbortSignal.timeout(PATIENCE) };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { ...request.headers, 'content-type': 'application/json' };
  }
  const response = await fetch(path, request).catch(() => null);
  report({ kind: 'api_call', endpoint, status: response?.status ?? 0 });
  if (!response) {
    return { problem: networkProblem };
  }
  try {
    if (!response.ok) {
      return { problem: await readProblem(response) };
    }
    const text = await response.text();
    return { data: (text === '' ? null : JSON.parse(text)) as T };
  } catch {
    return { problem: networkProblem };
  }
}

/** Reads something. */
export function read<T>(endpoint: string, path: string): Promise<Answer<T>> {
  return call<T>({ method: 'GET', endpoint, path });
}
