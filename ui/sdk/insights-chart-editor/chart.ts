/** Charts that nobody has made yet, and what of one is kept. */
import { aggOf } from '../../kit/chart/data.ts';
import type { ChartDocument } from '../../kit/chart/data.ts';

/** A new chart: messages that came in, by day. */
export function fresh(name: string, flowId: unknown): ChartDocument {
  const agg = aggOf({ by: 'time', every: 'day', measure: 'count', field: '', split: '', size: 10 });
  return { name, index: 0, type: 'bar', options: { stacked: true }, query: { range: { from: 'now-7d', to: 'now' } }, traces: { [crypto.randomUUID()]: { name, hidden: false, agg, options: { portType: 'in' }, source: { type: 'flow', targets: typeof flowId === 'string' && flowId ? [flowId] : [] } } } };
}

/** What is kept of a chart; what reading adds is the platform's. */
export function documentOf(chart: ChartDocument): ChartDocument {
  const { name, index = 0, type, options = {}, query = {}, traces = {} } = chart;
  return { name, index, type, options, query, traces };
}
