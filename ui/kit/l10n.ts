/** The words of the interface in the host's language. What is not given stays English. */
import { getContext, setContext } from 'svelte';

export interface Tree {
  readonly [key: string]: string | Tree;
}

/**
 * Words of the host: nested by widget (`{ ui: { flowManager: { header: { title } } } }`), by their English text
 * (`{ 'New flow': … }`), or a function of the English text and the key.
 */
export type Strings = Tree | ((text: string, key?: string) => string | undefined);
export type Translate = (text: string, ...values: (string | number)[]) => string;
export type Values = Readonly<Record<string, string | number>>;

/** The keys of a tree of words, such as `header.title`. */
export type Key<T> = { [K in keyof T & string]: T[K] extends string ? K : `${K}.${Key<T[K]>}` }[keyof T & string];
export type Words<T extends Tree> = (key: Key<T>, values?: Values) => string;

const KEY = Symbol('l10n');
const CATEGORIES = ['zero', 'one', 'two', 'few', 'many', 'other'];

/** Words by their English text, where `{0}`, `{1}` stand for what is put in. */
export function translator(strings: Strings | undefined, own?: () => Tree | undefined): Translate {
  return (text, ...values) => (byText(strings, text) ?? byText(own?.(), text) ?? text).replace(/\{(\d+)\}/g, (whole, at: string) => (values[Number(at)] === undefined ? whole : String(values[Number(at)])));
}

/**
 * Words by key, where `{{x}}` stands for what is put in and `one|many` (or `none|one|many`) is chosen by `count`.
 * `strings` and `lang` are asked each time, so that a host may change them; `own` are ours in that language.
 */
export function words<T extends Tree>(widget: string, english: T, strings: () => Strings | undefined, lang: () => string, own: () => Tree | undefined = () => undefined): Words<T> {
  return (key, values = {}) => {
    const text = at(english, key) ?? key;
    const given = strings();
    const path = `ui.${widget}.${key}`;
    const theirs = (typeof given === 'function' ? given(text, path) : (at(given, path) ?? byText(given, text))) ?? at(own(), path);
    return filled(typeof values['count'] === 'number' ? plural(theirs ?? text, values['count'], lang()) : (theirs ?? text), values);
  };
}

export function filled(text: string, values: Values): string {
  return text.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => (values[name] === undefined ? whole : String(values[name])));
}

/** The form of a text for a number. Two forms are one and many; three are none, one and many, but where the language itself has three. */
export function plural(text: string, count: number, lang: string): string {
  const forms = text.split('|').map((each) => each.trim());
  const rules = new Intl.PluralRules(lang);
  const known = CATEGORIES.filter((each) => (rules.resolvedOptions().pluralCategories as string[]).includes(each));
  if (forms.length === 3 && known.length < 3) return (count === 0 ? forms[0] : count === 1 ? forms[1] : forms[2]) as string;
  return forms[Math.min(known.indexOf(rules.select(count)), forms.length - 1)] ?? text;
}

function at(tree: Strings | undefined, path: string): string | undefined {
  let found: unknown = tree;
  for (const part of path.split('.')) found = found !== null && typeof found === 'object' && Object.hasOwn(found, part) ? (found as Tree)[part] : undefined;
  return typeof found === 'string' ? found : undefined;
}

function byText(strings: Strings | undefined, text: string): string | undefined {
  const found = typeof strings === 'function' ? strings(text) : strings && Object.hasOwn(strings, text) ? strings[text] : undefined;
  return typeof found === 'string' ? found : undefined;
}

export function provide(translate: Translate): void {
  setContext(KEY, translate);
}

/** The translator of the widget that this component is in. */
export function useL10n(): Translate {
  return getContext<Translate | undefined>(KEY) ?? translator(undefined);
}
