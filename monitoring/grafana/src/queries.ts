// Building blocks of queries. `ours`, `requests`, `answered` and `from` select series; the other functions build expressions from series.
// Dashboards query recorded series directly by name.

/** Routes that are not client traffic: health checks, metrics, the API description, Socket.IO. `recording.yml` excludes these, too. */
const EXCLUDED = '/health.*|(/api)?/metrics|/api/(docs|openapi.json)|/socket.io/';

const series = (metric: string, matchers: string[]) => `${metric}{${matchers.join(', ')}}`;

/** A metric of the service, on the selected replicas. */
export const ours = (metric: string, ...matchers: string[]) => series(metric, ['job="backend"', 'instance=~"$instance"', ...matchers]);

/** A metric with the label `route`: client requests on the selected routes and replicas. */
export const requests = (metric: string, ...matchers: string[]) => ours(metric, 'route=~"$route"', `route!~"${EXCLUDED}"`, ...matchers);

/** Requests with an outcome, for ratios. A request whose client disconnected (499) has no outcome. */
export const answered = (...matchers: string[]) => requests('http_requests_total', 'status!="499"', ...matchers);

/** A metric of another scrape job. */
export const from = (job: string, metric: string, ...matchers: string[]) => series(metric, [`job="${job}"`, ...matchers]);

/**
 * The one handler of the edge that counts every request to a replica: `reverse_proxy` for a site without a host name, `subroute`
 * for a site with one or several.
 */
export const AT_EDGE = 'handler=~"reverse_proxy|subroute"';

/** Increase of a counter per second. */
export const rate = (counter: string) => `rate(${counter}[$__rate_interval])`;

/** Rates of rare events: 0.0042 per second is hard to read. */
export const perMinute = (of: string) => `${of} * 60`;
export const perHour = (of: string) => `${of} * 3600`;

/** Increase of a counter over the selected time range. */
export const inShownTime = (counter: string) => `increase(${counter}[$__range])`;

const aggregate = (operator: string, of: string, labels: string[]) =>
  labels.length === 0 ? `${operator}(${of})` : `${operator} by (${labels.join(', ')}) (${of})`;

export const sum = (of: string, ...labels: string[]) => aggregate('sum', of, labels);
export const max = (of: string, ...labels: string[]) => aggregate('max', of, labels);
export const min = (of: string, ...labels: string[]) => aggregate('min', of, labels);

/** A quantile of a histogram; `>= 0` drops it where there are no measurements (NaN). */
export const quantile = (q: number, histogram: string, ...labels: string[]) =>
  `histogram_quantile(${q}, ${sum(rate(part(histogram, 'bucket')), 'le', ...labels)}) >= 0`;

/** The mean of a histogram; absent where there are no measurements. */
export const mean = (histogram: string, ...labels: string[]) =>
  ratio(sum(rate(part(histogram, 'sum')), ...labels), sum(rate(part(histogram, 'count')), ...labels));

/** Number of measurements in each bucket, for a heatmap. */
export const buckets = (histogram: string) => sum(`increase(${part(histogram, 'bucket')}[$__rate_interval])`, 'le');

/** One of a histogram's stored series. */
export const part = (histogram: string, name: 'bucket' | 'count' | 'sum') => histogram.replace('{', `_${name}{`);

/** A share of a whole; absent where the whole is zero. */
export const ratio = (share: string, whole: string) => `${share} / (${whole} > 0)`;

/** The `count` highest values, without zeros. */
export const top = (count: number, of: string) => `topk(${count}, ${of}) > 0`;

/** 0 where there is no series. */
export const orZero = (of: string) => `${of} or vector(0)`;

/** 1 (100 %) where there is no series. */
export const orAll = (of: string) => `${of} or vector(1)`;

/** A series `none` with the value 0 where there is no series, so that the panel has a legend instead of "No data". */
export const orNone = (of: string, label: string) => `${of} or on() label_replace(vector(0), "${label}", "none", "", "")`;

/** Sum by status class: 2xx, 3xx … */
export const byClass = (counted: string, status = 'status') =>
  sum(`label_replace(${counted}, "class", "\${1}xx", "${status}", "(.).*")`, 'class');
