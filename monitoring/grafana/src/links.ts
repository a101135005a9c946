// Links to other dashboards and to runbooks.

import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';

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

/** A link from an alert's name in a table to its runbook. */
export const ofValue = { title: 'Runbook', url: `${RUNBOOKS}/\${__value.raw}`, targetBlank: true };
