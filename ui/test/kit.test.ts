/** What widgets share, without a page: words, events, records in files, addresses. */
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { Events } from '../kit/events.ts';
import type { WidgetEvent } from '../kit/events.ts';
import { formats } from '../kit/formats.ts';
import { plural, words } from '../kit/l10n.ts';
import type { Strings } from '../kit/l10n.ts';
import de from '../l10n/de.json' with { type: 'json' };
import { STRINGS as page } from '../page/strings.ts';
import { english } from '../strings.ts';
import { PLACES, read, write } from '../page/places.ts';
import { cells, parsed, typed, valueOf } from '../sdk/storage/records.ts';

const ENGLISH = { title: 'Flows', count: '{{count}} flow|{{count}} flows', menu: { open: 'Open {{name}}' } } as const;
const speaking = (strings?: Strings, lang = 'en') => words('flowManager', ENGLISH, () => strings, () => lang);

it('words are found by their place, by the English ones, or by a function, and stay English otherwise', () => {
  expect(speaking()('menu.open', { name: 'A' })).toBe('Open A');
  expect(speaking({ ui: { flowManager: { menu: { open: '{{name}} öffnen' } } } })('menu.open', { name: 'A' })).toBe('A öffnen');
  expect(speaking({ Flows: 'Abläufe' })('title')).toBe('Abläufe');
  expect(speaking((text, key) => `${key}: ${text}`)('title')).toBe('ui.flowManager.title: Flows');
  expect(speaking({ ui: { flowManager: { menu: 'no tree' } }, constructor: 'x' } as unknown as Strings)('menu.open')).toBe('Open {{name}}');
});

it('a count chooses the form that a language has for it', () => {
  expect([0, 1, 2].map((count) => speaking()('count', { count }))).toEqual(['0 flows', '1 flow', '2 flows']);
  expect([0, 1, 7].map((count) => plural('none|one|many', count, 'en'))).toEqual(['none', 'one', 'many']);
  expect([1, 2, 5].map((count) => plural('plik|pliki|plików|pliku', count, 'pl'))).toEqual(['plik', 'pliki', 'plików']);
});

it('an event is done at once where nobody listens, once by whoever calls next, and tells when it was done', async () => {
  const element = new EventTarget() as HTMLElement;
  const events = new Events(() => element);
  const act = vi.fn(async () => ({ cloneId: 'c' }));
  const after = vi.fn();
  events.on('clone-after', (event) => after(event.data));
  await events.intercept('clone', { flowId: 'f' }, act);
  expect(after).toHaveBeenLastCalledWith({ flowId: 'f', cloneId: 'c' });

  let taken: WidgetEvent | undefined;
  events.on('clone', (event) => (taken = event));
  await events.intercept('clone', { flowId: 'f' }, act);
  expect(act).toHaveBeenCalledTimes(1);
  await Promise.all([taken?.next(), taken?.next()]);
  expect(act).toHaveBeenCalledTimes(2);
  expect(String(taken)).toBe('f');

  events.off('clone');
  element.addEventListener('clone', (event) => event.preventDefault());
  await events.intercept('clone', { flowId: 'f' }, act);
  expect(act).toHaveBeenCalledTimes(2);

  const off = vi.fn();
  events.on('remove-after', off);
  await events.intercept('remove', {}, async () => false);
  expect(off).not.toHaveBeenCalled();
  await expect(events.intercept('remove', {}, async () => { throw new Error('no'); })).rejects.toThrow('no');
});

it('what is typed of a value is the value again', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    expect(valueOf(typed(value))).toEqual(JSON.parse(JSON.stringify(value)));
  }));
});

it('a CSV gives back the cells that were put in', () => {
  const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
  fc.assert(fc.property(fc.array(fc.array(fc.string({ minLength: 1, unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', ' ', 'ü') }), { minLength: 2, maxLength: 2 }), { minLength: 1 }), (rows) => {
    expect(cells(rows.map((row) => row.map(quoted).join(',')).join('\r\n'))).toEqual(rows);
  }));
});

it('records are read from a list, an object and a CSV, and from nothing else', () => {
  expect(parsed('[{"key": "a", "value": 1}, {"value": 2}, 3]')).toEqual([{ key: 'a', value: 1 }]);
  expect(parsed('{"a": {"b": 1}}')).toEqual([{ key: 'a', value: { b: 1 } }]);
  expect(parsed('value,key\n"{""b"":1}",a\n')).toEqual([{ key: 'a', value: { b: 1 } }]);
  expect([parsed(''), parsed('hello'), parsed('a,b\n1,2'), parsed('42')]).toEqual([[], [], [], []]);
});

it('moments and sizes are said as a language says them, and what is none is nothing', () => {
  const now = Date.parse('2026-03-04T12:00:00Z');
  const { ago, size, span, moment } = formats('en');
  expect([ago('2026-03-04T11:58:00Z', now), ago('2026-03-05T13:00:00Z', now), ago('2026-01-01T12:00:00Z', now), ago('', now), moment('never')]).toEqual(['2 min. ago', 'tomorrow', 'Jan 1, 2026', '', '']);
  expect([size(0), size(999), size(12_345), size(2_500_000)]).toEqual(['0 bytes', '999 bytes', '12.3 kB', '2.5 MB']);
  expect([span(3), span(1500), span(90_000)]).toEqual(['3 ms', '1.5 sec', '1.5 min']);
});

it('every place is written as an address that reads as the place', () => {
  fc.assert(fc.property(fc.constantFrom(...PLACES), fc.string({ maxLength: 20 }), (place, part) => {
    const url = new URL(write(place.path, part), 'https://flows.example.com');
    fc.pre(!['.', '..'].includes(part));
    expect(read(url)).toMatchObject({ place: place.path, part });
  }));
  expect(read(new URL('https://flows.example.com/flows/%zz'))).toMatchObject({ place: 'flows', part: '%zz' });
});

it('German has every word, with the same places to fill in and as many forms', () => {
  const leaves = (tree: object, before = ''): [string, string][] => Object.entries(tree).flatMap(([key, value]): [string, string][] => (typeof value === 'string' ? [[before + key, value]] : leaves(value as object, `${before}${key}.`)));
  const { designer, ...ui } = english('.').ui as Record<string, Record<string, string>>;
  const asked = new Map([...leaves(ui), ...Object.values(designer!).map((text): [string, string] => [text, text])]);
  const given = new Map([...leaves(de.ui), ...Object.entries(de.texts)]);
  expect([...asked.keys()].filter((key) => !given.has(key)), 'not translated: write them into l10n/de.json').toEqual([]);
  expect([...given.keys()].filter((key) => !asked.has(key)), 'nobody says these any more').toEqual([]);
  const form = (text: string): string => [...(text.match(/\{\{\s*\w+\s*\}\}|\{\d\}/g) ?? [])].sort().join(' ') + text.split('|').length;
  const forms = (text: string): string => (text.includes('|') ? String(text.split('|').length) : form(text));
  expect([...asked].filter(([key, text]) => forms(text) !== forms(given.get(key)!))).toEqual([]);
  expect(page.signIn.title).not.toBe(de.ui.page.signIn.title);
});
