// What a reader chooses at the top of a dashboard.

import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';

/** The chosen data source. */
export const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** Which Prometheus; the provisioned one has this uid. */
export const datasource = new DatasourceVariableBuilder('datasource')
  .label('Data source')
  .type('prometheus')
  .current({ text: 'Prometheus', value: 'prometheus' });

const PLACE = 'query_result(ALERTS{alertname="Watchdog"})';

/** Where people reach the runbooks: configured, so Prometheus tells it, with the alert that always fires. Nobody chooses it. */
export const runbooks: Builder<VariableModel> = {
  build: () => ({
    ...new QueryVariableBuilder('runbooks')
      .datasource(DATASOURCE)
      .query({ query: PLACE, refId: 'runbooks' })
      .definition(PLACE)
      .regex('/runbooks_url="([^"]+)"/')
      .refresh(VariableRefresh.OnDashboardLoad)
      .hide(VariableHide.HideVariable)
      .current({ text: '', value: '' })
      .build(),
    // It does not go along to the next dashboard.
    skipUrlSync: true,
  }),
};

/** Which replicas. */
export const instance = every('instance', 'Instance', 'label_values(up{job="backend"}, instance)');

/** Which routes; their templates. */
export const route = every('route', 'Route', 'label_values(http_requests_total{job="backend"}, route)');

function every(name: string, label: string, query: string) {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: ['All'], value: ['$__all'] });
}
