// Where links lead: other dashboards, alerts with their runbooks.

import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';

export const TAG = 'vitrine';
/** Where people reach the runbooks, as it stands, without escapes: the hidden variable `runbooks`. */
const RUNBOOKS = '${runbooks:raw}';

/** Files of dashboards, without their ending. */
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
  | 'load-test';

export const uid = (name: Name) => `vitrine-${name}`;

/** What every dashboard has at its top. */
export const everywhere = [
  new DashboardLinkBuilder('Vitrine dashboards')
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .asDropdown(true)
    .includeVars(true)
    .keepTime(true)
    .icon('external link'),
  new DashboardLinkBuilder('Runbooks')
    .type(DashboardLinkType.Link)
    .url(`${RUNBOOKS}/`)
    .tooltip('What to do about each alert')
    .targetBlank(true)
    .icon('doc'),
];

/** From a panel to the dashboard that tells more, with the time and the variables. */
export const more = (name: Name) =>
  new DashboardLinkBuilder(`More: ${name}`).type(DashboardLinkType.Link).url(`/d/${uid(name)}?\${__url_time_range}&\${__all_variables}`);

/** From a panel to the runbook of the alert that watches the same; from there to the alert. */
export const watched = (alert: string) =>
  new DashboardLinkBuilder(`Runbook: ${alert}`).type(DashboardLinkType.Link).url(`${RUNBOOKS}/${alert}`).targetBlank(true);

/** From the name of an alert in a table to its runbook. */
export const ofValue = { title: 'Runbook', url: `${RUNBOOKS}/\${__value.raw}`, targetBlank: true };
