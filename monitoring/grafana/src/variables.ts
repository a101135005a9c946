// Variables of dashboards: the selectors at the top, and the hidden address of the runbooks.

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

/** The data source that the variable `datasource` selects. */
export const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** Selects the Prometheus server; the default is the provisioned one. */
export const datasource = new DatasourceVariableBuilder('datasource')
  .label('Data source')
  .type('prometheus')
  .current({ text: 'Prometheus', value: 'prometheus' });

const WATCHDOG = 'query_result(ALERTS{alertname="Watchdog"})';

/** A hidden variable: the public address of the runbooks. It is configured in Prometheus, which exposes it as a label of Watchdog. */
export const runbooks: Builder<VariableModel> = {
  build: () => ({
    ...new QueryVariableBuilder('runbooks')
      .datasource(DATASOURCE)
      .query({ query: WATCHDOG, refId: 'runbooks' })
      .definition(WATCHDOG)
      .regex('/runbooks_url="([^"]+)"/')
      .refresh(VariableRefresh.OnDashboardLoad)
      .hide(VariableHide.HideVariable)
      .current({ text: '', value: '' })
      .build(),
    // Links to other dashboards do not contain this variable.
    skipUrlSync: true,
  }),
};

/** Selects replicas. */
export const instance = every('instance', 'Instance', 'label_values(up{job="backend"}, instance)');

/** Selects routes by their templates. */
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
