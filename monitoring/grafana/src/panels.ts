// The kinds of panels, each with one style for all dashboards. The modules in dashboards/ define what panels show.

import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BarGaugeValueMode,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCellLayout,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableCellHeight,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { DynamicConfigValue, ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  FilterValueRangeBuilder,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  HeatmapTooltipBuilder,
  PanelBuilder as Heatmap,
  RowsHeatmapOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import {
  PanelBuilder as PieChart,
  PieChartLegendOptionsBuilder,
  PieChartLegendValues,
  PieChartType,
} from '@grafana/grafana-foundation-sdk/piechart';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';

import type { Cause } from './causes.js';
import { fact, NOTHING, type Colours, type Limits } from './colours.js';
import type { Size } from './layout.js';
import { more, ofCell, ofSeries, watched, type Name, type ValueLink } from './links.js';
import { DATASOURCE } from './variables.js';

type Builder = BarGauge | Heatmap | PieChart | Stat | StateTimeline | Table | TimeSeries;

/** A panel, its size, and the cause that changes it. */
export interface Panel extends Size {
  builder: Builder;
  movedBy: Cause;
}

/** Settings that all kinds of panels share. */
interface Content {
  title: string;
  /** What the panel shows, and "Good: …". */
  description: string;
  unit: string;
  /** One query, or several, keyed by the legend of their series. */
  query: string | Record<string, string>;
  movedBy: Cause;
  limits?: Limits;
  colours?: Colours;
  decimals?: number;
  /** Lets the axis start at the lowest value instead of 0. */
  min?: 'free';
  max?: number;
  /** The alert on the same metric; the panel links to its runbook. */
  alert?: string;
  /** A more detailed dashboard to link to. */
  more?: Name;
  width?: number;
  height?: number;
}

/** Texts and colours for values. */
export type Words = Record<string | number, [text: string, colour: string]>;

/** The current value, or a few values with names. Other panels of the dashboard show the history. */
export function stat(content: Content & { words?: Words }): Panel {
  const builder = new Stat()
    .reduceOptions(last())
    .colorMode(BigValueColorMode.BackgroundSolid)
    .graphMode(BigValueGraphMode.None)
    .textMode(typeof content.query === 'string' ? BigValueTextMode.Value : BigValueTextMode.ValueAndName)
    .justifyMode(BigValueJustifyMode.Auto)
    .mappings(content.words ? mappings(content.words) : [])
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds));
  if (content.unit === 'percentunit') builder.decimals(1);
  return panel(builder, content, { width: 3, height: 4 });
}

/** Values over time. */
export function timeSeries(content: Content & { stacked?: boolean; legend?: 'right'; shades?: string }): Panel {
  const builder = new TimeSeries()
    // In a stacked graph, the line of an empty series would cover the others.
    .lineWidth(content.stacked ? 0 : 1)
    .fillOpacity(content.stacked ? 70 : content.legend === 'right' ? 0 : 6)
    .showPoints(VisibilityMode.Never)
    .stacking(new StackingConfigBuilder().mode(content.stacked ? StackingMode.Normal : StackingMode.None).group('A'))
    .thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(content.limits ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off),
    )
    .colorScheme(
      content.shades
        ? new FieldColorBuilder().mode(FieldColorModeId.Shades).fixedColor(content.shades)
        : new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(content.legend === 'right' ? LegendPlacement.Right : LegendPlacement.Bottom)
        .calcs(content.legend === 'right' ? ['max', 'lastNotNull'] : ['mean', 'max', 'lastNotNull'])
        .sortBy('Last *')
        .sortDesc(true),
    );
  const least = softMax(content);
  if (least !== undefined) builder.axisSoftMax(least);
  if (content.min !== 'free') builder.min(0);
  return panel(builder, content, { width: content.legend === 'right' ? 12 : 8, height: 10 });
}

/** Soft maximum of an axis: noise near zero does not look large, and the first limit of a ratio stays visible. */
function softMax({ unit, limits }: Content): number | undefined {
  switch (unit) {
    case 'percentunit':
      return limits?.[1]?.value ?? 0.05;
    case 'none':
    case 'opm':
    case 'cpm':
      return 1;
    case 'ops':
    case 'reqps':
    case 'cps':
      return 0.1;
    default:
      return undefined;
  }
}

/** Current values as bars, for comparison. */
export function barGauge(content: Content): Panel {
  const builder = new BarGauge()
    .reduceOptions(last())
    .displayMode(BarGaugeDisplayMode.Gradient)
    .valueMode(BarGaugeValueMode.Color)
    .namePlacement(BarGaugeNamePlacement.Left)
    .orientation(VizOrientation.Horizontal)
    .showUnfilled(true)
    .minVizHeight(10)
    .min(0)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds));
  return panel(builder, content, { width: 12, height: 9 }, 'now');
}

/** Parts of a whole over the selected time range. */
export function pieChart(content: Content): Panel {
  const builder = new PieChart()
    .reduceOptions(last())
    .pieType(PieChartType.Donut)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .legend(
      new PieChartLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .values([PieChartLegendValues.Percent]),
    );
  return panel(builder, content, { width: 8, height: 9 }, 'now');
}

/** Distribution of measurements over time, from the buckets of a histogram; `unit` is the unit of a measurement. */
export function heatmap(content: Content): Panel {
  const builder = new Heatmap()
    .calculate(false)
    .rowsFrame(new RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Auto))
    .color(
      new HeatmapColorOptionsBuilder()
        .mode(HeatmapColorMode.Scheme)
        .scheme('Blues')
        .steps(64)
        .reverse(false)
        .exponent(0.5)
        .fill('dark-blue'),
    )
    .filterValues(new FilterValueRangeBuilder().le(1e-9))
    .cellGap(1)
    .yAxis(new YAxisConfigBuilder().unit(content.unit))
    .tooltip(new HeatmapTooltipBuilder().mode(TooltipDisplayMode.Single).yHistogram(true))
    .showLegend();
  return panel(builder, content, { width: 12, height: 9 }, 'buckets');
}

/** States over time. */
export function stateTimeline(content: Content & { words: Words }): Panel {
  const builder = new StateTimeline()
    .showValue(VisibilityMode.Never)
    .mergeValues(true)
    .rowHeight(0.8)
    .lineWidth(0)
    .fillOpacity(80)
    .mappings(mappings(content.words))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Single))
    .legend(new VizLegendOptionsBuilder().showLegend(true).displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom).calcs([]));
  return panel(builder, content, { width: 12, height: 6 });
}

/** Columns of a table by field name, with their titles and optional formats. */
export type Columns = Record<
  string,
  { title: string; unit?: string; decimals?: number; limits?: Limits; width?: number; words?: Words; link?: ValueLink }
>;

/** One row per series; `columns` selects labels of the series and values of the queries. */
export function table(content: Content & { columns: Columns; sort?: string }): Panel {
  const titles = Object.entries(content.columns).map(([field, column]) => [field, column.title]);
  const builder = new Table()
    .showHeader(true)
    .cellHeight(TableCellHeight.Sm)
    .transformations([
      { id: 'merge', options: {} },
      { id: 'filterFieldsByName', options: { include: { names: Object.keys(content.columns) } } },
      {
        id: 'organize',
        options: {
          indexByName: Object.fromEntries(titles.map(([field], index) => [field, index])),
          renameByName: Object.fromEntries(titles),
        },
      },
    ]);
  if (content.sort) {
    builder.sortBy([new TableSortByFieldStateBuilder().displayName(content.sort).desc(true)]);
  }
  for (const [field, column] of Object.entries(content.columns)) {
    const links = column.link ? [column.link] : distinct(queriesOf(content).flatMap(([, query]) => ofCell(query, field)));
    builder.overrideByName(column.title, shown(column, links));
  }
  return panel(builder, content, { width: 24, height: 9 }, 'table');
}

/** Several queries of a table may measure the same work. */
const distinct = (links: ValueLink[]) => [...new Map(links.map((link) => [link.url, link])).values()];

function shown({ unit, decimals, limits, width, words }: Columns[string], links: ValueLink[]): DynamicConfigValue[] {
  const properties: DynamicConfigValue[] = [];
  if (unit) properties.push({ id: 'unit', value: unit });
  if (decimals !== undefined) properties.push({ id: 'decimals', value: decimals });
  if (width) properties.push({ id: 'custom.width', value: width });
  if (words) properties.push({ id: 'mappings', value: mappings(words) });
  if (links.length > 0) properties.push({ id: 'links', value: links });
  if (limits) properties.push({ id: 'thresholds', value: { mode: ThresholdsMode.Absolute, steps: limits } });
  if (limits || words)
    properties.push({ id: 'custom.cellOptions', value: { type: 'color-text' } }, { id: 'color', value: { mode: 'thresholds' } });
  return properties;
}

const last = () => new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false);

function mappings(words: Words): ValueMapping[] {
  const options = Object.fromEntries(Object.entries(words).map(([value, [text, color]], index) => [value, { text, color, index }]));
  return [{ type: MappingType.ValueToText, options }];
}

/** Shape of query results: over time, current values, table rows, or heatmap buckets. */
type Form = 'series' | 'now' | 'table' | 'buckets';

const FORMATS: Record<Form, PromQueryFormat> = {
  series: PromQueryFormat.TimeSeries,
  now: PromQueryFormat.TimeSeries,
  table: PromQueryFormat.Table,
  buckets: PromQueryFormat.Heatmap,
};

function panel(builder: Builder, content: Content, size: Size, form: Form = 'series'): Panel {
  const { title, description, unit, movedBy, alert, width = size.width, height = size.height } = content;
  builder
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(content.limits ?? fact))
    .targets(targets(content, form))
    .links([...(content.more ? [more(content.more)] : []), ...(alert ? [watched(alert)] : [])]);
  const decimals = content.decimals ?? (unit === 'none' && form !== 'table' ? 0 : undefined);
  if (decimals !== undefined) builder.decimals(decimals);
  if (content.max !== undefined) builder.max(content.max);
  for (const [pattern, colour] of Object.entries({ ...NOTHING, ...content.colours })) {
    builder.overrideByRegexp(pattern, [{ id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: colour } }]);
  }
  if (form !== 'table') {
    for (const [index, [legend, query]] of queriesOf(content).entries()) {
      const links = ofSeries(query, labelsOf(legend));
      if (links.length > 0) builder.overrideByQuery(refId(index), [{ id: 'links', value: links }]);
    }
  }
  return { builder, movedBy, width, height };
}

/** The queries of a panel by their legends. */
const queriesOf = ({ query }: Content) => Object.entries(typeof query === 'string' ? { __auto: query } : query);

/** The labels that a legend names: `{{label}}`. */
const labelsOf = (legend: string) => [...legend.matchAll(/{{(\w+)}}/g)].flatMap(([, label]) => label ?? []);

const refId = (index: number) => String.fromCharCode('A'.charCodeAt(0) + index);

function targets(content: Content, form: Form): { build: () => Dataquery }[] {
  return queriesOf(content).map(([name, query], index) => {
    const target = new DataqueryBuilder()
      .refId(refId(index))
      .datasource(DATASOURCE)
      .expr(query)
      .legendFormat(form === 'buckets' ? '{{le}}' : name)
      .format(FORMATS[form]);
    return form === 'now' || form === 'table' ? target.instant() : target.range();
  });
}
