/** A flow as it is stored: its descriptor, a plain object of nodes by id. Nothing here touches a page or the network. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** In-port, source node, its out-ports. A single out-port may stand without a list. */
export type Sources = Record<string, Record<string, string[] | string>>;

export interface FlowNode {
  type: string;
  label?: string;
  x?: number;
  y?: number;
  version?: string;
  source?: Sources;
  config?: { properties?: JsonObject; transform?: Record<string, Record<string, Record<string, Transform>>> } | null;
  errorHandling?: { onError?: string; [key: string]: Json | undefined };
  [key: string]: unknown;
}

export interface Transform {
  type?: string;
  lambda?: JsonObject;
  modifiers?: Record<string, Record<string, Variable>>;
}

export interface Variable {
  variable?: string;
  functions?: ModifierCall[];
}

export interface ModifierCall {
  name: string;
  params?: { value: Json }[];
  hashParams?: Record<string, { value: Json }>;
}

export type Flow = Readonly<Record<string, FlowNode>>;

export interface Link {
  source: string;
  outPort: string;
  target: string;
  inPort: string;
}

export interface Port {
  name: string;
  options?: { label?: string; value?: string; schema?: JsonObject }[];
  inspector?: Form;
  schema?: JsonObject;
  maxConnections?: number;
}

export interface Form {
  inputs?: Record<string, Input>;
  groups?: Record<string, { label?: string; index?: number; closed?: boolean }>;
}

export interface Input {
  type?: string;
  label?: string;
  tooltip?: string;
  index?: number;
  group?: string;
  defaultValue?: Json;
  options?: (string | { value?: Json; content?: string; label?: string; clearItem?: boolean })[];
  when?: JsonObject;
  fields?: Record<string, Input>;
  levels?: string[];
  source?: JsonObject;
  placeholder?: string;
  min?: number;
  max?: number;
  variables?: boolean;
  required?: boolean;
  readonly?: boolean;
  config?: JsonObject;
}

export interface Manifest {
  name: string;
  label?: string;
  description?: string;
  icon?: string;
  version?: string;
  trigger?: boolean;
  webhook?: boolean;
  /** Which service's account it acts with. */
  auth?: { service?: string; scope?: string[] };
  inPorts?: (string | Port)[];
  outPorts?: (string | Port)[];
  properties?: { schema?: JsonObject; inspector?: Form };
}

export type Catalog = ReadonlyMap<string, Manifest>;

/** The shared utilities go by the name of either vendor. */
export function manifestOf(catalog: Catalog, type: string): Manifest | undefined {
  return catalog.get(type) ?? catalog.get(type.replace(/^appmixer\.utils\./, 'headrace.utils.'));
}

export function inPorts(manifest: Manifest | undefined): Port[] {
  return (manifest?.inPorts ?? []).map(asPort);
}

export function outPorts(manifest: Manifest | undefined, node?: FlowNode): Port[] {
  const declared = (manifest?.outPorts ?? []).map(asPort);
  return node?.errorHandling?.onError === 'errorPort' ? [...declared, { name: 'error' }] : declared;
}

function asPort(port: string | Port): Port {
  return typeof port === 'string' ? { name: port } : port;
}

export function outPortNames(given: string[] | string): string[] {
  return typeof given === 'string' ? [given] : given;
}

export function linksOf(flow: Flow): Link[] {
  return Object.keys(flow).flatMap((target) => linksInto(flow, target));
}

export function linksInto(flow: Flow, target: string): Link[] {
  return Object.entries(nodeOf(flow, target)?.source ?? {}).flatMap(([inPort, sources]) =>
    Object.entries(sources).flatMap(([source, ports]) =>
      outPortNames(ports).map((outPort) => ({ source, outPort, target, inPort })),
    ),
  );
}

export function linkId(link: Link): string {
  return [link.source, link.outPort, link.target, link.inPort].map(encodeURIComponent).join('/');
}

export function titleOf(node: FlowNode, manifest: Manifest | undefined): string {
  return node.label || manifest?.label || node.type.split('.').at(-1) || node.type;
}

/** Every node that a node's messages may have passed, nearest first. Loops end where they began. */
export function ancestors(flow: Flow, id: string): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const queue = linksInto(flow, id).map((link) => link.source);
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (seen.has(next) || !nodeOf(flow, next)) continue;
    seen.add(next);
    found.push(next);
    queue.push(...linksInto(flow, next).map((link) => link.source));
  }
  return found;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, index) => equal(each, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** The node of this id; names that all objects have, such as `constructor`, are ids like others. */
export function nodeOf(flow: Flow, id: string): FlowNode | undefined {
  return Object.hasOwn(flow, id) ? flow[id] : undefined;
}
