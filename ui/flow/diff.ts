/** What lies between two flows: for pictures of it, and as edits that lead from one to the other. */
import { equal, linkId, linksOf, nodeOf } from './model.ts';
import type { Flow } from './model.ts';
import { change, read } from './ops.ts';
import type { Op } from './ops.ts';

export interface Difference {
  added: Set<string>;
  removed: Set<string>;
  changed: Set<string>;
  moved: Set<string>;
  linksAdded: Set<string>;
  linksRemoved: Set<string>;
}

const PLACE = new Set(['x', 'y']);

export function difference(before: Flow, after: Flow): Difference {
  const kept = Object.keys(before).filter((id) => nodeOf(after, id));
  const links = [before, after].map((flow) => new Set(linksOf(flow).map(linkId))) as [Set<string>, Set<string>];
  return {
    added: new Set(Object.keys(after).filter((id) => !nodeOf(before, id))),
    removed: new Set(Object.keys(before).filter((id) => !nodeOf(after, id))),
    changed: new Set(kept.filter((id) => fields(before, after, id).some((key) => !PLACE.has(key) && key !== 'source'))),
    moved: new Set(kept.filter((id) => fields(before, after, id).some((key) => PLACE.has(key)))),
    linksAdded: new Set([...links[1]].filter((each) => !links[0].has(each))),
    linksRemoved: new Set([...links[0]].filter((each) => !links[1].has(each))),
  };
}

/** Whether they differ in what a run does, and not only in where cards lie. */
export function differs(before: Flow, after: Flow): boolean {
  const bare = (flow: Flow): unknown => Object.fromEntries(Object.entries(flow).map(([id, { x: _x, y: _y, ...node }]) => [id, node]));
  return !equal(bare(before), bare(after));
}

/** Edits that make the second flow of the first. */
export function opsBetween(before: Flow, after: Flow): Op[] {
  const removed = Object.keys(before).filter((id) => !nodeOf(after, id));
  return [
    ...removed.map((id): Op => ({ op: 'remove', id, node: nodeOf(before, id)! })),
    ...Object.keys(after).flatMap((id): Op[] => {
      if (!nodeOf(before, id)) return [{ op: 'add', id, node: nodeOf(after, id)! }];
      return fields(before, after, id).flatMap((key) => change(before, id, [key], read(nodeOf(after, id), [key])));
    }),
  ];
}

function fields(before: Flow, after: Flow, id: string): string[] {
  const [a, b] = [nodeOf(before, id) ?? {}, nodeOf(after, id) ?? {}] as Record<string, unknown>[];
  return [...new Set([...Object.keys(a!), ...Object.keys(b!)])].filter((key) => !equal(read(a, [key]), read(b, [key])));
}
