/** Records in files: JSON and CSV, as they are exported and as people have them. */

export interface Kept {
  key: string;
  value: unknown;
}

/** The records that a text holds: a JSON list of records, a JSON object of keys, or a CSV with `key` and `value`; none where it is neither. */
export function parsed(text: string): Kept[] {
  const json = asJson(text);
  if (Array.isArray(json)) return json.flatMap((each: unknown) => (isRecord(each) && typeof each['key'] === 'string' && each['key'] ? [{ key: each['key'], value: each['value'] ?? null }] : []));
  if (isRecord(json)) return Object.entries(json).map(([key, value]) => ({ key, value }));
  const [head = [], ...rows] = cells(text);
  const [key, value] = [head.indexOf('key'), head.indexOf('value')];
  return key < 0 || value < 0 ? [] : rows.flatMap((row) => (row[key] ? [{ key: row[key], value: valueOf(row[value] ?? '') }] : []));
}

/** What somebody typed: JSON where it is some, else the text itself. */
export function valueOf(text: string): unknown {
  const json = asJson(text);
  return json === undefined ? text : json;
}

/** What a value looks like where it is typed. A text that would read as JSON keeps its quotes. */
export function typed(value: unknown): string {
  return typeof value === 'string' && asJson(value) === undefined ? value : JSON.stringify(value, null, 2);
}

/** The cells of a CSV, where quotes hold what has commas and line breaks. */
export function cells(text: string): string[][] {
  const rows: string[][] = [[]];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    rows.at(-1)?.push(found[1] === undefined ? (found[2] ?? '') : found[1].replaceAll('""', '"'));
    if (!found[3]) break;
    if (found[3] !== ',') rows.push([]);
  }
  return rows.filter((row) => row.some((cell) => cell));
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
