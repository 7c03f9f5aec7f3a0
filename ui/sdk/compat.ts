/** For pages that were written for Appmixer's SDK: as a module, or as a script that sets `window.Appmixer`. */
import { appmixerOf } from './compat/appmixer.ts';
import type { Load } from './compat/appmixer.ts';
import type { Nested } from './compat/strings.ts';

/** Where this file came from; a script tag knows its own only while it runs. */
const here = (typeof document !== 'undefined' && document.currentScript instanceof HTMLScriptElement && document.currentScript.src) || import.meta.url || location.href;
/** At Appmixer's path it is an alias, and the rest is at ours. */
const beside = (name: string): string => new URL(/\/appmixer\/[^/]*$/.test(new URL(here).pathname) ? `../sdk/${name}` : name, here).href;

const load: Load = async () => ((await import(/* @vite-ignore */ beside('headrace.mjs'))) as { Headrace: Awaited<ReturnType<Load>> }).Headrace;
const english = async (): Promise<Nested> => {
  const answer = await fetch(beside('strings-en.json'), { signal: AbortSignal.timeout(30_000) });
  return answer.ok ? ((await answer.json()) as Nested) : {};
};

export const Appmixer = appmixerOf({ load, english });
(globalThis as { Appmixer?: unknown }).Appmixer = Appmixer;
