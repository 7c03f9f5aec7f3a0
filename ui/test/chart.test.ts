/** Charts without a page: everything stays inside, numbers are round, and what is drawn is what was counted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggOf, asked, extended, countingOf, seriesOf, stepOf } from '../kit/chart/data.ts';
import type { Counting, Kind, Series } from '../kit/chart/data.ts';
import { drawn, niceTicks } from '../kit/chart/geometry.ts';

const words = { say: (x: number | string) => String(x), count: (y: number) => String(y) };
const kinds = fc.constantFrom<Kind>('bar', 'line', 'area', 'scatter', 'pie');
const HOUR = 3600e3;
const times = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 40 }).map((list) => list.sort((a, b) => a - b).map((each) => 1.7e12 + each * HOUR));
const cents = fc.integer({ min: -1e11, max: 1e11 }).map((each) => each / 100);
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 20 });
const shapes = fc.tuple(fc.oneof(times, names), fc.integer({ min: 1, max: 5 })).chain(([places, count]) =>
  fc.tuple(...Array.from({ length: count }, (_, at) => fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: places.length, maxLength: places.length }).map((values): Series => ({ id: `s${at}`, name: `S${at}`, points: places.map((x, index) => ({ x, y: values[index]! })) })))));

describe('a drawing', () => {
  it('keeps everything inside, bars as high as they count, nothing that is no number', () => {
    fc.assert(fc.property(kinds, shapes, fc.integer({ min: 120, max: 1600 }), fc.integer({ min: 90, max: 600 }), fc.boolean(), (kind, series, width, height, isStacked) => {
      const found = drawn({ kind, series, width, height, isStacked, ...words });
      expect(JSON.stringify(found)).not.toMatch(/NaN|null/);
      const { plot, bars, dots, slices } = found;
      const isInside = (x: number, y: number): boolean => x >= plot.x - 1 && x <= plot.x + plot.width + 1 && y >= plot.y - 1 && y <= plot.y + plot.height + 1;
      for (const bar of bars) expect(isInside(bar.x, bar.y) && isInside(bar.x + bar.width, bar.y + bar.height)).toBe(true);
      for (const dot of dots) expect(isInside(dot.x, dot.y)).toBe(true);
      if (kind === 'bar') expect(bars.length).toBe(series.reduce((total, each) => total + each.points.length, 0));
      if (slices.length) expect(slices.reduce((total, each) => total + each.share, 0)).toBeCloseTo(1);
      if (kind === 'bar' && !isStacked && series.length === 1) {
        const [high] = [...bars].sort((a, b) => b.height - a.height);
        const most = Math.max(...series[0]!.points.map((point) => point.y));
        for (const bar of bars) expect(Math.abs(bar.height - (most ? (series[0]!.points[bar.point]!.y / most) * high!.height : 0))).toBeLessThan(0.1);
      }
    }), { numRuns: 150 });
  });

  it('has round numbers on its axis that hold what is drawn', () => {
    fc.assert(fc.property(cents, cents, fc.integer({ min: 2, max: 8 }), (a, b, wanted) => {
      const [from, to] = [Math.min(0, a, b), Math.max(0, a, b)];
      const { low, high, ticks } = niceTicks(from, to, wanted);
      expect(low).toBeLessThanOrEqual(from + 1e-6 * (to - from));
      expect(high).toBeGreaterThanOrEqual(to - 1e-6 * (to - from));
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.length).toBeLessThan(wanted + 4);
    }));
  });
});

describe('a trace', () => {
  it('asks for its flows, components, time and words', () => {
    expect(asked({ source: { type: 'flow', targets: ['f1', { flowId: 'f2', componentId: 'a"b' }] }, options: { query: 'severity:error', portType: 'out' }, agg: { terms: { field: 'severity' } } }, { from: 'now-1d', to: 'now' })).toEqual({
      query: 'gridTimestamp:[now-1d TO now] AND (severity:error) AND componentId:("a\\"b")',
      flowIds: ['f1', 'f2'], portType: 'out', aggs: { by: { terms: { field: 'severity' } } },
    });
  });

  it('reads counts, measures, splits and one number, with the times in which nothing happened', () => {
    const agg = { date_histogram: { field: 'gridTimestamp', calendar_interval: 'hour' } };
    const at = 1.7e12;
    expect(seriesOf('t', { name: 'In', agg }, { by: { buckets: [{ key: at, doc_count: 3 }, { key: at + 2 * HOUR, doc_count: 1 }] } })).toEqual([{ id: 't', name: 'In', points: [{ x: at, y: 3 }, { x: at + HOUR, y: 0 }, { x: at + 2 * HOUR, y: 1 }] }]);
    const day = 24 * HOUR;
    expect(extended({ id: 't', name: 'In', points: [{ x: at, y: 3 }] }, day, { from: 'now-2d', to: 'now' }, at + HOUR).points.map((each) => [(Number(each.x) - at) / day, each.y])).toEqual([[-1, 0], [0, 3]]);
    expect(seriesOf('t', { agg: { terms: { field: 'x' }, aggs: { v: { avg: { field: 'ms' } } } } }, { by: { buckets: [{ key: 'a', doc_count: 9, v: { value: 2.5 } }] } })[0]?.points).toEqual([{ x: 'a', y: 2.5 }]);
    const parts = { buckets: [{ key: 'error', doc_count: 2 }, { key: 'info', doc_count: 5 }] };
    expect(seriesOf('t', { agg: { ...agg, aggs: { parts: { terms: { field: 'severity' } } } } }, { by: { buckets: [{ key: at, doc_count: 7, parts }] } }).map((each) => [each.name, each.points[0]?.y])).toEqual([['error', 2], ['info', 5]]);
    expect(seriesOf('t', { name: 'All' }, undefined, 12)[0]?.points).toEqual([{ x: 'All', y: 12 }]);
    expect(stepOf({ date_histogram: { fixed_interval: '30m' } })).toBe(HOUR / 2);
  });

  it('comes back from its aggregation as it was chosen; what the editor has no words for is told', () => {
    const counting = fc.record({ by: fc.constantFrom('', 'time', 'componentType'), every: fc.constantFrom('hour', 'day', '30m'), measure: fc.constantFrom('count', 'cardinality', 'avg'), field: fc.constantFrom('correlationId', 'ms'), split: fc.constant(''), size: fc.constant(10) }) as fc.Arbitrary<Counting>;
    fc.assert(fc.property(counting, (each) => { expect(aggOf(countingOf(aggOf(each))!)).toEqual(aggOf(each)); }));
    expect(countingOf({ filters: { filters: { a: { match_all: {} } } } })).toBeUndefined();
  });
});
