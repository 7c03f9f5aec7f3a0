/** The answers to what a chart asks, one question for each of its traces. */
import type { Api } from '../api.ts';
import type { JsonObject } from '../types.ts';
import { asked, extended, seriesOf, stepOf } from './data.ts';
import type { ChartDocument, Series } from './data.ts';

export interface Range {
  from?: string;
  to?: string;
}

/** The series of a chart; `range` in place of its own. Raises what the API says to the first trace that it refuses. */
export async function loaded(api: Api, chart: Pick<ChartDocument, 'query' | 'traces'>, range?: Range): Promise<Series[]> {
  const traces = Object.entries(chart.traces ?? {}).filter(([, trace]) => !trace.hidden);
  const found = await Promise.all(traces.map(async ([id, trace]) => {
    const { query, flowIds, portType, aggs } = asked(trace, range ?? chart.query?.range);
    const hasAggs = Object.keys(aggs).length > 0;
    const answer = await api.queryLogs({ query, flowIds, portType, aggs: hasAggs ? aggs : { all: { value_count: { field: '_id' } } } });
    const total = hasAggs ? 0 : Number((answer.aggregations?.['all'] as JsonObject | undefined)?.['value'] ?? 0);
    const series = seriesOf(id, trace, hasAggs ? answer.aggregations : undefined, total);
    return trace.agg?.['date_histogram'] ? series.map((each) => extended(each, stepOf(trace.agg), range ?? chart.query?.range ?? {}, Date.now())) : series;
  }));
  return found.flat();
}

/** How a chart is shown: drawn, as one number, or as a table. */
export function shownAs(chart: Pick<ChartDocument, 'options'>): 'chart' | 'number' | 'table' {
  const as = chart.options?.['show'];
  return as === 'number' || as === 'table' ? as : 'chart';
}
