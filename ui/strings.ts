/** Our English texts by widget, as hosts of Appmixer's SDK name them: `ui.<widget>.<key>`. Read from the sources. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOMS: Readonly<Record<string, string>> = { 'kit/ui': 'common', 'kit/chart': 'charts', flow: 'designer' };

export function english(home: string): { ui: Record<string, Record<string, string>> } {
  const ui: Record<string, Record<string, string>> = {};
  const rooms = [...Object.entries(ROOMS), ...readdirSync(join(home, 'sdk'), { withFileTypes: true }).flatMap((each): [string, string][] => (each.isDirectory() && each.name !== 'compat' ? [[`sdk/${each.name}`, camel(each.name)]] : []))];
  for (const [folder, room] of rooms) {
    const texts = new Set(readdirSync(join(home, folder)).filter((name) => /\.(svelte|ts)$/.test(name)).sort().flatMap((name) => said(readFileSync(join(home, folder, name), 'utf8'))));
    for (const text of texts) put((ui[room] ??= {}), text);
  }
  return { ui };
}

/** Texts that a source gives to the translator: every literal of a call of `t`, and of lists of words for it. */
export function said(source: string): string[] {
  const found: string[] = [];
  for (const { index } of source.matchAll(/(?<![\w.$])t\(|words: \[/g)) {
    const call = balanced(source, source.indexOf(source[index] === 't' ? '(' : '[', index));
    for (const [, one, two] of call.matchAll(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/g)) {
      const text = (one ?? two ?? '').replace(/\\(.)/g, '$1');
      if (/^[A-Z{]|\s/.test(text) && /\p{L}{2}/u.test(text)) found.push(text);
    }
  }
  return found;
}

function balanced(source: string, from: number): string {
  let depth = 0;
  for (let at = from; at < source.length; at += 1) {
    if ('(['.includes(source[at]!)) depth += 1;
    else if (')]'.includes(source[at]!) && (depth -= 1) === 0) return source.slice(from, at);
  }
  return '';
}

function put(room: Record<string, string>, text: string): void {
  const name = camel(text.replace(/\{\d\}/g, 'n')) || 'text';
  let key = name;
  for (let number = 2; room[key] !== undefined && room[key] !== text; number += 1) key = `${name}${number}`;
  room[key] = text;
}

function camel(text: string): string {
  const words = text.toLowerCase().replace(/['’]/g, '').split(/[^\p{L}\p{N}]+/u).filter(Boolean).slice(0, 6);
  return words.map((word, at) => (at ? word[0]!.toUpperCase() + word.slice(1) : word)).join('');
}
