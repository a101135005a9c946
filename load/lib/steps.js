// The steps of the profile `peak`, and the knee that its summary shows.

/** Number of steps; the last one has 33 times the rate of the first. */
export const STEPS = 15;
/** Factor by which the rate grows from one step to the next. */
export const GROWTH = 1.284;

/** Name of a step's scenario. The names sort like the rates. */
export const stepName = (rate) => `step_${String(rate).padStart(5, '0')}`;

/** A table of the steps that began, and the knee: the rate of the last step before a gate broke. */
export function knee(data, rates) {
  const steps = rates.map((rate) => step(data, rate)).filter(({ requests }) => requests > 0);
  const broken = steps.findIndex(({ held }) => !held);
  const reached = broken === -1 ? steps : steps.slice(0, broken);
  const lines = steps.map(({ rate, requests, p95, p99, held }) =>
    `  ${rate}/s: ${requests} requests, p95 ${p95.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, ${held ? 'every gate held' : 'a gate broke'}`);
  const reason = steps.length === 0 ? 'no step began' : 'a gate broke at the first step';
  const found = reached.length === 0 ? `none: ${reason}` : `${reached[reached.length - 1].rate} requests per second`;
  const open = broken === -1 && steps.length > 0 ? ' or more: no gate broke' : '';
  return `${lines.join('\n')}\nknee: ${found}${open}\n`;
}

function step(data, rate) {
  const of = (metric) => data.metrics[`${metric}{scenario:${stepName(rate)}}`];
  const gated = ['http_req_duration', 'http_req_failed', 'dropped_iterations'].map(of);
  const held = gated.every((metric) => Object.values(metric?.thresholds ?? {}).every(({ ok }) => ok));
  const { passes = 0, fails = 0 } = of('http_req_failed')?.values ?? {};
  const durations = of('http_req_duration')?.values ?? {};
  return { rate, held, requests: passes + fails, p95: durations['p(95)'] ?? 0, p99: durations['p(99)'] ?? 0 };
}
