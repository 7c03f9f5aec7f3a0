/** A browser at the platform under test, in which nothing may go wrong unseen. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright-core';
import type { Browser, Locator, Page } from 'playwright-core';
import { STRINGS } from '../../page/strings.ts';
import { TEMPLATES } from '../../page/templates.ts';

export const BASE = process.env['HEADRACE_URL'] ?? '';
const LOGIN = process.env['HEADRACE_LOGIN'] ?? '';
const PASSWORD = process.env['HEADRACE_PASSWORD'] ?? '';
const SHOTS = process.env['HEADRACE_SHOTS'] ?? '';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--font-render-hinting=none'],
  });
}

/** One person's page of another origin, with what it serves by path. */
export async function hosted(pages: Record<string, { type: string; text: string; headers?: Record<string, string> }>, port = 0): Promise<{ origin: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const found = pages[(request.url ?? '').split('?')[0] ?? ''];
    response.writeHead(found ? 200 : 404, { 'content-type': found?.type ?? 'text/plain', ...found?.headers });
    response.end(found?.text ?? '');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const { port: taken } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${taken}`, close: () => new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections())) };
}

export interface Visit {
  page: Page;
  token: string;
  /** What the browser complained about: errors, violations of the page's policy. */
  complaints: string[];
  shot(name: string): Promise<void>;
  /** What axe finds wrong, each as rule and place. */
  axe(): Promise<string[]>;
  api<T>(method: string, path: string, data?: unknown): Promise<T>;
}

export async function visit(browser: Browser, path = '/', { dark = false, narrow = false, touch = false } = {}): Promise<Visit> {
  const context = await browser.newContext({
    viewport: narrow ? { width: 390, height: 844 } : { width: 1440, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
    hasTouch: touch,
    reducedMotion: 'reduce',
  });
  const token = await signIn();
  await context.addInitScript((kept) => localStorage.setItem('headrace.token', kept), token);
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(path.startsWith('http') ? path : BASE + path);
  return {
    page,
    token,
    complaints,
    shot: async (name) => {
      if (!SHOTS) return;
      mkdirSync(SHOTS, { recursive: true });
      await page.screenshot({ path: `${SHOTS}/${name}${dark ? '-dark' : ''}${narrow ? '-narrow' : ''}.png` });
    },
    axe: async () => {
      const session = await context.newCDPSession(page);
      await session.send('Runtime.evaluate', { expression: AXE });
      const { result } = await session.send('Runtime.evaluate', {
        expression: `axe.run().then((found) => JSON.stringify(found.violations.flatMap((each) => each.nodes.map((node) => each.id + ' ' + node.target.join(' ') + ' ' + node.failureSummary))))`,
        awaitPromise: true,
      });
      await session.detach();
      return JSON.parse(String(result.value)) as string[];
    },
    api: (method, url, data) => call(token, method, url, data),
  };
}

async function signIn(): Promise<string> {
  return (await call<{ token: string }>('', 'POST', '/user/auth', { username: LOGIN, password: PASSWORD })).token;
}

export async function call<T>(token: string, method: string, url: string, data?: unknown): Promise<T> {
  const response = await fetch(BASE + url, {
    method,
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(data === undefined ? {} : { body: JSON.stringify(data) }),
    signal: AbortSignal.timeout(20_000),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  const text = await response.text();
  try {
    return JSON.parse(text) as T;
  } catch {
    return text as T;
  }
}

/** A card of the canvas by its whole title. */
export const card = (page: Page, title: string): Locator => page.locator('.card').filter({ has: page.locator('.title', { hasText: new RegExp(`^${title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) }) });
export const port = (page: Page, title: string, side: 'Input' | 'Output', name: string): Locator => page.getByRole('button', { name: `${side} ${name} of ${title}`, exact: true });

/** A flow made of a template. */
export async function made(at: Visit, template: string): Promise<string> {
  const { id, flow } = TEMPLATES.find((each) => each.id === template)!;
  const { name } = STRINGS.templates[id];
  return (await at.api<{ flowId: string }>('POST', '/flows', { name, flow })).flowId;
}

export async function drag(page: Page, from: Locator, to: Locator | { x: number; y: number }): Promise<void> {
  const start = (await from.boundingBox())!;
  const box = 'x' in to ? { ...to, width: 0, height: 0 } : (await to.boundingBox())!;
  await page.mouse.move(start.x + start.width / 2, start.y + start.height / 2);
  await page.mouse.down();
  await page.mouse.move(start.x + start.width / 2 + 20, start.y + start.height / 2 + 10, { steps: 3 });
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
}

export async function isSaved(page: Page): Promise<void> {
  await page.locator('.save.saved').waitFor();
}

/** A widget alone in the page, opened by a host's script; `config` is script too. What it tells is kept in `window.told`. */
export async function opened(at: Visit, name: string, config = '', { rtl = false } = {}): Promise<void> {
  await at.page.evaluate(`(async () => {
    const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
    document.body.replaceChildren();
    document.documentElement.dir = '${rtl ? 'rtl' : 'ltr'}';
    const host = document.body.appendChild(document.createElement('main'));
    host.id = 'host';
    host.style.height = '100vh';
    window.headrace = new Headrace({ baseUrl: location.origin, accessToken: ${JSON.stringify(at.token)} });
    window.told = [];
    window.widget = new headrace.ui.${name}({ el: '#host', ${config} });
    window.hear = (...types) => types.forEach((type) => widget.on(type, (event) => { told.push([event.type, event.data]); }));
    const begun = performance.now();
    await widget.open();
    window.took = performance.now() - begun;
  })()`);
}

/** What axe finds wrong, but for what the whole page owes. */
export async function axeOf(at: Visit): Promise<string[]> {
  return (await at.axe()).filter((each) => !/^(page-has-heading-one|region|landmark-one-main) /.test(each));
}
