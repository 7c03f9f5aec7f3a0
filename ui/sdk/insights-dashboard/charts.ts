/** The order of charts on a dashboard, and charts to begin with. */
import { aggOf } from '../../kit/chart/data.ts';
import type { ChartDocument, Kind } from '../../kit/chart/data.ts';
import type { JsonObject } from '../../kit/types.ts';

export type Kept = ChartDocument & { chartId: string };

/** Which charts take another index when one moves to a place: as few as can be. */
export function moved(charts: readonly Kept[], from: number, to: number): { chartId: string; index: number }[] {
  if (to < 0 || to >= charts.length || from === to) return [];
  const order = [...charts];
  const [taken] = order.splice(from, 1);
  order.splice(to, 0, taken!);
  return order.flatMap((chart, index) => (chart.index === index ? [] : [{ chartId: chart.chartId, index }]));
}

export type Starter = 'messages' | 'errors' | 'components';

export function starter(of: Starter, name: string, index: number): ChartDocument {
  const made = (type: Kind, by: string, options: JsonObject, trace: JsonObject): ChartDocument => ({
    name, index, type, options, query: { range: { from: 'now-7d', to: 'now' } },
    traces: { [crypto.randomUUID()]: { name, hidden: false, agg: aggOf({ by, every: 'day', measure: 'count', field: '', split: '', size: 10 }), options: trace, source: { type: 'flow', targets: [] } } },
  });
  if (of === 'errors') return made('pie', 'flowName', {}, { query: 'severity:error' });
  if (of === 'components') return made('bar', 'componentType', { wide: true }, { portType: 'in' });
  return made('area', 'time', {}, { portType: 'in' });
}
