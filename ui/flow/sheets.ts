/**
 * Notes and frames: what people write and draw around the steps of a flow. They stand in the flow's custom fields, which
 * nothing that runs reads. While a flow is worked on they are nodes beside its steps, so that every edit, undo and rebase
 * holds for them as well.
 */
import { isObject } from './model.ts';
import type { Flow, FlowNode, Json, JsonObject } from './model.ts';

export type SheetKind = 'note' | 'frame';

export interface Sheet {
  kind: SheetKind;
  x: number;
  y: number;
  width: number;
  height: number;
  text: string;
  colour: Colour;
}

export const COLOURS = ['yellow', 'blue', 'green', 'red', 'grey'] as const;
export type Colour = (typeof COLOURS)[number];

/** The name of our part of the custom fields. */
const PLACE = 'designer';
const KINDS: ReadonlyMap<string, SheetKind> = new Map([['@note', 'note'], ['@frame', 'frame']]);
const LONGEST_TEXT = 4000;
const LEAST: Record<SheetKind, { width: number; height: number }> = { note: { width: 120, height: 64 }, frame: { width: 240, height: 140 } };
const MOST = 20_000;

export function isSheet(node: FlowNode | undefined): boolean {
  return node !== undefined && KINDS.has(node.type);
}

export function sheetNode(sheet: Sheet): FlowNode {
  const { kind, ...rest } = sheet;
  return { type: `@${kind}`, ...rest };
}

/** A node as a sheet, with everything within its bounds, whoever wrote it. */
export function sheetOf(node: FlowNode): Sheet | undefined {
  const kind = KINDS.get(node.type);
  if (!kind) return undefined;
  const { colour, text } = node;
  return {
    kind,
    x: number(node['x'], -MOST * 10, MOST * 10, 0),
    y: number(node['y'], -MOST * 10, MOST * 10, 0),
    width: number(node['width'], LEAST[kind].width, MOST, 224),
    height: number(node['height'], LEAST[kind].height, MOST, 112),
    text: typeof text === 'string' ? text.slice(0, LONGEST_TEXT) : '',
    colour: COLOURS.find((each) => each === colour) ?? (kind === 'note' ? 'yellow' : 'grey'),
  };
}

/** The steps of a flow, with the sheets of its custom fields beside them. A step is never taken for a sheet. */
export function together(flow: Flow, customFields: unknown): Flow {
  const own = isObject(customFields) ? customFields[PLACE] : undefined;
  const kept = isObject(own) && isObject(own['sheets']) ? own['sheets'] : {};
  const sheets = Object.entries(kept).flatMap(([id, given]): [string, FlowNode][] => {
    const sheet = isObject(given) && typeof given['type'] === 'string' ? sheetOf(given as FlowNode) : undefined;
    return sheet && !Object.hasOwn(flow, id) ? [[id, sheetNode(sheet)]] : [];
  });
  return sheets.length ? Object.fromEntries([...Object.entries(flow), ...sheets]) : flow;
}

export function stepsOf(flow: Flow): Flow {
  const nodes = Object.entries(flow);
  const steps = nodes.filter(([, node]) => !isSheet(node));
  return steps.length === nodes.length ? flow : Object.fromEntries(steps);
}

export function sheetsOf(flow: Flow): Flow {
  return Object.fromEntries(Object.entries(flow).filter(([, node]) => isSheet(node)));
}

/** The custom fields with the sheets of a flow in them; all that others keep there stays. */
export function withSheets(customFields: unknown, flow: Flow): JsonObject {
  const before = (isObject(customFields) ? customFields : {}) as JsonObject;
  const { [PLACE]: own, ...rest } = before;
  const others = isObject(own) ? Object.fromEntries(Object.entries(own).filter(([name]) => name !== 'sheets')) : {};
  const sheets = sheetsOf(flow) as unknown as Json;
  const kept: JsonObject = { ...(others as JsonObject), ...(Object.keys(sheets as JsonObject).length ? { sheets } : {}) };
  return Object.keys(kept).length ? { ...rest, [PLACE]: kept } : rest;
}

function number(value: unknown, least: number, most: number, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : otherwise;
}
