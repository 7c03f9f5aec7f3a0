/** The words of the interface in the host's language, by the English ones. What is not given stays English. */
import { getContext, setContext } from 'svelte';

/** English text → theirs, where `{0}`, `{1}` stand for what is put in; or a function that does it. */
export type Strings = Readonly<Record<string, string>> | ((text: string) => string | undefined);
export type Translate = (text: string, ...values: (string | number)[]) => string;

const KEY = Symbol('l10n');

export function translator(strings: Strings | undefined): Translate {
  const find = typeof strings === 'function' ? strings : (text: string): string | undefined => (strings && Object.hasOwn(strings, text) ? strings[text] : undefined);
  return (text, ...values) => {
    const found = find(text);
    return (typeof found === 'string' ? found : text).replace(/\{(\d+)\}/g, (whole, at: string) => (values[Number(at)] === undefined ? whole : String(values[Number(at)])));
  };
}

export function provide(translate: Translate): void {
  setContext(KEY, translate);
}

/** The translator of the widget that this component is in. */
export function useL10n(): Translate {
  return getContext<Translate | undefined>(KEY) ?? translator(undefined);
}
