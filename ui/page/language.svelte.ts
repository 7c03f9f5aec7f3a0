/** The language of the page: what was chosen here, else what the browser asks for, where we speak it. */
import { words } from '../kit/l10n.ts';
import { LANGUAGES, loadWords, ownWords } from '../kit/languages.ts';
import { STRINGS } from './strings.ts';

const KEPT = 'headrace.lang';
let lang = $state('en');

export const t = words('page', STRINGS, () => undefined, () => lang, () => ownWords(lang));

export const language = {
  get now(): string {
    return lang;
  },
  /** Once, before anything is shown. */
  async begin(): Promise<void> {
    const asked = [localStorage.getItem(KEPT) ?? '', ...navigator.languages].map((each) => each.split('-')[0]!.toLowerCase());
    await turned(asked.find((each) => Object.hasOwn(LANGUAGES, each)) ?? 'en');
  },
  async speak(to: string): Promise<void> {
    await turned(to);
    localStorage.setItem(KEPT, to);
  },
};

async function turned(to: string): Promise<void> {
  await loadWords(to);
  document.documentElement.lang = to;
  lang = to;
}
