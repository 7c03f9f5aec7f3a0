/** Texts with values in them: `Hello {{{id}}}`, where the id names a variable of the field's modifiers. */
import { manifestOf, nodeOf, outPorts, titleOf } from './model.ts';
import type { Catalog, Flow, Json, Variable } from './model.ts';

export type Piece = { text: string } | { id: string };

const HOLE = /\{\{\{\s*([^{}]*?)\s*\}\}\}/g;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(HOLE)) {
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ id: match[1] ?? '' });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

export function joined(parts: readonly Piece[]): string {
  return parts.map((part) => ('id' in part ? `{{{${part.id}}}}` : part.text)).join('');
}

/** Every id that a value names, however deep. */
export function idsIn(value: unknown): Set<string> {
  if (typeof value === 'string') return new Set(pieces(value).flatMap((part) => ('id' in part ? [part.id] : [])));
  if (typeof value !== 'object' || value === null) return new Set();
  return new Set(Object.values(value).flatMap((each) => [...idsIn(each)]));
}

/** What a person reads on the chip of a variable. */
export function variableLabel(variable: Variable | undefined, raw: string, flow: Flow, catalog: Catalog): string {
  const path = variable?.variable ?? (variable ? '' : raw);
  const functions = (variable?.functions ?? []).map((each) => each.name.replace(/^g_/, ''));
  if (!path) return functions.join(' › ') || 'value';
  const [root, id, port, ...rest] = path.split('.');
  const node = root === '$' && id ? nodeOf(flow, id) : undefined;
  const from = node ? titleOf(node, manifestOf(catalog, node.type)) : root === '$' ? 'missing step' : '';
  const what = root === '$' ? rest.join('.') || port || '' : path;
  return [from ? `${from} · ${what}` : what, ...functions].join(' › ');
}

export interface Offer {
  node: string;
  port: string;
  label: string;
  path: string;
  sample?: Json;
}

/** What the manifests of the steps before a node declare; what they sent is for the server to say. */
export function offers(flow: Flow, catalog: Catalog, passed: readonly string[]): Offer[] {
  return passed.flatMap((node) =>
    outPorts(manifestOf(catalog, nodeOf(flow, node)?.type ?? ''), nodeOf(flow, node)).flatMap((port) =>
      (port.options ?? []).flatMap((option): Offer[] =>
        option.value ? [{ node, port: port.name, label: option.label ?? option.value, path: `$.${node}.${port.name}.${option.value}` }] : [],
      ),
    ),
  );
}
