/** Charts as they are kept, what they ask of the log, and what its answer says. */
import type { Json, JsonObject } from '../../flow/model.ts';

export const KINDS = ['bar', 'line', 'area', 'scatter', 'pie'] as const;
export type Kind = (typeof KINDS)[number];

/** One question of a chart: which records, and how they are counted. */
export interface Trace {
  name?: string;
  hidden?: boolean;
  agg?: JsonObject;
  options?: JsonObject;
  source?: { type?: string; targets?: Json };
}

export interface ChartDocument {
  chartId?: string;
  name: string;
  index?: number;
  type: Kind;
  options?: JsonObject;
  query?: { range?: { from?: string; to?: string } };
  traces?: Record<string, Trace>;
}

/** Numbers by name or by time. Times are milliseconds. */
export interface Series {
  id: string;
  name: string;
  points: Point[];
}

export interface Point {
  x: number | string;
  y: number;
  label?: string;
}

export interface Asked {
  query: string;
  flowIds: string[];
  portType: string;
  aggs: JsonObject;
}

const ROOT = 'by';
const CALENDAR: Record<string, number> = { minute: 60e3, hour: 3600e3, day: 86_400e3, week: 7 * 86_400e3 };

/** What a trace asks `POST /logs` for. */
export function asked(trace: Trace, range: { from?: string; to?: string } = {}): Asked {
  const options = trace.options ?? {};
  const time = `gridTimestamp:[${range.from || 'now-7d'} TO ${range.to || 'now'}]`;
  const targets = targetsOf(trace);
  const components = targets.flatMap((each) => each.components);
  const parts = [time, typeof options['query'] === 'string' && options['query'].trim() ? `(${options['query'].trim()})` : '', components.length ? `componentId:(${components.map(quoted).join(' OR ')})` : ''];
  return {
    query: parts.filter(Boolean).join(' AND '),
    flowIds: targets.map((each) => each.flowId),
    portType: options['portType'] === 'in' || options['portType'] === 'out' ? options['portType'] : '',
    aggs: trace.agg && Object.keys(trace.agg).length ? { [ROOT]: trace.agg } : {},
  };
}

/** The flows a trace is of, each with the components that alone count; none for all. */
export function targetsOf(trace: Trace): { flowId: string; components: string[] }[] {
  const given = trace.source?.targets;
  if (Array.isArray(given)) {
    return given.flatMap((each) => {
      if (typeof each === 'string') return [{ flowId: each, components: [] }];
      const found = each as JsonObject | null;
      return typeof found?.['flowId'] === 'string' ? [{ flowId: found['flowId'], components: typeof found['componentId'] === 'string' ? [found['componentId']] : [] }] : [];
    });
  }
  if (!given || typeof given !== 'object') return [];
  return Object.entries(given).map(([flowId, list]) => ({ flowId, components: Array.isArray(list) ? list.filter((each): each is string => typeof each === 'string') : [] }));
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** The series of a trace in the answer to what it asked; without aggregations one number, of all that was found. */
export function seriesOf(id: string, trace: Trace, aggregations: JsonObject | undefined, total = 0): Series[] {
  const name = trace.name || id;
  const root = aggregations?.[ROOT] as JsonObject | undefined;
  if (!root) return [{ id, name, points: [{ x: name, y: total }] }];
  if (typeof root['value'] === 'number') return [{ id, name, points: [{ x: name, y: root['value'] }] }];
  const nested = nestedOf(trace.agg);
  const buckets = bucketsOf(root);
  const isTime = Boolean(trace.agg?.['date_histogram']);
  if (nested?.isSplit) return split(id, name, buckets, nested.name, isTime);
  const points = buckets.map((bucket) => ({ ...placeOf(bucket, isTime), y: nested ? numberOf(bucket[nested.name]) : numberOf(bucket['doc_count']) }));
  return [{ id, name, points: isTime ? filled(points, stepOf(trace.agg)) : points }];
}

/** The aggregation inside: a measure of each bucket, or a split of it into series. */
function nestedOf(agg: JsonObject | undefined): { name: string; isSplit: boolean } | undefined {
  const inside = (agg?.['aggs'] ?? agg?.['aggregations']) as JsonObject | undefined;
  const [first] = Object.entries(inside ?? {});
  if (!first) return undefined;
  return { name: first[0], isSplit: 'terms' in (first[1] as JsonObject) || 'filters' in (first[1] as JsonObject) };
}

function split(id: string, name: string, buckets: JsonObject[], inner: string, isTime: boolean): Series[] {
  const found = new Map<string, Point[]>();
  for (const bucket of buckets) {
    for (const part of bucketsOf(bucket[inner] as JsonObject)) {
      const key = String(part['key_as_string'] ?? part['key']);
      found.set(key, [...(found.get(key) ?? []), { ...placeOf(bucket, isTime), y: numberOf(part['doc_count']) }]);
    }
  }
  return [...found].map(([key, points]) => ({ id: `${id}/${key}`, name: key || name, points }));
}

function bucketsOf(found: JsonObject | undefined): JsonObject[] {
  const buckets = found?.['buckets'];
  if (Array.isArray(buckets)) return buckets as JsonObject[];
  return Object.entries((buckets ?? {}) as Record<string, JsonObject>).map(([key, bucket]) => ({ ...bucket, key }));
}

function placeOf(bucket: JsonObject, isTime: boolean): { x: number | string } {
  const key = bucket['key'];
  return { x: isTime || (typeof key === 'number' && bucket['key_as_string'] === undefined) ? Number(key) : String(bucket['key_as_string'] ?? key ?? '') };
}

function numberOf(value: Json | undefined): number {
  const found = value && typeof value === 'object' && !Array.isArray(value) ? (value['value'] ?? Object.values((value['values'] ?? {}) as JsonObject)[0]) : value;
  return typeof found === 'number' && Number.isFinite(found) ? found : 0;
}

/** How long a bucket of a histogram of times is, in milliseconds. */
export function stepOf(agg: JsonObject | undefined): number {
  const { calendar_interval: calendar, fixed_interval: fixed } = (agg?.['date_histogram'] ?? {}) as JsonObject;
  if (typeof calendar === 'string') return CALENDAR[calendar] ?? 0;
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(typeof fixed === 'string' ? fixed : '') ?? [];
  return Number(count ?? 0) * ({ ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 }[unit ?? ''] ?? 0);
}

/** Times in which nothing happened, between those in which something did, are there as well. */
function filled(points: Point[], step: number): Point[] {
  const all: Point[] = [];
  for (const point of points) {
    const last = all[all.length - 1];
    if (last && step) for (let at = Number(last.x) + step; at < Number(point.x) - step / 2 && all.length < 2000; at += step) all.push({ x: at, y: 0 });
    all.push(point);
  }
  return all;
}

/** The times of a series from the beginning of a range to its end, those before and after what was found among them. */
export function extended(series: Series, step: number, range: { from?: string; to?: string }, now: number): Series {
  const [from, to] = [momentOf(range.from ?? 'now-7d', now), momentOf(range.to ?? 'now', now)];
  const [first, last] = [Number(series.points[0]?.x), Number(series.points.at(-1)?.x)];
  if (!step || from === undefined || to === undefined || Number.isNaN(first) || (to - from) / step > 1000) return series;
  const before = Array.from({ length: Math.max(0, Math.floor((first - from) / step)) }, (_, at) => ({ x: first - (at + 1) * step, y: 0 })).reverse();
  const after = Array.from({ length: Math.max(0, Math.ceil((to - last) / step) - 1) }, (_, at) => ({ x: last + (at + 1) * step, y: 0 }));
  return { ...series, points: [...before, ...series.points, ...after] };
}

/** A time as the log takes it: a date, `now`, or so long before it. */
function momentOf(text: string, now: number): number | undefined {
  const [, count, unit] = /^now(?:-(\d+)([smhdwM]))?(?:\/\w)?$/.exec(text) ?? [];
  if (text.startsWith('now')) return now - Number(count ?? 0) * ({ s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 7 * 86_400e3, M: 30 * 86_400e3 }[unit ?? 's'] ?? 0);
  const found = Date.parse(text);
  return Number.isNaN(found) ? undefined : found;
}

/** What the editor offers to count by, and how it is written in Elasticsearch's words. */
export interface Counting {
  by: 'time' | string;
  every: string;
  measure: 'count' | 'cardinality' | 'avg' | 'sum' | 'min' | 'max';
  field: string;
  split: string;
  size: number;
}

export function aggOf(counting: Counting): JsonObject {
  const { by, every, measure, field, size } = counting;
  const inside: JsonObject = measure !== 'count' && field ? { value: { [measure]: { field } } } : counting.split ? { parts: { terms: { field: counting.split, size: 8 } } } : {};
  const aggs: JsonObject = Object.keys(inside).length ? { aggs: inside } : {};
  if (!by) return measure !== 'count' && field ? { [measure]: { field } } : {};
  if (by === 'time') return { date_histogram: every in CALENDAR ? { field: 'gridTimestamp', calendar_interval: every, min_doc_count: 0 } : { field: 'gridTimestamp', fixed_interval: every, min_doc_count: 0 }, ...aggs };
  return { terms: { field: by, size }, ...aggs };
}

/** The other way; undefined where it says what the editor has no words for, which then stays as it is. */
export function countingOf(agg: JsonObject | undefined): Counting | undefined {
  const made: Counting = { by: '', every: 'day', measure: 'count', field: '', split: '', size: 10 };
  const { aggs, aggregations, ...own } = agg ?? {};
  const [kind, body] = (Object.entries(own)[0] ?? ['', {}]) as [string, JsonObject];
  if (kind === 'date_histogram') Object.assign(made, { by: 'time', every: String(body['calendar_interval'] ?? body['fixed_interval'] ?? 'day') });
  else if (kind === 'terms') Object.assign(made, { by: String(body['field'] ?? ''), size: Number(body['size'] ?? 10) });
  else if (kind) Object.assign(made, { measure: kind, field: String(body['field'] ?? '') });
  const [inner] = Object.values((aggs ?? aggregations ?? {}) as Record<string, JsonObject>);
  const [measure, of] = (Object.entries(inner ?? {})[0] ?? ['', {}]) as [string, JsonObject];
  if (measure === 'terms') made.split = String(of['field'] ?? '');
  else if (measure) Object.assign(made, { measure, field: String(of['field'] ?? '') });
  return JSON.stringify(loose(aggOf(made))) === JSON.stringify(loose(agg ?? {})) ? made : undefined;
}

/** Without what changes no answer: names of parts, their order, gaps that are filled in anyway. */
function loose(agg: JsonObject): Json {
  const { aggs, aggregations, ...own } = agg;
  const clean = Object.entries(own).map(([kind, body]) => [kind, Object.entries((body ?? {}) as JsonObject).filter(([name]) => name !== 'min_doc_count').sort(([a], [b]) => (a < b ? -1 : 1))]);
  return [clean, Object.values((aggs ?? aggregations ?? {}) as Record<string, JsonObject>).map(loose)] as Json;
}
