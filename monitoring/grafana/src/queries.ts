// The words that queries are made of. A query names its series by `ours`, `requests` or `from`; what is done to them comes around that.
// What rules have recorded is asked for by its name instead, in the dashboards.

/** Asked by the edge, Prometheus or a socket: no client waits for these. `recording.yml` leaves out the same. */
const NOBODYS = '/health.*|(/api)?/metrics|/api/(docs|openapi.json)|/socket.io/';

const series = (metric: string, matchers: string[]) => `${metric}{${matchers.join(', ')}}`;

/** A metric of the service, at the chosen replicas. */
export const ours = (metric: string, ...matchers: string[]) => series(metric, ['job="backend"', 'instance=~"$instance"', ...matchers]);

/** A metric with the label `route`: clients' requests on the chosen routes, at the chosen replicas. */
export const requests = (metric: string, ...matchers: string[]) => ours(metric, 'route=~"$route"', `route!~"${NOBODYS}"`, ...matchers);

/** Requests that have an outcome: all but those whose client left (499). The whole of which a share is taken. */
export const answered = (...matchers: string[]) => requests('http_requests_total', 'status!="499"', ...matchers);

/** A metric of another program, which is scraped as `job`. */
export const from = (job: string, metric: string, ...matchers: string[]) => series(metric, [`job="${job}"`, ...matchers]);

/**
 * The one handler of the edge that sees every request for a replica: `reverse_proxy` where the site has no name, `subroute`
 * where it has one or several.
 */
export const AT_EDGE = 'handler=~"reverse_proxy|subroute"';

/** How much a counter grows in a second. */
export const rate = (counter: string) => `rate(${counter}[$__rate_interval])`;

/** A rate, as what happens seldom is told. */
export const perMinute = (of: string) => `${of} * 60`;
export const perHour = (of: string) => `${of} * 3600`;

/** How much a counter has grown in the time that is shown. */
export const inShownTime = (counter: string) => `increase(${counter}[$__range])`;

const aggregate = (operator: string, of: string, labels: string[]) =>
  labels.length === 0 ? `${operator}(${of})` : `${operator} by (${labels.join(', ')}) (${of})`;

export const sum = (of: string, ...labels: string[]) => aggregate('sum', of, labels);
export const max = (of: string, ...labels: string[]) => aggregate('max', of, labels);
export const min = (of: string, ...labels: string[]) => aggregate('min', of, labels);

/** A quantile of a histogram; none where nothing was measured. */
export const quantile = (q: number, histogram: string, ...labels: string[]) =>
  `histogram_quantile(${q}, ${sum(rate(part(histogram, 'bucket')), 'le', ...labels)}) >= 0`;

/** The mean of a histogram; none where nothing was measured. */
export const mean = (histogram: string, ...labels: string[]) =>
  ratio(sum(rate(part(histogram, 'sum')), ...labels), sum(rate(part(histogram, 'count')), ...labels));

/** How many measurements fell into each bucket, for a heatmap. */
export const buckets = (histogram: string) => sum(`increase(${part(histogram, 'bucket')}[$__rate_interval])`, 'le');

/** One of the series that a histogram is stored as. */
export const part = (histogram: string, name: 'bucket' | 'count' | 'sum') => histogram.replace('{', `_${name}{`);

/** A share; none where there is nothing to have a share of. */
export const ratio = (share: string, whole: string) => `${share} / (${whole} > 0)`;

/** The highest ones. */
export const top = (count: number, of: string) => `topk(${count}, ${of}) > 0`;

/** Where nothing happened, 0. */
export const orZero = (of: string) => `${of} or vector(0)`;

/** Where nothing happened, all of it. */
export const orAll = (of: string) => `${of} or vector(1)`;

/** Where nothing happened, 0 of something that is called `none`, so that a legend has words for it. */
export const orNone = (of: string, label: string) => `${of} or on() label_replace(vector(0), "${label}", "none", "", "")`;

/** Counted by the class of their status: 2xx, 3xx … */
export const byClass = (counted: string, status = 'status') =>
  sum(`label_replace(${counted}, "class", "\${1}xx", "${status}", "(.).*")`, 'class');
