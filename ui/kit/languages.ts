/** The interface's own words in other languages than English. They come when a widget is first shown in one. */
import type { Tree } from './l10n.ts';

/** Of a language: words by widget and key, and words by their English text. */
interface Words {
  ui: Tree;
  texts: Tree;
}

const FILES: Readonly<Record<string, () => Promise<{ default: Words }>>> = { de: () => import('../l10n/de.json') };
const PATIENCE_MS = 5_000;
const loaded = new Map<string, Tree>();

/** The languages that the interface speaks by itself, and how each is called in itself. */
export const LANGUAGES: Readonly<Record<string, string>> = { en: 'English', de: 'Deutsch' };

const primary = (lang: string): string => lang.split('-')[0]!.toLowerCase();

/** What is loaded of a language, such as `de-AT`. */
export const ownWords = (lang: string): Tree | undefined => loaded.get(primary(lang));

/** Nothing where there is nothing to wait for. What does not come leaves the interface in English. */
export function loadWords(lang: string): Promise<void> | undefined {
  const name = primary(lang);
  const load = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
  if (!load || loaded.has(name)) return undefined;
  const coming = load().then(({ default: { ui, texts } }) => void loaded.set(name, { ...texts, ui }), () => undefined);
  return Promise.race([coming, new Promise<void>((resolve) => setTimeout(resolve, PATIENCE_MS))]);
}
