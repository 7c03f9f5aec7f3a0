/** Where everything of a chart is drawn: pure numbers, for a page or a test. */
import type { Kind, Point, Series } from './data.ts';

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Tick {
  at: number;
  text: string;
}

export interface Bar extends Box {
  series: number;
  point: number;
}

export interface Dot {
  x: number;
  y: number;
  series: number;
  point: number;
}

export interface Slice {
  path: string;
  series: number;
  point: number;
  share: number;
  /** Where its middle is, from the chart's. */
  x: number;
  y: number;
}

/** Everything of one chart. Coordinates are pixels from its upper left corner. */
export interface Drawing {
  plot: Box;
  ys: Tick[];
  xs: Tick[];
  bars: Bar[];
  dots: Dot[];
  /** Of a line or an area: the path of each series. */
  lines: { series: number; path: string; area: string }[];
  slices: Slice[];
  /** Where each place of the x axis is, for whoever points at one. */
  columns: { at: number; x: number | string; width: number }[];
}

export interface Wanted {
  kind: Kind;
  series: readonly Series[];
  width: number;
  height: number;
  isStacked?: boolean;
  /** How an x is written. */
  say(x: number | string, span: number): string;
  /** How a y is written. */
  count(y: number): string;
}

const EMPTY: Drawing = { plot: { x: 0, y: 0, width: 0, height: 0 }, ys: [], xs: [], bars: [], dots: [], lines: [], slices: [], columns: [] };
const BOTTOM = 24;
const TOP = 10;
const LETTER = 6.6;

export function drawn(wanted: Wanted): Drawing {
  if (wanted.width < 40 || wanted.height < 40) return EMPTY;
  return wanted.kind === 'pie' ? pie(wanted) : plotted(wanted);
}

function plotted({ kind, series, width, height, isStacked = false, say, count }: Wanted): Drawing {
  const places = placesOf(series);
  const isTimed = places.every((each) => typeof each === 'number');
  const stacks = kind !== 'scatter' && kind !== 'line' && isStacked;
  const grown = stacks ? stacked(series, places) : undefined;
  const tops = series.flatMap((each, at) => each.points.map((point) => (grown ? grown[at]!.get(point.x)![1] : point.y)));
  const { low, high, ticks } = niceTicks(Math.min(0, ...tops), Math.max(0, ...tops), Math.max(2, Math.floor(height / 52)));
  const texts = ticks.map(count);
  const left = Math.ceil(Math.max(...texts.map((text) => text.length)) * LETTER) + 12;
  const plot: Box = { x: left, y: TOP, width: Math.max(10, width - left - 8), height: Math.max(10, height - TOP - BOTTOM) };
  const y = (value: number): number => round(plot.y + plot.height - ((value - low) / (high - low || 1)) * plot.height);
  const slot = slotOf(places, plot.width, isTimed);
  const first = isTimed ? Math.min(...(places as number[])) : 0;
  const span = isTimed ? Math.max(...(places as number[])) - first : 0;
  const inner = plot.width - slot;
  const x = (place: number | string, at: number): number => round(plot.x + slot / 2 + (isTimed ? (span ? ((Number(place) - first) / span) * inner : inner / 2) : places.length > 1 ? (at / (places.length - 1)) * inner : inner / 2));
  const columns = places.map((place, at) => ({ at: x(place, at), x: place, width: round(slot) }));
  const placed = new Map(columns.map((each) => [each.x, each.at]));
  const each = (value: Point, at: number): { top: number; base: number } => {
    const [from, to] = grown ? grown[at]!.get(value.x)! : [0, value.y];
    return { top: y(to), base: y(from) };
  };
  const bars: Bar[] = [];
  const dots: Dot[] = [];
  const lines: Drawing['lines'] = [];
  const gap = Math.min(8, slot * 0.2);
  const wide = stacks ? slot - gap : (slot - gap) / Math.max(1, series.length);
  series.forEach((one, at) => {
    if (kind === 'bar') {
      one.points.forEach((point, index) => {
        const { top, base } = each(point, at);
        const start = placed.get(point.x)! - slot / 2 + gap / 2 + (stacks ? 0 : at * wide);
        bars.push({ x: round(start), y: Math.min(top, base), width: round(stacks || series.length === 1 ? wide : Math.max(wide * 0.8, wide - 1)), height: round(Math.abs(base - top)), series: at, point: index });
      });
      return;
    }
    one.points.forEach((point, index) => dots.push({ x: placed.get(point.x)!, y: each(point, at).top, series: at, point: index }));
    if (kind === 'scatter' || !one.points.length) return;
    const tops = one.points.map((point) => `${placed.get(point.x)!} ${each(point, at).top}`);
    const bases = one.points.map((point) => `${placed.get(point.x)!} ${each(point, at).base}`).reverse();
    lines.push({ series: at, path: `M${tops.join('L')}`, area: kind === 'area' ? `M${tops.join('L')}L${bases.join('L')}Z` : '' });
  });
  return { plot, ys: ticks.map((value, at) => ({ at: y(value), text: texts[at]! })), xs: marked(columns, (place) => say(place, span), plot), bars, dots, lines, slices: [], columns };
}

/** A ring of shares: of the series where there are many, else of the points of the one. */
function pie({ series, width, height }: Wanted): Drawing {
  const parts = series.length === 1 ? series[0]!.points.map((point, index) => ({ y: point.y, series: 0, point: index })) : series.map((each, at) => ({ y: sum(each.points), series: at, point: -1 }));
  const whole = parts.reduce((total, part) => total + Math.max(0, part.y), 0);
  const radius = Math.min(width, height) / 2 - 6;
  const hole = radius * 0.58;
  const [cx, cy] = [width / 2, height / 2];
  let turned = 0;
  const slices = parts.flatMap((part): Slice[] => {
    const share = whole ? Math.max(0, part.y) / whole : 0;
    if (!share) return [];
    const [from, to] = [turned, (turned += share)];
    const middle = angled(cx, cy, (radius + hole) / 2, (from + to) / 2);
    return [{ path: ring(cx, cy, radius, hole, from, to), series: part.series, point: part.point, share, x: middle[0], y: middle[1] }];
  });
  return { ...EMPTY, plot: { x: cx - radius, y: cy - radius, width: radius * 2, height: radius * 2 }, slices };
}

function ring(cx: number, cy: number, radius: number, hole: number, from: number, to: number): string {
  const end = Math.min(to, from + 0.99999); // an arc that ends where it began is none
  const big = end - from > 0.5 ? 1 : 0;
  const [a, b] = [angled(cx, cy, radius, from), angled(cx, cy, radius, end)];
  const [c, d] = [angled(cx, cy, hole, end), angled(cx, cy, hole, from)];
  return `M${a.join(' ')}A${round(radius)} ${round(radius)} 0 ${big} 1 ${b.join(' ')}L${c.join(' ')}A${round(hole)} ${round(hole)} 0 ${big} 0 ${d.join(' ')}Z`;
}

const angled = (cx: number, cy: number, radius: number, turn: number): [number, number] => [round(cx + radius * Math.sin(turn * 2 * Math.PI)), round(cy - radius * Math.cos(turn * 2 * Math.PI))];

/** Every x that some series has: in the order of numbers, else as they come. */
function placesOf(series: readonly Series[]): (number | string)[] {
  const found = [...new Set(series.flatMap((each) => each.points.map((point) => point.x)))];
  return found.every((each) => typeof each === 'number') ? (found as number[]).sort((a, b) => a - b) : found;
}

/** How much room one place has: the smallest step between two of them. */
function slotOf(places: readonly (number | string)[], width: number, isTimed: boolean): number {
  if (places.length < 2) return Math.min(width, 64);
  if (!isTimed) return Math.min(width / places.length, 160);
  const times = places as number[];
  let step = Infinity;
  for (let at = 1; at < times.length; at += 1) step = Math.min(step, times[at]! - times[at - 1]!);
  const span = times[times.length - 1]! - times[0]!;
  return Math.max(2, Math.min(width / (span / step + 1), 160));
}

function stacked(series: readonly Series[], places: readonly (number | string)[]): Map<number | string, [number, number]>[] {
  const up = new Map(places.map((each) => [each, 0]));
  const down = new Map(places.map((each) => [each, 0]));
  return series.map(({ points }) => new Map(points.map((point) => {
    const side = point.y < 0 ? down : up;
    const from = side.get(point.x)!;
    side.set(point.x, from + point.y);
    return [point.x, [from, from + point.y] as [number, number]];
  })));
}

/** Round numbers over a stretch, its ends among them. */
export function niceTicks(low: number, high: number, wanted: number): { low: number; high: number; ticks: number[] } {
  const span = high - low > 1e-9 ? high - low : 1;
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= raw * 0.999)!;
  const from = Math.floor(low / step + 1e-9) * step;
  const to = Math.ceil((high || low + span) / step - 1e-9) * step || step;
  const count = Math.round((to - from) / step);
  return { low: from, high: to, ticks: Array.from({ length: count + 1 }, (_, at) => Number((from + at * step).toPrecision(12))) };
}

/** As many names under the axis as have room, evenly. */
function marked(columns: Drawing['columns'], say: (x: number | string) => string, plot: Box): Tick[] {
  if (!columns.length) return [];
  const texts = columns.map((each) => say(each.x));
  const longest = Math.min(22, Math.max(...texts.map((text) => text.length)));
  const every = Math.max(1, Math.ceil((columns.length * (longest * LETTER + 18)) / plot.width));
  return columns.flatMap((each, at) => (at % every === 0 ? [{ at: each.at, text: short(texts[at]!) }] : []));
}

/** A long name as short as there is room for: of one with dots in it the end says most. */
function short(text: string): string {
  if (text.length <= 22) return text;
  return text.includes('.') && !/\s/.test(text) ? `…${text.slice(-21)}` : `${text.slice(0, 21)}…`;
}

export const sum = (points: readonly Point[]): number => points.reduce((total, point) => total + point.y, 0);
const round = (value: number): number => Math.round(value * 100) / 100;

/** A time as short as the stretch it stands in allows. */
export function saidTime(at: number, span: number, locale?: string): string {
  const date = new Date(at);
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  if (!span && isMidnight) return date.toLocaleDateString(locale, { day: 'numeric', month: 'short' });
  if (span > 300 * 86_400e3) return date.toLocaleDateString(locale, { month: 'short', year: 'numeric' });
  if (span >= 2 * 86_400e3) return date.toLocaleDateString(locale, { day: 'numeric', month: 'short' });
  return date.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
}

export function saidNumber(value: number, locale?: string): string {
  return value.toLocaleString(locale, Math.abs(value) >= 10_000 ? { notation: 'compact', maximumFractionDigits: 1 } : { maximumFractionDigits: 2 });
}
