// The identifiers of calls (W3C Trace Context): each call is a trace of its own, and the page knows its identifier even if no response
// arrives. Every response names the identifier under which the service knows the call.

/** Whether the service took over the identifier of the last call that it answered. It does so only where traces begin at the edge. */
let isTakenOver = false;

/** A call under the name that the page gave it. */
export interface Trace {
  readonly id: string;
  /** The value of the header `traceparent`. The page does not ask for the trace to be kept. */
  readonly parent: string;
}

export function newTrace(): Trace {
  const id = digits(16);
  return { id, parent: `00-${id}-${digits(8)}-00` };
}

/** Notes under which identifier the service knows a call, and returns it. */
export function answered(trace: Trace, response: Response): string | null {
  const id = response.headers.get('x-request-id');
  isTakenOver = id === trace.id;
  return id;
}

/** The identifier of a call without a response: that of the page, if the service would use it. */
export const unanswered = (trace: Trace): string | null => (isTakenOver ? trace.id : null);

const digits = (bytes: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
