/** Forms of manifests: which fields there are, in which order, and which of them show now. */
import { equal, isObject } from './model.ts';
import type { Form, Input, Json, JsonObject, Port } from './model.ts';

export interface Field {
  name: string;
  input: Input;
  isRequired: boolean;
}

export interface Group {
  id: string;
  label: string;
  isClosed: boolean;
  fields: Field[];
}

/** The fields of a form by group; those that only the schema knows come as plain ones. */
export function groupsOf(form: Form | undefined, schema: JsonObject | undefined): Group[] {
  const inputs = { ...fromSchema(schema), ...form?.inputs };
  const required = new Set(Array.isArray(schema?.['required']) ? schema['required'] : []);
  const groups = new Map<string, Group>();
  const fields = Object.entries(inputs).sort(([, a], [, b]) => (a.index ?? 999) - (b.index ?? 999));
  for (const [name, input] of fields) {
    const id = input.group ?? '';
    const described = form?.groups?.[id];
    const group = groups.get(id) ?? { id, label: described?.label ?? '', isClosed: described?.closed === true, fields: [] };
    group.fields.push({ name, input, isRequired: required.has(name) || input.required === true });
    groups.set(id, group);
  }
  const index = (group: Group): number => (group.id ? (form?.groups?.[group.id]?.index ?? 500) : 0);
  return [...groups.values()].sort((a, b) => index(a) - index(b));
}

/** Fields for a schema without a form; none where there is a form, which says all that is to be seen. */
function fromSchema(schema: JsonObject | undefined): Record<string, Input> {
  const properties = schema?.['properties'];
  if (!isObject(properties)) return {};
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, given]): [string, Input][] => {
      if (!isObject(given) || Object.keys(given).length === 0 || FLAGS.has(name)) return [];
      const type = given['type'];
      const options = Array.isArray(given['enum']) ? (given['enum'] as Json[]).map((value) => ({ value, content: String(value) })) : undefined;
      const kind = options ? 'select' : type === 'boolean' ? 'toggle' : type === 'number' || type === 'integer' ? 'number' : 'text';
      const label = typeof given['title'] === 'string' ? given['title'] : spoken(name);
      const preset = given['default'] === undefined ? {} : { defaultValue: given['default'] as Json };
      return [[name, { type: kind, label, ...preset, ...(options ? { options } : {}) }]];
    }),
  );
}

/** Switches that tell a component what it is asked for, and that no person sets. */
const FLAGS = new Set(['generateInspector', 'generateOutputPortOptions', 'sendWholeArray', 'variableFetch', 'isSource']);

/** `immediateResponse` as a person says it. */
function spoken(name: string): string {
  const words = name.replace(/([a-z\d])([A-Z])/g, '$1 $2').replaceAll('_', ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A component's own settings: its form, or its schema where the form shows nothing that can be set. */
export function ownForm(form: Form | undefined, schema: JsonObject | undefined): { form: Form | undefined; schema: JsonObject | undefined } {
  const settable = Object.entries(form?.inputs ?? {}).filter(([, input]) => input.type || !input.source);
  if (!settable.length) return { form: undefined, schema };
  return { form: { ...form, inputs: Object.fromEntries(settable) }, schema: onlyRequired(schema) };
}

export function formOf(port: Port): { form: Form | undefined; schema: JsonObject | undefined } {
  return { form: port.inspector, schema: port.inspector?.inputs ? onlyRequired(port.schema) : port.schema };
}

/** A schema that names what must be there and adds no fields. */
export function onlyRequired(schema: JsonObject | undefined): JsonObject | undefined {
  return schema && Array.isArray(schema['required']) ? { required: schema['required'] } : undefined;
}

/** Whether a `when` holds over the values of its form. What we do not know holds: a field too many beats one too few. */
export function holds(when: JsonObject | undefined, values: Record<string, unknown>): boolean {
  if (!when) return true;
  return Object.entries(when).every(([operator, given]) => {
    if (operator === 'and') return list(given).every((each) => holds(each, values));
    if (operator === 'or') return list(given).some((each) => holds(each, values));
    if (operator === 'not') return !list(given).some((each) => holds(each, values));
    if (!isObject(given)) return true;
    return Object.entries(given).every(([place, wanted]) => compared(operator, values[place.replace(/^.*\//, '')], wanted));
  });
}

function compared(operator: string, value: unknown, wanted: unknown): boolean {
  switch (operator) {
    case 'eq':
      return equal(value ?? null, wanted ?? null);
    case 'ne':
      return !equal(value ?? null, wanted ?? null);
    case 'in':
      return Array.isArray(wanted) && wanted.some((each) => equal(each, value ?? null));
    case 'nin':
      return Array.isArray(wanted) && !wanted.some((each) => equal(each, value ?? null));
    case 'gt':
      return Number(value) > Number(wanted);
    case 'gte':
      return Number(value) >= Number(wanted);
    case 'lt':
      return Number(value) < Number(wanted);
    case 'lte':
      return Number(value) <= Number(wanted);
    default:
      return true;
  }
}

function list(given: unknown): JsonObject[] {
  return (Array.isArray(given) ? given : [given]).filter(isObject) as JsonObject[];
}

/** A form's values with the defaults of its fields where nothing is set. */
export function withDefaults(form: Form | undefined, values: JsonObject): JsonObject {
  const made: JsonObject = { ...values };
  for (const [name, input] of Object.entries(form?.inputs ?? {})) {
    if (made[name] === undefined && input.defaultValue !== undefined) made[name] = input.defaultValue;
  }
  return made;
}

/** Nothing that a component could work with: no text, no entries, no conditions. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === 'string') return value.trim() === '';
  if (Array.isArray(value)) return value.length === 0;
  const levels = isObject(value) ? Object.keys(value) : [];
  return levels.length === 1 && LEVELS.has(levels[0] as string) && isEmpty((value as JsonObject)[levels[0] as string]);
}

const LEVELS = new Set(['ADD', 'AND', 'OR']);

const KINDS = new Set(['text', 'textarea', 'number', 'select', 'multiselect', 'toggle', 'expression', 'date-time', 'color-palette', 'filepicker', 'key-value', 'code']);
/** Types that are shown as others: the pickers of other companies' files take what they store as JSON. */
const SHOWN_AS: ReadonlyMap<string, string> = new Map([
  ['select-box', 'select'],
  ['select-button-group', 'select'],
  ['textare', 'textarea'],
  ['list', 'textarea'],
  ['googlepicker', 'textarea'],
  ['onedrivepicker', 'textarea'],
]);

/** How an input of this type is shown; as a text where the type is not known. */
export function kindOf(type = 'text'): string {
  return SHOWN_AS.get(type) ?? (KINDS.has(type) ? type : 'text');
}

export function isKnown(type = 'text'): boolean {
  return KINDS.has(type) || SHOWN_AS.has(type);
}
