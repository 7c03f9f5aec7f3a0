/** Where two JSON values differ, by the path to each place. */

export interface Difference {
  path: string;
  before: unknown;
  after: unknown;
}

const MOST = 200;
const NAMES = ['key', 'serviceId', 'id', 'name'];

/** What is on one side alone is undefined on the other; nothing at all is told of something that was made or deleted whole. */
export function differences(before: unknown, after: unknown): Difference[] {
  if (before === null || after === null || before === undefined || after === undefined) return [];
  const found: Difference[] = [];
  walk('', before, after, found);
  return found.slice(0, MOST);
}

function walk(path: string, before: unknown, after: unknown, found: Difference[]): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  const [one, other] = [parts(before), parts(after)];
  if (!one || !other) { found.push({ path: path || 'all', before, after }); return; }
  for (const key of new Set([...one.keys(), ...other.keys()])) walk(path ? `${path}.${key}` : key, one.get(key), other.get(key), found);
}

/** The fields of an object, or the items of a list by what they are called; undefined for what has no parts. */
function parts(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) return new Map(value.map((each, at): [string, unknown] => [nameOf(each) ?? String(at), each]));
  if (value !== null && typeof value === 'object') return new Map(Object.entries(value));
  return undefined;
}

function nameOf(item: unknown): string | undefined {
  if (item === null || typeof item !== 'object') return typeof item === 'string' ? item : undefined;
  const found = NAMES.find((name) => typeof (item as Record<string, unknown>)[name] === 'string');
  return found ? String((item as Record<string, unknown>)[found]) : undefined;
}
