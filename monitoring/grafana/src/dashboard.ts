// Builds a dashboard from rows of panels, with the links, annotations and refresh interval that all dashboards share.

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
import { everywhere, TAG, uid, type Folder, type Name } from './links.js';
import type { Panel } from './panels.js';
import { DATASOURCE, datasource, runbooks } from './variables.js';

/** Related panels under a title. */
export interface Row {
  title: string;
  panels: Panel[];
}

export const row = (title: string, ...panels: Panel[]): Row => ({ title, panels });

interface Content {
  title: string;
  folder: Folder;
  /** The question that the dashboard answers. */
  description: string;
  variables?: Builder<VariableModel>[];
  /** Initial time range, up to now. Default: `1h`. */
  since?: string;
  /** Marks on its graphs, besides those that all dashboards have. */
  marks?: AnnotationQueryBuilder[];
  rows: Row[];
}

/** A complete dashboard, and the cause that changes each of its panels, by panel number. */
export interface Finished {
  name: Name;
  folder: Folder;
  dashboard: Dashboard;
  causes: Record<string, Cause>;
}

interface Mark {
  name: string;
  colour: string;
  /** Marks the times at which its result is above zero. Times no more than a `step` apart become one region. */
  query: string;
  title: string;
  text: string;
  step?: string;
}

/** Marks on all graphs of a dashboard. */
export const mark = ({ name, colour, query, title, text, step = '60s' }: Mark) =>
  new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(colour)
    .expr(query)
    .step(step)
    .titleFormat(title)
    .textFormat(text);

/** Marks the start of each replica, with its version. */
const DEPLOYMENTS = mark({
  name: 'Deployments',
  colour: 'blue',
  query:
    '(changes(process_start_time_seconds{job="backend"}[1m]) > 0) * on (instance) group_left (version, revision) build_info{job="backend"}',
  title: '{{instance}} started',
  text: 'Version {{version}}, revision {{revision}}: a deployment, or a restart',
});

/** Marks the times at which alerts fire. */
const ALERTS = mark({
  name: 'Alerts',
  colour: 'red',
  query: 'max by (alertname, severity, instance) (ALERTS{alertstate="firing", alertname!="Watchdog"})',
  title: '{{alertname}}',
  text: '{{severity}} {{instance}}',
});

/** Shows links and annotations at the top of the dashboard instead of in the controls menu, the library's default. */
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
    .tags([TAG, content.folder])
    .readonly()
    .version(1)
    .refresh('30s')
    .time({ from: `now-${content.since ?? '1h'}`, to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .links(everywhere.map(inSight))
    .annotations([DEPLOYMENTS, ALERTS, ...(content.marks ?? [])].map(inSight))
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
  return { name, folder: content.folder, dashboard: builder.build(), causes };
}
