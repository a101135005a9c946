// What a reader chooses at the top of a dashboard.

import { DatasourceVariableBuilder, QueryVariableBuilder, VariableRefresh, VariableSort } from '@grafana/grafana-foundation-sdk/dashboard';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';

/** The chosen data source. */
export const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** Which Prometheus; the provisioned one has this uid. */
export const datasource = new DatasourceVariableBuilder('datasource')
  .label('Data source')
  .type('prometheus')
  .current({ text: 'Prometheus', value: 'prometheus' });

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
