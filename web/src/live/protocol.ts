// Types of the Socket.IO events that pages use. docs/REALTIME.md describes all events.

import type { Problem } from '../problem';

export interface Status {
  readonly environment_id: string;
  readonly status: string;
  readonly last_error: string | null;
}

export interface LogEntry {
  readonly seq: number;
  readonly stream: string;
  readonly line: string;
  readonly at: string;
}

export interface Person {
  readonly user_id: string;
  readonly display_name: string;
}

/** The acknowledgement of an event: its reply, or an error. */
export type Ack<T = unknown> = T | { readonly error: Problem };

/** Events that a page receives. */
export interface ServerEvents {
  logout: (event: { readonly reason: string }) => void;
  'project:changed': (event: { readonly project_id: string; readonly change: string; readonly version?: number }) => void;
  'env:status': (event: Status & { readonly project_id: string; readonly version: number }) => void;
  'env:log': (event: { readonly environment_id: string; readonly entries: readonly LogEntry[] }) => void;
  'session:output': (event: { readonly session_id: string; readonly data: string }) => void;
  'session:closed': (event: { readonly session_id: string; readonly reason: string }) => void;
  'post:delivered': (event: { readonly post_id: string; readonly platform: string; readonly url: string | null }) => void;
  'post:failed': (event: { readonly post_id: string; readonly platform: string; readonly reason: string }) => void;
  presence: (event: { readonly project_id: string; readonly users: readonly Person[] }) => void;
  'server:draining': (event: { readonly reconnect_after_ms: number }) => void;
}

type Sends<Payload, Answer = unknown> = (payload: Payload, ack: (answer: Ack<Answer>) => void) => void;

/** Events that a page sends. */
export interface ClientEvents {
  'project:subscribe': Sends<{ readonly project_id: string }>;
  'env:subscribe': Sends<{ readonly environment_id: string; readonly last_seq?: number }, Status>;
  'session:open': Sends<{ readonly session_id: string; readonly cols: number; readonly rows: number }>;
  'session:input': Sends<{ readonly session_id: string; readonly data: string }>;
  'session:resize': Sends<{ readonly session_id: string; readonly cols: number; readonly rows: number }>;
  'session:close': Sends<{ readonly session_id: string }>;
}

/** The problem in an acknowledgement, if there is one. */
export function problemOf(ack: Ack): Problem | undefined {
  return typeof ack === 'object' && ack !== null && 'error' in ack ? (ack.error as Problem) : undefined;
}
