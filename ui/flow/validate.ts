/** What is wrong with a flow, said as soon as it is drawn: which node, which field, what to do. */
import { formOf, groupsOf, holds, isEmpty, ownForm, withDefaults } from './form.ts';
import { ancestors, inPorts, isObject, linksInto, manifestOf, nodeOf, outPorts, titleOf } from './model.ts';
import type { Catalog, Flow, JsonObject, Manifest } from './model.ts';

/** The name under which a problem of a step's account stands, beside those of its fields. */
export const ACCOUNT = '@account';

export interface Problem {
  node: string;
  /** What is wrong and what to do, in English. */
  text: string;
  /** The same as a sentence with places and what stands in them, for other languages. */
  words: Words;
  field?: string;
  port?: string;
  severity: 'error' | 'warning';
}

/** The account of a step: whether its service accepts it, and if not, why. */
export interface Bound {
  isValid: boolean;
  reason: string;
}

export type Words = readonly [sentence: string, ...values: string[]];

/** A sentence with its places filled. */
function filled([sentence, ...values]: Words): string {
  return sentence.replace(/\{(\d+)\}/g, (_, at: string) => values[Number(at)] ?? '');
}

function problem(severity: Problem['severity'], node: string, words: Words, place: { field?: string; port?: string | undefined } = {}): Problem {
  const { field, port } = place;
  return { node, text: filled(words), words, severity, ...(field === undefined ? {} : { field }), ...(port === undefined ? {} : { port }) };
}

/** `accounts` by step; without them nothing is said of accounts, because they are not known yet. */
export function problemsOf(flow: Flow, catalog: Catalog, accounts?: ReadonlyMap<string, Bound>): Problem[] {
  const found = Object.keys(flow).flatMap((id) => [...(accounts ? accountProblems(flow, catalog, id, accounts.get(id)) : []), ...problemsOfNode(flow, catalog, id)]);
  const starts = Object.values(flow).some((node) => isTrigger(manifestOf(catalog, node.type)));
  const first = Object.keys(flow)[0];
  if (first && !starts && Object.values(flow).every((node) => manifestOf(catalog, node.type))) {
    found.push(problem('warning', first, ['Nothing starts this flow. Add a trigger, such as a webhook or a timer.']));
  }
  return found;
}

/** Whether runs may begin here. */
export function isTrigger(manifest: Manifest | undefined): boolean {
  return manifest !== undefined && (manifest.trigger === true || inPorts(manifest).length === 0);
}

function problemsOfNode(flow: Flow, catalog: Catalog, id: string): Problem[] {
  const node = nodeOf(flow, id);
  if (!node) return [];
  const manifest = manifestOf(catalog, node.type);
  if (!manifest) return [problem('error', id, ["There is no component '{0}' here. Publish it, or replace this step.", node.type])];
  const found: Problem[] = [...linkProblems(flow, catalog, id, manifest)];
  const links = linksInto(flow, id).filter((link) => nodeOf(flow, link.source));
  if (!isTrigger(manifest) && !links.length) {
    found.push(problem('warning', id, ['Nothing leads here. Connect an output of another step to it.']));
  }
  for (const port of inPorts(manifest)) {
    for (const link of links.filter((each) => each.inPort === port.name)) {
      const transform = node.config?.transform?.[port.name]?.[link.source]?.[link.outPort];
      const { form, schema } = formOf(port);
      found.push(...missing(id, port.name, groupsOf(form, schema), withDefaults(form, transform?.lambda ?? {})));
      for (const words of unreachable(flow, catalog, id, transform?.modifiers)) found.push(problem('error', id, words, { port: port.name }));
    }
  }
  const own = ownForm(manifest.properties?.inspector, manifest.properties?.schema);
  found.push(...missing(id, undefined, groupsOf(own.form, own.schema), withDefaults(own.form, node.config?.properties ?? {})));
  return unique(found);
}

function accountProblems(flow: Flow, catalog: Catalog, id: string, bound: Bound | undefined): Problem[] {
  const service = manifestOf(catalog, nodeOf(flow, id)?.type ?? '')?.auth?.service;
  if (!service || bound?.isValid) return [];
  if (!bound) return [problem('error', id, ['The account is missing. Choose or connect one.'], { field: ACCOUNT })];
  const words: Words = bound.reason ? ['The account does not work: {0}. Connect it again.', bound.reason.replace(/\.$/, '')] : ['The account does not work. Connect it again.'];
  return [problem('error', id, words, { field: ACCOUNT })];
}

function* linkProblems(flow: Flow, catalog: Catalog, id: string, manifest: Manifest): Generator<Problem> {
  const ports = new Set(inPorts(manifest).map((port) => port.name));
  for (const link of linksInto(flow, id)) {
    const source = nodeOf(flow, link.source);
    if (!source) yield problem('error', id, ["A link comes from '{0}', which is not in this flow. Remove the link.", link.source]);
    else if (!ports.has(link.inPort)) yield problem('error', id, ["There is no input '{0}' here. Connect it to another one.", link.inPort]);
    else {
      const known = manifestOf(catalog, source.type);
      if (known && !outPorts(known, source).some((port) => port.name === link.outPort)) {
        yield problem('error', id, ["'{0}' has no output '{1}'. Connect another one.", titleOf(source, known), link.outPort]);
      }
    }
  }
}

function missing(node: string, port: string | undefined, groups: ReturnType<typeof groupsOf>, values: JsonObject): Problem[] {
  return groups.flatMap((group) =>
    group.fields
      .filter((field) => field.isRequired && isEmpty(values[field.name]) && holds(field.input.when, values))
      .map((field) => problem('error', node, ['{0} is missing. Fill it in.', field.input.label ?? field.name], { port, field: field.name })),
  );
}

function unreachable(flow: Flow, catalog: Catalog, id: string, modifiers: unknown): Words[] {
  if (!isObject(modifiers) || !Object.keys(modifiers).length) return [];
  const passed = new Set(ancestors(flow, id));
  const found: Words[] = [];
  for (const variables of Object.values(modifiers)) {
    for (const each of Object.values(isObject(variables) ? variables : {})) {
      const path = isObject(each) && typeof each['variable'] === 'string' ? each['variable'] : '';
      const [root, source] = path.split('.');
      if (root !== '$' || source === undefined || passed.has(source)) continue;
      const other = nodeOf(flow, source);
      found.push(other ? ["A value comes from '{0}', which does not lead here. Choose another value.", titleOf(other, manifestOf(catalog, other.type))] : ['A value comes from a step that is gone. Choose another value.']);
    }
  }
  return found;
}

function unique(found: Problem[]): Problem[] {
  const seen = new Set<string>();
  return found.filter((each) => {
    const key = `${each.text}\n${each.field ?? ''}`;
    return !seen.has(key) && Boolean(seen.add(key));
  });
}
