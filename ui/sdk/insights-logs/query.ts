/** What is asked of the log, as somebody chose it: pure, so that it can be tried without a page. */
import type { JsonObject } from '../../kit/types.ts';

export const RANGES = ['15m', '1h', '24h', '7d', '30d'] as const;
export type Range = (typeof RANGES)[number];
export const SEVERITIES = ['error', 'warn', 'info', 'debug'] as const;

export interface Asked {
  text: string;
  range: Range | 'custom';
  from: string;
  to: string;
  severities: readonly string[];
  componentId: string;
  correlationId: string;
  userId: string;
}

const LENGTHS: Record<Range, number> = { '15m': 15 * 60e3, '1h': 3600e3, '24h': 86_400e3, '7d': 7 * 86_400e3, '30d': 30 * 86_400e3 };
const STEPS: readonly (readonly [number, string])[] = [[5e3, '5s'], [15e3, '15s'], [30e3, '30s'], [60e3, '1m'], [300e3, '5m'], [900e3, '15m'], [1800e3, '30m'], [3600e3, '1h'], [3 * 3600e3, '3h'], [6 * 3600e3, '6h'], [12 * 3600e3, '12h'], [86_400e3, '1d'], [7 * 86_400e3, '7d'], [30 * 86_400e3, '30d']];
const BARS = 60;

/** The time that is looked at, in milliseconds. */
export function stretchOf(asked: Pick<Asked, 'range' | 'from' | 'to'>, now: number): [number, number] {
  if (asked.range !== 'custom') return [now - LENGTHS[asked.range], now];
  const [from, to] = [Date.parse(asked.from), Date.parse(asked.to)];
  return [Number.isNaN(from) ? now - LENGTHS['24h'] : from, Number.isNaN(to) ? now : to];
}

/** The query in the words of the log. */
export function queryOf(asked: Asked, now: number): string {
  const [from, to] = stretchOf(asked, now);
  const parts = [`gridTimestamp:[${new Date(from).toISOString()} TO ${new Date(to).toISOString()}]`];
  if (asked.text.trim()) parts.push(`(${asked.text.trim()})`);
  if (asked.severities.length) parts.push(`severity:(${asked.severities.join(' OR ')})`);
  for (const name of ['componentId', 'correlationId', 'userId'] as const) if (asked[name]) parts.push(`${name}:"${asked[name].replace(/["\\]/g, '\\$&')}"`);
  return parts.join(' AND ');
}

/** How the time is cut into bars: the width as the log takes it, and in milliseconds. */
export function intervalOf(from: number, to: number): readonly [number, string] {
  return STEPS.find(([step]) => (to - from) / step <= BARS) ?? STEPS[STEPS.length - 1]!;
}

export function histogramOf(from: number, to: number): JsonObject {
  return { bars: { date_histogram: { field: 'gridTimestamp', fixed_interval: intervalOf(from, to)[1], min_doc_count: 1 }, aggs: { parts: { terms: { field: 'severity', size: 6 } } } } };
}

/** Counts by severity for every bar from the first to the last, those without a record among them. */
export function barsOf(aggregations: JsonObject | undefined, from: number, to: number): { severity: string; points: { x: number; y: number }[] }[] {
  const [step] = intervalOf(from, to);
  const buckets = ((aggregations?.['bars'] as JsonObject | undefined)?.['buckets'] ?? []) as JsonObject[];
  const counted = new Map<string, Map<number, number>>();
  for (const bucket of buckets) {
    for (const part of ((bucket['parts'] as JsonObject | undefined)?.['buckets'] ?? []) as JsonObject[]) {
      const severity = String(part['key']);
      counted.set(severity, (counted.get(severity) ?? new Map<number, number>()).set(Number(bucket['key']), Number(part['doc_count'])));
    }
  }
  const first = Math.floor(from / step) * step;
  const times = Array.from({ length: Math.min(200, Math.ceil((to - first) / step)) }, (_, at) => first + at * step);
  const order = ['info', 'debug', 'warn', 'error'];
  return [...counted].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)).map(([severity, counts]) => ({ severity, points: times.map((x) => ({ x, y: counts.get(x) ?? 0 })) }));
}

export interface LogRow {
  id: string;
  index: string;
  at: string;
  severity: string;
  flowId: string;
  flowName: string;
  componentId: string;
  componentType: string;
  correlationId: string;
  /** `in` or `out`, and the name of the port, where a message went through one. */
  portType: string;
  port: string;
  text: string;
  record: JsonObject;
}

export function rowOf(record: JsonObject): LogRow {
  const text = (name: string): string => (record[name] === undefined || record[name] === null ? '' : typeof record[name] === 'string' ? (record[name] as string) : JSON.stringify(record[name]));
  return {
    id: text('_id'), index: text('_index'), at: text('gridTimestamp'), severity: text('severity') || 'info', flowId: text('flowId'), flowName: text('flowName'), componentId: text('componentId'),
    componentType: text('componentType'), correlationId: text('correlationId'), portType: text('portType'), port: text('port'), text: text('err') && text('severity') === 'error' ? text('err') : text('msg').replace(/^null$/, ''), record,
  };
}

/** Newest first, each record once. */
export function joined(known: readonly LogRow[], fresh: readonly LogRow[], most: number): LogRow[] {
  const seen = new Set(known.map((each) => each.id));
  return [...fresh.filter((each) => !seen.has(each.id)), ...known].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.id < b.id ? 1 : -1)).slice(0, most);
}

/** A value as it is read best: JSON laid out, anything else as it is. */
export function readable(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value, undefined, 2);
  if (!/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.stringify(JSON.parse(value), undefined, 2);
  } catch {
    return value;
  }
}
