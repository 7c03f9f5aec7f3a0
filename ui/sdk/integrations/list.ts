/** Which integrations somebody sees: templates that are theirs or offered to them, and what they made of these. */
import type { Catalog } from '../../flow/model.ts';
import type { Api, FlowRecord } from '../../kit/api.ts';

export interface Offer extends FlowRecord {
  /** Whether the person who looks published it. */
  isMine: boolean;
}

export interface Listed {
  templates: Offer[];
  instances: FlowRecord[];
}

const FIELDS = 'flowId,userId,name,description,type,stage,templateId,templateVersion,needsAccounts,version,mtime,wizard,flow,categories,customFields,sharedWith,revision';
/** Whether its newest version waits for its owner to connect an account. */
export const isWaiting = (flow: FlowRecord): boolean => Boolean(flow.needsAccounts?.length);

/** The pictures of its steps, each once. */
export const iconsOf = (flow: Pick<FlowRecord, 'flow'>, catalog: Catalog): string[] =>
  [...new Set(Object.values(flow.flow ?? {}).map((node) => catalog.get(node.type)?.icon).filter((each): each is string => Boolean(each)))];

const TEMPLATE = 'integration-template';
const INSTANCE = 'integration-instance';

/** `filter` is the host's: dotted fields and what they hold, such as `{ 'sharedWith.0.domain': 'acme.com' }`. */
export async function listed(api: Api, filter: Readonly<Record<string, unknown>> = {}, text = ''): Promise<Listed> {
  const { type, ...own } = filter;
  const wants = (kind: string): boolean => type === undefined || [type].flat().includes(kind);
  const ask = (kind: string, more: Record<string, string> = {}): Promise<FlowRecord[]> =>
    wants(kind) ? pages(api, { filter: `type:${kind}`, projection: FIELDS, ...(text ? { pattern: text } : {}), ...more }, own) : Promise.resolve([]);
  const [mine, offered, instances] = await Promise.all([ask(TEMPLATE), ask(TEMPLATE, { sharedWithPermissions: 'read' }), ask(INSTANCE)]);
  const known = new Set(mine.map((each) => each.flowId));
  const templates = [...mine.map((each): Offer => ({ ...each, isMine: true })), ...offered.filter((each) => !known.has(each.flowId)).map((each): Offer => ({ ...each, isMine: false }))];
  return { templates: templates.sort(byName), instances: instances.sort(byName) };
}

const byName = (a: FlowRecord, b: FlowRecord): number => (a.name ?? '').localeCompare(b.name ?? '');

/** All that fit, however many; a thousand is more than anybody offers. */
async function pages(api: Api, query: Record<string, string>, filter: Readonly<Record<string, unknown>>): Promise<FlowRecord[]> {
  const found = await api.getFlows({ ...query, limit: '1000', sort: 'name:1' });
  return found.filter((each) => Object.entries(filter).every(([path, wanted]) => fits(read(each, path), wanted)));
}

/** A filter of Appmixer: `!` is missing or empty, `!x` not x, `>0` more than that, else the same. */
export function fits(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'string') return JSON.stringify(value) === JSON.stringify(wanted);
  if (wanted === '!') return value === undefined || value === null || value === '' || (Array.isArray(value) && !value.length);
  if (wanted.startsWith('!')) return String(value ?? '') !== wanted.slice(1);
  const compared = /^(>=?|<=?)(-?\d+(?:\.\d+)?)$/.exec(wanted);
  if (compared) {
    const [, sign, number] = compared as unknown as [string, string, string];
    const [a, b] = [Number(value), Number(number)];
    return sign === '>' ? a > b : sign === '>=' ? a >= b : sign === '<' ? a < b : a <= b;
  }
  return String(value ?? '') === wanted;
}

export function read(record: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((found, part) => (found !== null && typeof found === 'object' && Object.hasOwn(found, part) ? (found as Record<string, unknown>)[part] : undefined), record);
}
