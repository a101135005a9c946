// Settings of a run: environment variables that `k6 run --env NAME=value` passes to the script.

/** Address of the edge. */
export const EDGE = nearby(__ENV.EDGE || 'http://localhost:8080');

/** Address at which k6 reaches the simulated platforms. If it is empty, k6 uses the address in the service's redirects, which is for
 *  browsers and does not work inside Compose. */
export const SIMULATOR = __ENV.SIMULATOR || '';

/** The time in seconds during which new journeys start; running ones then finish. */
export function duration(usual) {
  return seconds(__ENV.DURATION || usual);
}

/** Rate of a profile's main traffic, in requests per second: RATE, or `usual` if RATE is not set. */
export function rate(usual) {
  const given = Number(__ENV.RATE || usual);
  if (!(given > 0)) {
    throw new Error('RATE must be a number of requests per second, such as 200');
  }
  return given;
}

/** Factor by which the usual time between two journeys is multiplied: SLOWDOWN, or 1 if SLOWDOWN is not set. */
export function slowdown() {
  const given = Number(__ENV.SLOWDOWN || 1);
  if (!Number.isInteger(given) || given < 1) {
    throw new Error('SLOWDOWN must be a whole number, such as 4');
  }
  return given;
}

/** Returns `url` if its host is this machine or a container. Refuses any other host, because load must never reach a service of third
 *  parties. */
function nearby(url) {
  const [, host = ''] = url.match(/^https?:\/\/(\[[0-9a-f:]+\]|[\w.-]+)(?::\d+)?$/) || [];
  const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
  const container = /^[a-z][\w-]*$/;
  if (!loopback.test(host) && !container.test(host)) {
    throw new Error(`EDGE must be an address of this machine or the name of a container, not ${url}`);
  }
  return url;
}

/** A duration such as 500ms, 90s, 1m30s or 2h, in seconds. */
function seconds(text) {
  const units = { ms: 0.001, s: 1, m: 60, h: 3600 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new Error(`DURATION must be a duration such as 90s, 5m or 2h, not ${text}`);
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit], 0);
}
