/** What is wrong with a flow, said as soon as it is drawn: which node, which field, what to do. */
import { formOf, groupsOf, holds, isEmpty, ownForm, withDefaults } from './form.ts';
import { ancestors, inPorts, isObject, linksInto, manifestOf, nodeOf, outPorts, titleOf } from './model.ts';
import type { Catalog, Flow, JsonObject, Manifest } from './model.ts';

/** The name under which a problem of a step's account stands, beside those of its fields. */
export const ACCOUNT = '@account';

export interface Problem {
  node: string;
  text: string;
  field?: string;
  port?: string;
  severity: 'error' | 'warning';
}

/** The account of a step: whether its service accepts it, and if not, why. */
export interface Bound {
  isValid: boolean;
  reason: string;
}

/** `accounts` by step; without them nothing is said of accounts, because they are not known yet. */
export function problemsOf(flow: Flow, catalog: Catalog, accounts?: ReadonlyMap<string, Bound>): Problem[] {
  const found = Object.keys(flow).flatMap((id) => [...(accounts ? accountProblems(flow, catalog, id, accounts.get(id)) : []), ...problemsOfNode(flow, catalog, id)]);
  const starts = Object.values(flow).some((node) => isTrigger(manifestOf(catalog, node.type)));
  const first = Object.keys(flow)[0];
  if (first && !starts && Object.values(flow).every((node) => manifestOf(catalog, node.type))) {
    found.push({ node: first, text: 'Nothing starts this flow. Add a trigger, such as a webhook or a timer.', severity: 'warning' });
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
  if (!manifest) return [{ node: id, text: `There is no component '${node.type}' here. Publish it, or replace this step.`, severity: 'error' }];
  const found: Problem[] = [...linkProblems(flow, catalog, id, manifest)];
  const links = linksInto(flow, id).filter((link) => nodeOf(flow, link.source));
  if (!isTrigger(manifest) && !links.length) {
    found.push({ node: id, text: 'Nothing leads here. Connect an output of another step to it.', severity: 'warning' });
  }
  for (const port of inPorts(manifest)) {
    for (const link of links.filter((each) => each.inPort === port.name)) {
      const transform = node.config?.transform?.[port.name]?.[link.source]?.[link.outPort];
      const { form, schema } = formOf(port);
      found.push(...missing(id, port.name, groupsOf(form, schema), withDefaults(form, transform?.lambda ?? {})));
      for (const text of unreachable(flow, catalog, id, transform?.modifiers)) found.push({ node: id, port: port.name, text, severity: 'error' });
    }
  }
  const own = ownForm(manifest.properties?.inspector, manifest.properties?.schema);
  found.push(...missing(id, undefined, groupsOf(own.form, own.schema), withDefaults(own.form, node.config?.properties ?? {})));
  return unique(found);
}

function accountProblems(flow: Flow, catalog: Catalog, id: string, bound: Bound | undefined): Problem[] {
  const service = manifestOf(catalog, nodeOf(flow, id)?.type ?? '')?.auth?.service;
  if (!service || bound?.isValid) return [];
  const text = bound ? `The account does not work${bound.reason ? `: ${bound.reason.replace(/\.$/, '')}` : ''}. Connect it again.` : 'The account is missing. Choose or connect one.';
  return [{ node: id, field: ACCOUNT, text, severity: 'error' }];
}

function* linkProblems(flow: Flow, catalog: Catalog, id: string, manifest: Manifest): Generator<Problem> {
  const ports = new Set(inPorts(manifest).map((port) => port.name));
  for (const link of linksInto(flow, id)) {
    const source = nodeOf(flow, link.source);
    if (!source) yield { node: id, text: `A link comes from '${link.source}', which is not in this flow. Remove the link.`, severity: 'error' };
    else if (!ports.has(link.inPort)) yield { node: id, text: `There is no input '${link.inPort}' here. Connect it to another one.`, severity: 'error' };
    else {
      const known = manifestOf(catalog, source.type);
      if (known && !outPorts(known, source).some((port) => port.name === link.outPort)) {
        yield { node: id, text: `'${titleOf(source, known)}' has no output '${link.outPort}'. Connect another one.`, severity: 'error' };
      }
    }
  }
}

function missing(node: string, port: string | undefined, groups: ReturnType<typeof groupsOf>, values: JsonObject): Problem[] {
  return groups.flatMap((group) =>
    group.fields
      .filter((field) => field.isRequired && isEmpty(values[field.name]) && holds(field.input.when, values))
      .map((field): Problem => ({
        node,
        ...(port === undefined ? {} : { port }),
        field: field.name,
        text: `${field.input.label ?? field.name} is missing. Fill it in.`,
        severity: 'error',
      })),
  );
}

function unreachable(flow: Flow, catalog: Catalog, id: string, modifiers: unknown): string[] {
  if (!isObject(modifiers) || !Object.keys(modifiers).length) return [];
  const passed = new Set(ancestors(flow, id));
  const found: string[] = [];
  for (const variables of Object.values(modifiers)) {
    for (const each of Object.values(isObject(variables) ? variables : {})) {
      const path = isObject(each) && typeof each['variable'] === 'string' ? each['variable'] : '';
      const [root, source] = path.split('.');
      if (root !== '$' || source === undefined || passed.has(source)) continue;
      const other = nodeOf(flow, source);
      const name = other ? `'${titleOf(other, manifestOf(catalog, other.type))}', which does not lead here` : 'a step that is gone';
      found.push(`A value comes from ${name}. Choose another value.`);
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
