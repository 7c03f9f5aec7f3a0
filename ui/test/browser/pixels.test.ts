/**
 * Every widget as it was looked at: light, dark, and from the right to the left. What differs from the picture kept in
 * `pixels/` fails; `HEADRACE_PIXELS=write` keeps what is there now, to be looked at before it is committed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import pixelmatch from 'pixelmatch';
import type { Browser, Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TEMPLATES } from '../../page/templates.ts';
import { WIDGETS } from '../../sdk/widgets.ts';
import { launch, visit } from './page.ts';
import type { Visit } from './page.ts';

const KEPT = `${import.meta.dirname}/pixels`;
const SHOTS = process.env['HEADRACE_SHOTS'] ?? '';
const IS_WRITING = process.env['HEADRACE_PIXELS'] === 'write';
const [WIDTH, HEIGHT] = [960, 600];
/** A thousandth of a picture: how letters are smoothed differs a little between machines. */
const MOST_DIFFERENT = (WIDTH * HEIGHT) / 1000;
const MOST_BYTES = 60 * 1024;
const FONTS = [400, 600].map((weight) => ({ weight, data: readFileSync(createRequire(import.meta.url).resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff2`)).toString('base64') }));

let browser: Browser;
let at: Visit;
let flowId: string;

beforeAll(async () => {
  browser = await launch();
  at = await visit(browser);
  const { flow } = TEMPLATES.find((each) => each.id === 'greeting')!;
  ({ flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Greeting', flow }));
  await at.api('POST', '/flows', { name: 'Invoices to the ledger', flow, description: 'Every invoice that comes by mail' });
  await at.api('POST', '/stores', { name: 'Orders' });
  await at.page.context().close();
});
afterAll(async () => browser.close());

const MODES = [
  { mode: 'light', dir: 'ltr' },
  { mode: 'dark', dir: 'ltr' },
  { mode: 'light', dir: 'rtl' },
] as const;

/** What each shows. Of connectors those of the tests' own vendor, since every other one that is added would be another picture. */
const LOOKS: Readonly<Record<string, object>> = { Connectors: { state: { query: { pattern: 'vault' } } } };

describe.each(MODES)('$mode, $dir', ({ mode, dir }) => {
  let seen: Visit;
  beforeAll(async () => {
    seen = await visit(browser, '/', { dark: mode === 'dark' });
    await seen.page.setViewportSize({ width: WIDTH, height: HEIGHT });
    await seen.page.evaluate(begun(mode, dir, seen.token));
  });
  afterAll(async () => seen.page.context().close());

  it.each(Object.keys(WIDGETS))('%s', async (name) => {
    const { page } = seen;
    await page.mouse.move(0, 0);
    await page.evaluate(opening(name));
    onTestFinished(() => page.evaluate('shown.destroy()'));
    await rested(page);
    const shot = await page.screenshot({ animations: 'disabled', caret: 'hide', mask: [page.locator('time'), page.locator('[data-volatile]')], maskColor: '#808080' });
    compare(`${name}-${mode}${dir === 'rtl' ? '-rtl' : ''}`, shot);
  });
});

/** A page of nothing but a place for widgets, in letters that are the same everywhere. Text, since what it imports is the page's. */
const begun = (mode: string, dir: string, token: string): string => `(async () => {
  for (const { weight, data } of ${JSON.stringify(FONTS)}) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    document.fonts.add(await new FontFace('Measured', bytes, { weight: String(weight) }).load());
  }
  const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
  document.documentElement.dir = ${JSON.stringify(dir)};
  window.host = document.createElement('div');
  host.style.position = 'fixed';
  host.style.inset = '0';
  document.body.replaceChildren(host);
  const theme = { mode: ${JSON.stringify(mode)}, variables: { font: { family: 'Measured', familyMono: 'Measured' } } };
  window.headrace = new Headrace({ baseUrl: location.origin, accessToken: ${JSON.stringify(token)}, theme });
})()`;
const opening = (name: string): string => `(async () => {
  window.shown = headrace.ui[${JSON.stringify(name)}]({ el: host, flowId: ${JSON.stringify(flowId)}, ...${JSON.stringify(LOOKS[name] ?? {})} });
  await shown.open();
  await shown.ready;
  document.activeElement?.blur();
})()`;

/** Two pictures in a row that are the same: nothing loads or moves any more. */
async function rested(page: Page): Promise<void> {
  await expect.poll(() => page.locator('[aria-busy="true"], .skeleton').count(), { timeout: 15_000 }).toBe(0);
  let before: Uint8Array = Buffer.alloc(0);
  await expect.poll(async () => {
    const now = await page.screenshot({ animations: 'disabled', caret: 'hide' });
    const isSame = now.equals(before);
    before = now;
    return isSame;
  }, { timeout: 10_000, interval: 250 }).toBe(true);
}

function compare(name: string, shot: Buffer): void {
  const kept = `${KEPT}/${name}.png`;
  if (IS_WRITING) {
    writeFileSync(kept, shot);
    expect(shot.length, `${name} is a large picture`).toBeLessThan(MOST_BYTES);
    return;
  }
  expect(existsSync(kept), `There is no picture ${name}.png to compare with. Look at one of HEADRACE_PIXELS=write.`).toBe(true);
  const [now, then] = [PNG.sync.read(shot), PNG.sync.read(readFileSync(kept))];
  const diff = new PNG({ width: WIDTH, height: HEIGHT });
  const different = pixelmatch(now.data, then.data, diff.data, WIDTH, HEIGHT, { threshold: 0.2 });
  if (different > MOST_DIFFERENT && SHOTS) {
    mkdirSync(SHOTS, { recursive: true });
    writeFileSync(`${SHOTS}/pixels-${name}.png`, shot);
    writeFileSync(`${SHOTS}/pixels-${name}-difference.png`, PNG.sync.write(diff));
  }
  expect(different, `${name} looks otherwise; see pixels-${name}-difference.png among the screenshots`).toBeLessThanOrEqual(MOST_DIFFERENT);
}
