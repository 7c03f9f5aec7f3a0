/**
 * Edits of a flow as values. Each touches one node, or one key of an object that is there, so that the way back is exact.
 * Undo, saving beside somebody else, import and comparison all speak them.
 */
import { equal, isObject, linksOf, nodeOf, outPortNames } from './model.ts';
import type { Flow, FlowNode, Link } from './model.ts';

export type Op =
  | { op: 'add'; id: string; node: FlowNode }
  | { op: 'remove'; id: string; node: FlowNode }
  | { op: 'set'; id: string; path: readonly string[]; from: unknown; to: unknown };

/** The flow with the edits done. Raises where an edit does not fit: its node is gone, or there already. */
export function apply(flow: Flow, ops: readonly Op[]): Flow {
  const made: Record<string, FlowNode> = { ...flow };
  for (const op of ops) {
    if (op.op === 'add') {
      if (Object.hasOwn(made, op.id)) throw new Error(`There is a node '${op.id}' already.`);
      made[op.id] = op.node;
      continue;
    }
    const node = made[op.id];
    if (!node || !Object.hasOwn(made, op.id)) throw new Error(`There is no node '${op.id}'.`);
    if (op.op === 'remove') delete made[op.id];
    else made[op.id] = written(node, op.path, op.to) as FlowNode;
  }
  return made;
}

export function inverse(ops: readonly Op[]): Op[] {
  return [...ops].reverse().map((op) => {
    if (op.op === 'add') return { ...op, op: 'remove' };
    if (op.op === 'remove') return { ...op, op: 'add' };
    return { ...op, from: op.to, to: op.from };
  });
}

/** One list of edits for two that follow each other; edits of one place become one. */
export function compose(first: readonly Op[], second: readonly Op[]): Op[] {
  const made = [...first];
  for (const op of second) {
    const last = made.at(-1);
    if (op.op === 'set' && last?.op === 'set' && last.id === op.id && equal(last.path, op.path)) {
      made.pop();
      if (!equal(last.from, op.to)) made.push({ ...last, to: op.to });
    } else made.push(op);
  }
  return made;
}

/** The edits that lead to a flow with this value there; none where it is there already. */
export function change(flow: Flow, id: string, path: readonly string[], to: unknown): Op[] {
  const node = nodeOf(flow, id);
  if (!node) return [];
  let place: unknown = node;
  for (let depth = 0; depth < path.length - 1; depth += 1) {
    const key = path[depth] as string;
    const next: unknown = isObject(place) && Object.hasOwn(place, key) ? place[key] : undefined;
    if (!isObject(next)) {
      if (to === undefined) return [];
      return [{ op: 'set', id, path: path.slice(0, depth + 1), from: next, to: wrapped(path.slice(depth + 1), to) }];
    }
    place = next;
  }
  const last = path.at(-1) as string;
  const from = isObject(place) && Object.hasOwn(place, last) ? place[last] : undefined;
  return equal(from, to) ? [] : [{ op: 'set', id, path, from, to }];
}

/** Like `change` to nothing, with the objects above that are empty then; `keep` keys from the top stay. */
export function clear(flow: Flow, id: string, path: readonly string[], keep = 1): Op[] {
  let length = path.length;
  while (length > keep + 1) {
    const above = read(nodeOf(flow, id), path.slice(0, length - 1));
    if (!isObject(above) || Object.keys(above).length > 1) break;
    length -= 1;
  }
  return change(flow, id, path.slice(0, length), undefined);
}

export function connect(flow: Flow, link: Link): Op[] {
  const { source, outPort, target, inPort } = link;
  const into = nodeOf(flow, target);
  if (!nodeOf(flow, source) || !into) return [];
  const ports = portsOf(flow, link);
  if (ports.includes(outPort)) return [];
  const ops = change(flow, target, ['source', inPort, source], [...ports, outPort]);
  const template = Object.values(into.config?.transform?.[inPort] ?? {}).flatMap((each) => Object.values(each))[0];
  if (!template) return ops;
  return [...ops, ...change(apply(flow, ops), target, ['config', 'transform', inPort, source, outPort], template)];
}

export function disconnect(flow: Flow, link: Link): Op[] {
  const { source, outPort, target, inPort } = link;
  const ports = portsOf(flow, link);
  if (!ports.includes(outPort)) return [];
  const left = ports.filter((each) => each !== outPort);
  const place = ['source', inPort, source];
  const ops = left.length ? change(flow, target, place, left) : clear(flow, target, place);
  return [...ops, ...clear(apply(flow, ops), target, ['config', 'transform', inPort, source, outPort])];
}

/** The link leads elsewhere; what its input was set to goes with it while the node stays the same. */
export function reconnect(flow: Flow, from: Link, to: Link): Op[] {
  const kept = nodeOf(flow, from.target)?.config?.transform?.[from.inPort]?.[from.source]?.[from.outPort];
  let ops = disconnect(flow, from);
  ops = [...ops, ...connect(apply(flow, ops), to)];
  if (!kept || from.target !== to.target) return ops;
  return [...ops, ...change(apply(flow, ops), to.target, ['config', 'transform', to.inPort, to.source, to.outPort], kept)];
}

/** Nodes and all links from and to them. */
export function removeNodes(flow: Flow, ids: readonly string[]): Op[] {
  const gone = new Set(ids);
  let ops: Op[] = [];
  for (const link of linksOf(flow)) {
    if (gone.has(link.source) && !gone.has(link.target)) ops = [...ops, ...disconnect(apply(flow, ops), link)];
  }
  const left = apply(flow, ops);
  return [...ops, ...ids.flatMap((id): Op[] => {
    const node = nodeOf(left, id);
    return node ? [{ op: 'remove', id, node }] : [];
  })];
}

export function moveNodes(flow: Flow, places: ReadonlyMap<string, { x: number; y: number }>): Op[] {
  return [...places].flatMap(([id, place]) => [...change(flow, id, ['x'], place.x), ...change(flow, id, ['y'], place.y)]);
}

export interface Rebased {
  ops: Op[];
  /** Edits that are lost or that overwrite somebody else's. */
  clashes: Op[];
}

/** My edits, made beside somebody else's, as edits of the flow that has theirs. */
export function rebase(theirs: Flow, mine: readonly Op[]): Rebased {
  let flow = theirs;
  const ops: Op[] = [];
  const clashes: Op[] = [];
  for (const op of mine) {
    const { next, isClash } = over(flow, op);
    if (isClash) clashes.push(op);
    flow = apply(flow, next);
    ops.push(...next);
  }
  return { ops, clashes };
}

function over(flow: Flow, op: Op): { next: Op[]; isClash: boolean } {
  const there = nodeOf(flow, op.id);
  if (op.op === 'add') return there ? { next: [], isClash: !equal(there, op.node) } : { next: [op], isClash: false };
  if (!there) return { next: [], isClash: op.op === 'set' };
  if (op.op === 'remove') return { next: removeNodes(flow, [op.id]), isClash: !equal(there, op.node) };
  const now = read(there, op.path);
  if (equal(now, op.from)) return { next: change(flow, op.id, op.path, op.to), isClash: false };
  if (Array.isArray(now) && Array.isArray(op.to) && op.path[0] === 'source') {
    return { next: change(flow, op.id, op.path, mergedPorts(now, op)), isClash: false };
  }
  if (isObject(now) && isObject(op.to)) return merged(flow, op, isObject(op.from) ? op.from : {}, op.to);
  return { next: change(flow, op.id, op.path, op.to), isClash: !equal(now, op.to) };
}

function mergedPorts(now: unknown[], op: { from: unknown; to: unknown }): unknown[] {
  const from = Array.isArray(op.from) ? op.from : [];
  const to = Array.isArray(op.to) ? op.to : [];
  const kept = now.filter((each) => !from.includes(each) || to.includes(each));
  return [...kept, ...to.filter((each) => !from.includes(each) && !kept.includes(each))];
}

function merged(
  flow: Flow,
  op: Op & { op: 'set' },
  from: Record<string, unknown>,
  to: Record<string, unknown>,
): { next: Op[]; isClash: boolean } {
  let isClash = false;
  const next: Op[] = [];
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [was, shall] = [read(from, [key]), read(to, [key])];
    if (equal(was, shall)) continue;
    const part = over(apply(flow, next), { op: 'set', id: op.id, path: [...op.path, key], from: was, to: shall });
    isClash ||= part.isClash;
    next.push(...part.next);
  }
  return { next, isClash };
}

function portsOf(flow: Flow, { target, inPort, source }: Link): string[] {
  const given = nodeOf(flow, target)?.source?.[inPort];
  return given && Object.hasOwn(given, source) ? outPortNames(given[source] ?? []) : [];
}

export function read(value: unknown, path: readonly string[]): unknown {
  let place = value;
  for (const key of path) place = isObject(place) && Object.hasOwn(place, key) ? place[key] : undefined;
  return place;
}

function wrapped(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, key) => own(key, inner), value);
}

function written(value: unknown, path: readonly string[], to: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return to;
  const object = isObject(value) ? value : {};
  if (rest.length) return { ...object, ...own(key, written(Object.hasOwn(object, key) ? object[key] : {}, rest, to)) };
  if (to !== undefined) return { ...object, ...own(key, to) };
  return Object.fromEntries(Object.entries(object).filter(([each]) => each !== key));
}

/** An object with this key of its own, `__proto__` included. */
function own(key: string, value: unknown): Record<string, unknown> {
  return Object.fromEntries([[key, value]]);
}
