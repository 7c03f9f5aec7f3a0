/** Appmixer's nested strings as a function from our English text to theirs, and what they say of components. */
import type { JsonObject, Manifest } from '../../kit/types.ts';
import type { Strings } from '../../kit/l10n.ts';

export type Nested = { [key: string]: unknown };

/** What Appmixer's documentation calls texts that are called otherwise here. */
const ALIASES: Readonly<Record<string, string>> = {
  'flowManager.search': 'Search flows',
  'flowManager.header.search': 'Search flows',
  'flowManager.header.title': 'Flows',
  'flowManager.header.btnCreate': 'New flow',
  'flowManager.header.buttonCreateFlow': 'New flow',
};

/** The text for an English one. `english` is our own file of strings, which has the same places as theirs. */
export function stringsOf(given: Nested | undefined, english: Nested): Strings | undefined {
  if (!given || typeof given !== 'object') return undefined;
  const ui = (given['ui'] ?? given) as Nested;
  const known = new Map(leaves((english['ui'] ?? english) as Nested));
  const found: Record<string, string> = {};
  for (const [path, text] of leaves(ui)) {
    const ours = known.get(path) ?? ALIASES[path];
    if (ours && text !== ours) found[ours] = adapted(ours, text);
  }
  return found;
}

/** `{{name}}` in the order of our `{0}`; of forms for one and for many the one that the English text is. */
export function adapted(english: string, text: string): string {
  const forms = text.split('|');
  const chosen = (/\{0\}/.test(english) ? forms[forms.length - 1]! : forms[0]!).trim();
  let at = 0;
  return chosen.replace(/\{\{\s*\w+\s*\}\}/g, () => `{${at++}}`);
}

function* leaves(tree: Nested, before = ''): Generator<[string, string]> {
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') yield [before + key, value];
    else if (value && typeof value === 'object') yield* leaves(value as Nested, `${before}${key}.`);
  }
}

/** A manifest in a language: its own `localization`, then what the host says of the component. */
export function localized(manifest: Manifest, lang: string | undefined, components: Nested | undefined): Manifest {
  const own = ((manifest as unknown as JsonObject)['localization'] ?? {}) as Record<string, Record<string, string>>;
  const words = { ...((components?.[manifest.name] ?? {}) as Record<string, string>), ...(lang ? own[lang] : {}) };
  if (!Object.keys(words).length) return manifest;
  const copy = structuredClone(manifest);
  for (const [path, text] of Object.entries(words)) if (typeof text === 'string') put(copy, path, text);
  return copy;
}

/** Put a text where a path such as `inPorts[0].inspector.inputs.to.label` leads, if something is there already. */
function put(target: unknown, path: string, text: string): void {
  const parts = path.replace(/\[(\w+)\]/g, '.$1').replace(/^\$?\./, '').split('.');
  const last = parts.pop()!;
  let at = target as Record<string, unknown> | undefined;
  for (const part of parts) {
    if (!at || typeof at !== 'object' || !Object.hasOwn(at, part)) return;
    at = at[part] as Record<string, unknown> | undefined;
  }
  if (at && typeof at === 'object' && last !== '__proto__') at[last] = text;
}
