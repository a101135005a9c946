// What all dashboards have in common: links, annotations, refresh; and how rows of panels become one.

import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  RowBuilder,
  type Dashboard,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';

import type { Cause } from './causes.js';
import { flow } from './layout.js';
import { everywhere, TAG, uid, type Name } from './links.js';
import type { Panel } from './panels.js';
import { DATASOURCE, datasource, runbooks } from './variables.js';

/** What belongs together, under a title. */
export interface Row {
  title: string;
  panels: Panel[];
}

export const row = (title: string, ...panels: Panel[]): Row => ({ title, panels });

interface Content {
  title: string;
  /** The question that it answers. */
  description: string;
  variables?: Builder<VariableModel>[];
  /** How far back it looks at first. */
  since?: string;
  rows: Row[];
}

/** A dashboard that is done, and what moves each of its panels. */
export interface Finished {
  name: Name;
  dashboard: Dashboard;
  causes: Record<string, Cause>;
}

/** Where a replica has started, and with which version. */
const DEPLOYMENTS = new AnnotationQueryBuilder()
  .name('Deployments')
  .datasource(DATASOURCE)
  .enable(true)
  .iconColor('blue')
  .expr(
    '(changes(process_start_time_seconds{job="backend"}[1m]) > 0) * on (instance) group_left (version, revision) build_info{job="backend"}',
  )
  .step('60s')
  .titleFormat('{{instance}} started')
  .textFormat('Version {{version}}, revision {{revision}}: a deployment, or a restart');

/** When which alert fired. */
const ALERTS = new AnnotationQueryBuilder()
  .name('Alerts')
  .datasource(DATASOURCE)
  .enable(true)
  .iconColor('red')
  .expr('max by (alertname, severity, instance) (ALERTS{alertstate="firing", alertname!="Watchdog"})')
  .step('60s')
  .titleFormat('{{alertname}}')
  .textFormat('{{severity}} {{instance}}');

/** At the top of the dashboard, not in the menu where the library puts it. */
function inSight<T extends { placement?: unknown }>(builder: Builder<T>): Builder<T> {
  return {
    build: () => {
      const built = builder.build();
      delete built.placement;
      return built;
    },
  };
}

export function dashboard(name: Name, content: Content): Finished {
  const builder = new DashboardBuilder(content.title)
    .uid(uid(name))
    .description(content.description)
    .tags([TAG])
    .readonly()
    .version(1)
    .refresh('30s')
    .time({ from: `now-${content.since ?? '1h'}`, to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .links(everywhere.map(inSight))
    .annotations([DEPLOYMENTS, ALERTS].map(inSight))
    .variables([datasource, ...(content.variables ?? []), runbooks]);

  const causes: Record<string, Cause> = {};
  let id = 0;
  let y = 0;
  for (const { title, panels } of content.rows) {
    id += 1;
    const { places, bottom } = flow(panels, y + 1);
    builder.withRow(new RowBuilder(title).id(id).gridPos({ x: 0, y, w: 24, h: 1 }));
    for (const [index, place] of places.entries()) {
      const panel = panels[index];
      if (!panel) continue;
      id += 1;
      causes[id] = panel.movedBy;
      builder.withPanel(panel.builder.id(id).gridPos(place));
    }
    y = bottom;
  }
  return { name, dashboard: builder.build(), causes };
}
