/** The wizard of a flow: which of its fields somebody is asked for when they make it their own. Pure. */
import { formOf, groupsOf, holds, isEmpty, ownForm, withDefaults } from './form.ts';
import { inPorts, isObject, linksInto, manifestOf, nodeOf, titleOf } from './model.ts';
import type { Catalog, Flow, FlowNode, Form, Input, Json, JsonObject } from './model.ts';
import { change } from './ops.ts';
import type { Op } from './ops.ts';

/** A field of a step that the wizard asks for: one of its own settings, or of what comes in at a port. */
export interface WizardField {
  componentId: string;
  input: string;
  port?: string;
  label?: string;
  tooltip?: string;
  required?: boolean;
}

export interface Wizard {
  /** What somebody reads before they begin. */
  intro?: string;
  fields: WizardField[];
}

/** A field of the wizard with what the flow's components say of it and what it holds now. */
export interface Asked {
  id: string;
  field: WizardField;
  input: Input;
  form: Form | undefined;
  step: string;
  value: Json | undefined;
  isRequired: boolean;
  /** Whether its conditions hold over what is filled in. */
  isShown: boolean;
}

export function wizardOf(given: unknown): Wizard {
  const { intro, fields } = isObject(given) ? given : {};
  const known = Array.isArray(fields) ? fields.filter(isObject).filter((each) => typeof each['componentId'] === 'string' && typeof each['input'] === 'string') : [];
  return { ...(typeof intro === 'string' ? { intro } : {}), fields: known as unknown as WizardField[] };
}

export const idOf = (field: WizardField): string => `${field.componentId}/${field.port ?? ''}/${field.input}`;

/** Every field of the flow that a wizard can ask for, by step in the order they are reached. */
export function fieldsOf(flow: Flow, catalog: Catalog): Asked[] {
  return order(flow).flatMap((componentId) => {
    const manifest = manifestOf(catalog, flow[componentId]?.type ?? '');
    const own = ownForm(manifest?.properties?.inspector, manifest?.properties?.schema);
    const settings = groupsOf(own.form, own.schema).flatMap((group) => group.fields).map((each): WizardField => ({ componentId, input: each.name }));
    const entering = inPorts(manifest).flatMap((port) => {
      const { form, schema } = formOf(port);
      if (!linksInto(flow, componentId).some((link) => link.inPort === port.name)) return [];
      return groupsOf(form, schema).flatMap((group) => group.fields).map((each): WizardField => ({ componentId, port: port.name, input: each.name }));
    });
    return [...settings, ...entering].flatMap((field) => askedOf(flow, catalog, field) ?? []);
  });
}

/** The fields that a wizard asks for, of a flow as it is now; those that it has no more are left out. */
export function askedBy(wizard: Wizard, flow: Flow, catalog: Catalog): Asked[] {
  return wizard.fields.flatMap((field) => askedOf(flow, catalog, field) ?? []);
}

export function askedOf(flow: Flow, catalog: Catalog, field: WizardField): Asked | undefined {
  const node = nodeOf(flow, field.componentId);
  if (!node) return undefined;
  const manifest = manifestOf(catalog, node.type);
  const port = field.port === undefined ? undefined : inPorts(manifest).find((each) => each.name === field.port);
  const { form, schema } = field.port === undefined ? ownForm(manifest?.properties?.inspector, manifest?.properties?.schema) : port ? formOf(port) : { form: undefined, schema: undefined };
  const found = groupsOf(form, schema).flatMap((group) => group.fields).find((each) => each.name === field.input);
  if (!found) return undefined;
  const values = valuesOf(flow, field);
  const input = { ...found.input, label: field.label || found.input.label || field.input, ...(field.tooltip ? { tooltip: field.tooltip } : {}) };
  return { id: idOf(field), field, input, form, step: titleOf(node, manifest), value: values[field.input], isRequired: field.required ?? found.isRequired, isShown: holds(found.input.when, withDefaults(form, values)) };
}

/** What is filled in where a field stands: of several links the first, since all are set together. */
export function valuesOf(flow: Flow, field: Pick<WizardField, 'componentId' | 'port'>): JsonObject {
  const node = nodeOf(flow, field.componentId);
  if (field.port === undefined) return node?.config?.properties ?? {};
  const link = linksInto(flow, field.componentId).find((each) => each.inPort === field.port);
  return (link && node?.config?.transform?.[link.inPort]?.[link.source]?.[link.outPort]?.lambda) ?? {};
}

/** The edits by which a field gets a value, at every link that leads to its port. */
export function filled(flow: Flow, field: WizardField, value: Json | undefined): Op[] {
  const { componentId, port, input } = field;
  if (port === undefined) return change(flow, componentId, ['config', 'properties', input], value);
  return linksInto(flow, componentId).filter((each) => each.inPort === port).flatMap((link) => {
    const path = ['config', 'transform', link.inPort, link.source, link.outPort];
    const before = (flow[componentId] as FlowNode).config?.transform?.[link.inPort]?.[link.source]?.[link.outPort] ?? {};
    const { [input]: _, ...lambda } = before.lambda ?? {};
    const { [input]: __, ...modifiers } = before.modifiers ?? {};
    return change(flow, componentId, path, { type: 'json2new', ...before, modifiers, lambda: value === undefined ? lambda : { ...lambda, [input]: value } });
  });
}

/** Whether a value of an earlier step stands in it, which nobody should write over. */
export const isTaken = (asked: Asked): boolean => JSON.stringify(asked.value ?? '').includes('{{{');

/** Fields that must be filled in and are not. */
export function missing(asked: readonly Asked[]): Asked[] {
  return asked.filter((each) => each.isShown && each.isRequired && isEmpty(each.value ?? each.input.defaultValue));
}

/** The services whose accounts the steps need, each with its steps. */
export function servicesOf(flow: Flow, catalog: Catalog): { service: string; steps: { id: string; type: string }[] }[] {
  const found = new Map<string, { id: string; type: string }[]>();
  for (const id of order(flow)) {
    const type = flow[id]?.type ?? '';
    const service = manifestOf(catalog, type)?.auth?.service;
    if (service) found.set(service, [...(found.get(service) ?? []), { id, type }]);
  }
  return [...found].map(([service, steps]) => ({ service, steps }));
}

/** Steps from what starts the flow on; what nothing leads to comes where it stands. */
function order(flow: Flow): string[] {
  const seen = new Set<string>();
  const pending = new Set<string>();
  const visit = (id: string): void => {
    if (seen.has(id) || pending.has(id) || !flow[id]) return;
    pending.add(id);
    for (const link of linksInto(flow, id)) visit(link.source);
    seen.add(id);
  };
  for (const id of Object.keys(flow)) visit(id);
  return [...seen];
}
