/** What Appmixer's strings say that ours have no place for: of components, and of the designer, whose words go by their English. */
import type { Strings, Tree } from '../../kit/l10n.ts';
import type { JsonObject, Manifest } from '../../kit/types.ts';

export type Nested = { [key: string]: unknown };

/** Documented keys of Appmixer that are called otherwise here. */
const ALIASES: Readonly<Record<string, string>> = { 'ui.flowManager.header.buttonCreateFlow': 'ui.flowManager.create', 'ui.flowManager.header.btnCreate': 'ui.flowManager.create', 'ui.flowManager.header.title': 'ui.flowManager.title', 'ui.flowManager.header.search': 'ui.flowManager.search' };

/** The strings as widgets take them. `english` has our texts at the same places, those of the designer among them. */
export function stringsOf(given: Nested, english: Nested): Strings {
  const tree: Nested = 'ui' in given || 'components' in given ? given : { ui: given }; // older releases have no `ui`
  const found: Record<string, unknown> = { ...tree };
  const designer = new Map(leaves(((english['ui'] as Nested | undefined)?.['designer'] ?? {}) as Nested));
  for (const [path, text] of leaves(((tree['ui'] as Nested | undefined)?.['designer'] ?? {}) as Nested)) {
    const ours = designer.get(path);
    if (ours && ours !== text) found[ours] = adapted(ours, text);
  }
  for (const [path, ours] of Object.entries(ALIASES)) {
    const text = at(tree, path);
    if (typeof text === 'string' && at(found, ours) === undefined) put(found, ours, text);
  }
  return found as unknown as Tree;
}

/** `{{name}}` in the order of our `{0}`; of forms for one and for many the one that the English text is. */
export function adapted(english: string, text: string): string {
  const forms = text.split('|');
  const chosen = (/\{0\}/.test(english) ? forms[forms.length - 1]! : forms[0]!).trim();
  let number = 0;
  return chosen.replace(/\{\{\s*\w+\s*\}\}/g, () => `{${number++}}`);
}

function* leaves(tree: Nested, before = ''): Generator<[string, string]> {
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') yield [before + key, value];
    else if (value && typeof value === 'object') yield* leaves(value as Nested, `${before}${key}.`);
  }
}

const at = (tree: unknown, path: string): unknown => path.split('.').reduce<unknown>((found, part) => (found && typeof found === 'object' && Object.hasOwn(found, part) ? (found as Nested)[part] : undefined), tree);

function put(tree: Nested, path: string, text: string): void {
  const parts = path.split('.');
  const last = parts.pop()!;
  let here = tree;
  for (const part of parts) here = here[part] = { ...(here[part] as Nested | undefined) };
  here[last] = text;
}

/** A manifest in a language: its own `localization`, then what the host says of the component. */
export function localized(manifest: Manifest, lang: string | undefined, components: Nested | undefined): Manifest {
  const own = ((manifest as unknown as JsonObject)['localization'] ?? {}) as Record<string, Record<string, string>>;
  const words = { ...((components?.[manifest.name] ?? {}) as Record<string, string>), ...(lang ? own[lang] : {}) };
  if (!Object.keys(words).length) return manifest;
  const copy = structuredClone(manifest);
  for (const [path, text] of Object.entries(words)) if (typeof text === 'string') replace(copy, path, text);
  return copy;
}

/** Put a text where a path such as `inPorts[0].inspector.inputs.to.label` leads, if its parent is there. */
function replace(target: unknown, path: string, text: string): void {
  const parts = path.replace(/\[(\w+)\]/g, '.$1').replace(/^\$?\./, '').split('.');
  const last = parts.pop()!;
  const parent = at(target, parts.join('.'));
  if (last !== '__proto__' && (parts.length ? parent && typeof parent === 'object' : true)) (parts.length ? (parent as Nested) : (target as Nested))[last] = text;
}
