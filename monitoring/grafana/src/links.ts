// Links to other dashboards, to runbooks, and to the traces and log lines of the work that a panel measures.

import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';

import { workOf } from './work.js';

export const TAG = 'vitrine';
/** Public address of the runbooks, from the hidden variable `runbooks`; `raw` keeps Grafana from escaping it. */
const RUNBOOKS = '${runbooks:raw}';

/** File names of dashboards, without extension. */
export type Name =
  | 'overview'
  | 'api-performance'
  | 'http-detail'
  | 'environments'
  | 'realtime'
  | 'database-cache'
  | 'accounts'
  | 'runtime'
  | 'frontend'
  | 'infrastructure-slo'
  | 'machine'
  | 'containers'
  | 'monitoring'
  | 'load-test';

/** Grafana's folders, which provisioning/dashboards/vitrine.yml titles. The name of a dashboard's folder is also one of its tags. */
export type Folder = 'service' | 'infrastructure';

export const uid = (name: Name) => `vitrine-${name}`;

/** A menu of the dashboards with the tag of a folder. */
const menu = (title: string, folder: Folder) =>
  new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Dashboards)
    .tags([TAG, folder])
    .asDropdown(true)
    .includeVars(true)
    .keepTime(true)
    .icon('external link');

/** Links at the top of every dashboard. */
export const everywhere = [
  menu('Service', 'service'),
  menu('Infrastructure', 'infrastructure'),
  new DashboardLinkBuilder('Runbooks')
    .type(DashboardLinkType.Link)
    .url(`${RUNBOOKS}/`)
    .tooltip('How to handle each alert')
    .targetBlank(true)
    .icon('doc'),
];

/** A link from a panel to a more detailed dashboard, with the same time range and variables. */
export const more = (name: Name) =>
  new DashboardLinkBuilder(`More: ${name}`).type(DashboardLinkType.Link).url(`/d/${uid(name)}?\${__url_time_range}&\${__all_variables}`);

/** A link from a panel to the runbook of the alert on the same metric; the runbook links to the alert. */
export const watched = (alert: string) =>
  new DashboardLinkBuilder(`Runbook: ${alert}`).type(DashboardLinkType.Link).url(`${RUNBOOKS}/${alert}`).targetBlank(true);

/** A link from a value. */
export interface ValueLink {
  readonly title: string;
  readonly url: string;
  readonly targetBlank: boolean;
}

/** A link from an alert's name in a table to its runbook. */
export const ofValue: ValueLink = { title: 'Runbook', url: `${RUNBOOKS}/\${__value.raw}`, targetBlank: true };

/** Links from a series to the traces, and the log lines, of the work that its query measures. They select the values of these labels. */
export const ofSeries = (query: string, labels: readonly string[]) => toWork(query, labels, (label) => `\${__field.labels.${label}}`);

/** Links from the value of a label in a table, like `ofSeries`. */
export const ofCell = (query: string, label: string) => {
  const knows = workOf(query)?.labels[label] !== undefined;
  return knows ? toWork(query, [label], () => '${__value.raw}') : [];
};

function toWork(query: string, labels: readonly string[], valueOf: (label: string) => string): ValueLink[] {
  const work = workOf(query);
  if (!work) return [];
  const conditions = [...work.spans, ...labels.flatMap((label) => work.labels[label]?.(valueOf(label)) ?? [])];
  const traces = explore(`Traces: ${work.title}`, 'tempo', { queryType: 'traceql', query: `{ ${conditions.join(' && ')} }` });
  const lines = work.lines && explore(`Log lines: ${work.title}`, 'loki', { expr: `{service_name="vitrine"} |~ "${work.lines}"` });
  return lines ? [traces, lines] : [traces];
}

/** A link to a query in Explore, over the time range of the dashboard. The type of these data sources is their uid. */
function explore(title: string, source: 'tempo' | 'loki', query: Record<string, string>): ValueLink {
  const queries = [{ refId: 'A', datasource: { type: source, uid: source }, ...query }];
  const panes = { a: { datasource: source, queries, range: { from: '${__from}', to: '${__to}' } } };
  // Grafana replaces variables in the URL, and does not find them if they are encoded.
  const encoded = encodeURIComponent(JSON.stringify(panes)).replace(/%24%7B.+?%7D/g, decodeURIComponent);
  return { title, url: `/explore?schemaVersion=1&orgId=1&panes=${encoded}`, targetBlank: true };
}
