/** Places for nodes: ranks from left to right by the longest way, rows ordered so that few links cross. */
import { linksOf, nodeOf } from './model.ts';
import type { Flow } from './model.ts';

export interface Spacing {
  x: number;
  y: number;
}

const SWEEPS = 8;

/** A place for every node, on no other's. `height` says how many rows of `spacing.y` a node takes. */
export function layout(flow: Flow, spacing: Spacing, height: (id: string) => number = () => 1): Map<string, { x: number; y: number }> {
  const ids = Object.keys(flow);
  const into = new Map<string, string[]>(ids.map((id) => [id, []]));
  const outOf = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { source, target } of linksOf(flow)) {
    if (source === target || !nodeOf(flow, source)) continue;
    into.get(target)?.push(source);
    outOf.get(source)?.push(target);
  }
  const ranks = ranked(ids, outOf);
  const columns: string[][] = [];
  for (const id of ids) (columns[ranks.get(id) ?? 0] ??= []).push(id);
  for (let at = 0; at < columns.length; at += 1) columns[at] ??= [];
  ordered(columns, into, outOf);
  return placed(columns, into, spacing, height);
}

/** The longest way to each node, links that close a loop left aside. */
function ranked(ids: string[], outOf: Map<string, string[]>): Map<string, number> {
  const state = new Map<string, 'open' | 'done'>();
  const order: string[] = [];
  const closing = new Set<string>();
  for (const root of ids) {
    if (state.has(root)) continue;
    const stack: { id: string; next: number }[] = [{ id: root, next: 0 }];
    state.set(root, 'open');
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const child = outOf.get(top.id)?.[top.next];
      top.next += 1;
      if (child === undefined) {
        state.set(top.id, 'done');
        order.push(top.id);
        stack.pop();
      } else if (state.get(child) === 'open') closing.add(`${top.id}\n${child}`);
      else if (!state.has(child)) {
        state.set(child, 'open');
        stack.push({ id: child, next: 0 });
      }
    }
  }
  const ranks = new Map(ids.map((id) => [id, 0]));
  for (const id of order.reverse()) {
    for (const child of outOf.get(id) ?? []) {
      if (!closing.has(`${id}\n${child}`)) ranks.set(child, Math.max(ranks.get(child) ?? 0, (ranks.get(id) ?? 0) + 1));
    }
  }
  return ranks;
}

function ordered(columns: string[][], into: Map<string, string[]>, outOf: Map<string, string[]>): void {
  const row = new Map<string, number>();
  const number = (column: string[]): void => column.forEach((id, at) => row.set(id, at));
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForward = sweep % 2 === 0;
    const neighbours = isForward ? into : outOf;
    for (const column of isForward ? columns : [...columns].reverse()) {
      const centre = new Map(column.map((id) => [id, mean((neighbours.get(id) ?? []).map((each) => row.get(each) ?? 0), row.get(id) ?? 0)]));
      column.sort((a, b) => (centre.get(a) ?? 0) - (centre.get(b) ?? 0));
      number(column);
    }
  }
}

function placed(
  columns: string[][],
  into: Map<string, string[]>,
  spacing: Spacing,
  height: (id: string) => number,
): Map<string, { x: number; y: number }> {
  const rows = new Map<string, number>();
  columns.forEach((column) => {
    let free = 0;
    const wanted = column.map((id) => mean((into.get(id) ?? []).flatMap((each) => rows.get(each) ?? []), NaN));
    column.forEach((id, at) => {
      const wish = wanted[at] ?? NaN;
      const spread = column.length > 1 && !Number.isNaN(wish) ? wish - siblings(column, wanted, at) : wish;
      const y = Math.max(free, Number.isNaN(spread) ? free : spread);
      rows.set(id, y);
      free = y + Math.max(1, height(id));
    });
  });
  const top = Math.min(0, ...rows.values());
  return new Map(
    columns.flatMap((column, rank) =>
      column.map((id): [string, { x: number; y: number }] => [
        id,
        { x: Math.round(64 + rank * spacing.x), y: Math.round(64 + ((rows.get(id) ?? 0) - top) * spacing.y) },
      ]),
    ),
  );
}

/** How far up a node moves so that nodes with the same wish stand around it and not below it. */
function siblings(column: string[], wanted: number[], at: number): number {
  const same = column.map((_, each) => each).filter((each) => wanted[each] === wanted[at]);
  return same.length > 1 ? (same.length - 1) / 2 - same.indexOf(at) : 0;
}

function mean(values: number[], otherwise: number): number {
  return values.length ? values.reduce((sum, each) => sum + each, 0) / values.length : otherwise;
}
