// The work that a query measures: how to find its traces in Tempo (TraceQL) and its log lines in Loki (LogQL). Names and attributes of spans
// are those of src/telemetry/traces/subjects.rs.

export interface Work {
  /** What links to it are called. */
  readonly title: string;
  /** Matches the queries that measure this work. */
  readonly measuredBy: RegExp;
  /** Conditions on its spans. */
  readonly spans: readonly string[];
  /** The condition on a span whose series has this value of a label. */
  readonly labels: Readonly<Record<string, (value: string) => string>>;
  /** A pattern of the log lines that say more than its traces. */
  readonly lines?: string;
}

const is = (attribute: string) => (value: string) => `${attribute} = "${value}"`;

const ofRequests = {
  route: is('span.http.route'),
  method: is('span.http.request.method'),
  status: (value: string) => `span.http.response.status_code = ${value}`,
};
const ofJobs = { kind: (value: string) => `name = "job ${value}"` };

/** The first that matches a query applies. */
const WORK: readonly Work[] = [
  {
    title: 'failed requests',
    measuredBy: /(http_requests|api_errors)_total.*status[=!]~"5\.\."/,
    spans: ['kind = server', 'span.http.response.status_code >= 500'],
    labels: ofRequests,
    lines: 'request (failed|refused)',
  },
  {
    title: 'errors',
    measuredBy: /api_errors_total/,
    spans: ['kind = server', 'span.http.response.status_code >= 400'],
    labels: ofRequests,
  },
  {
    title: 'slow requests',
    measuredBy: /http_request_duration_seconds/,
    spans: ['kind = server', 'span.http.request.method != nil', 'duration > 300ms'],
    labels: ofRequests,
    lines: 'request slow',
  },
  {
    title: 'failed jobs',
    measuredBy: /jobs_total.*outcome!="success"/,
    spans: ['kind = consumer', 'name =~ "job .+"', 'status = error'],
    labels: ofJobs,
    lines: 'job failed',
  },
  {
    title: 'jobs',
    measuredBy: /jobs_total|job_duration_seconds/,
    spans: ['kind = consumer', 'name =~ "job .+"'],
    labels: ofJobs,
  },
  {
    title: 'events',
    measuredBy: /websocket_(fanout_seconds|messages_total|handler_duration_seconds)/,
    spans: ['name =~ "(receive|emit|deliver) .+"'],
    labels: { event_type: (value) => `name =~ "(receive|emit|deliver) ${value}"` },
  },
  {
    title: 'statements',
    measuredBy: /db_query_duration_seconds|db_queries_total/,
    spans: ['kind = client', 'span.db.system.name = "postgresql"'],
    labels: { operation: is('span.db.operation.name'), table: is('span.db.collection.name') },
  },
  {
    title: 'driver calls',
    measuredBy: /docker_operation/,
    spans: ['span.vitrine.driver != nil'],
    labels: { operation: is('span.vitrine.operation') },
  },
  {
    title: 'platform calls',
    measuredBy: /social_api_/,
    spans: ['kind = client', 'span.vitrine.platform != nil'],
    labels: { platform: is('span.vitrine.platform'), endpoint: is('span.vitrine.endpoint') },
  },
];

/** The work that a query measures; most queries measure none. */
export const workOf = (query: string) => WORK.find((work) => work.measuredBy.test(query));
