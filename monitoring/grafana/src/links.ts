// Where links lead: other dashboards, alerts with their runbooks.

import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';

export const TAG = 'vitrine';
/** As people reach it; `dashboard_url` in the rules says the same of Grafana. */
const PROMETHEUS = 'http://localhost:9090';

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
  new DashboardLinkBuilder('Alerts and their runbooks')
    .type(DashboardLinkType.Link)
    .url(`${PROMETHEUS}/alerts`)
    .tooltip('Each alert names its runbook in monitoring/runbooks/')
    .targetBlank(true)
    .icon('doc'),
];

/** From a panel to the dashboard that tells more, with the time and the variables. */
export const more = (name: Name) =>
  new DashboardLinkBuilder(`More: ${name}`).type(DashboardLinkType.Link).url(`/d/${uid(name)}?\${__url_time_range}&\${__all_variables}`);

/** From a panel to the alert that watches the same. */
export const watched = (alert: string) =>
  new DashboardLinkBuilder(`${alert}: monitoring/runbooks/${alert}.md`)
    .type(DashboardLinkType.Link)
    .url(`${PROMETHEUS}/alerts?search=${alert}`)
    .targetBlank(true);
