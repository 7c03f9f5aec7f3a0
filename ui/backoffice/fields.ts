/** The fields of a connector's settings: what its `configuration` schema names, what is there, and what its app needs. */
import type { JsonObject } from '../kit/types.ts';

export interface OfficeField {
  name: string;
  label: string;
  help: string;
  type: string;
  isSecret: boolean;
  isRequired: boolean;
  /** Added by hand: no schema names it. */
  isOwn: boolean;
  choices: string[];
}

const SECRET = /pass(word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential/i;
const OF_APPS = ['clientId', 'clientSecret'];

export function fieldsOf(schema: JsonObject | undefined, there: JsonObject, needsAccount: boolean): OfficeField[] {
  const properties = (schema?.['properties'] ?? {}) as Record<string, JsonObject>;
  const required = (Array.isArray(schema?.['required']) ? schema['required'] : []) as string[];
  const named = Object.entries(properties).map(([name, about]): OfficeField => ({
    name,
    label: String(about['title'] ?? about['label'] ?? name),
    help: String(about['description'] ?? about['tooltip'] ?? ''),
    type: String(about['type'] ?? 'string'),
    isSecret: SECRET.test(name) || about['format'] === 'password' || about['writeOnly'] === true,
    isRequired: required.includes(name),
    isOwn: false,
    choices: Array.isArray(about['enum']) ? about['enum'].map(String) : [],
  }));
  const others = [...(needsAccount && !named.length ? OF_APPS : []), ...Object.keys(there).filter((name) => name !== 'serviceId')];
  const known = new Set(named.map((each) => each.name));
  return [...named, ...[...new Set(others)].filter((name) => !known.has(name)).map((name): OfficeField => ({ name, label: name, help: '', type: 'string', isSecret: SECRET.test(name), isRequired: false, isOwn: true, choices: [] }))];
}
