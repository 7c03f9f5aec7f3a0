/** The Backoffice as an operator has it: every page over a seeded platform, and one day's work from end to end. */
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page, Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASE, call, launch, visit } from './page.ts';
import type { Visit } from './page.ts';

let browser: Browser;
let at: Visit;
beforeAll(async () => {
  browser = await launch();
  at = await visit(browser, '/backoffice/');
  follow(at.page);
});
afterAll(async () => {
  const place = process.env['HEADRACE_TABLE'];
  if (place) writeFileSync(place, JSON.stringify(measured));
  await browser.close();
});

interface Measured { page: string; paintMs: number[]; jumpMs: number | null; requests: number; axe: number; rows: number | null }
/** What was seen of each page, for whoever prints it. */
const measured: Measured[] = [];

interface Place { path: string; heading: string; rows?: boolean }
const PLACES: readonly Place[] = [
  { path: '', heading: 'Overview' }, { path: 'flows', heading: 'Flows', rows: true }, { path: 'runs', heading: 'Runs', rows: true }, { path: 'unprocessed', heading: 'Unprocessed messages', rows: true },
  { path: 'users', heading: 'Users', rows: true }, { path: 'health', heading: 'Health' }, { path: 'audit', heading: 'Audit', rows: true }, { path: 'connectors', heading: 'Connectors', rows: true },
  { path: 'configuration', heading: 'Connector settings', rows: true }, { path: 'settings', heading: 'System settings', rows: true }, { path: 'access', heading: 'Access rules' }, { path: 'groups', heading: 'Groups' },
  { path: 'modifiers', heading: 'Modifiers' }, { path: 'webhooks', heading: 'System webhooks' }, { path: 'files', heading: 'Public files' }, { path: 'logs', heading: 'Logs' },
];
/** Until the first rows of a list are painted. */
const FIRST_PAINT_MS = Number(process.env['HEADRACE_FIRST_PAINT_MS'] ?? 1000);
/** How often each page is opened: the median counts. */
const ROUNDS = Number(process.env['HEADRACE_ROUNDS'] ?? 1);

async function go(page: Page, path: string): Promise<void> {
  await page.goto(`${BASE}/backoffice/${path}`);
}
const median = (values: readonly number[]): number => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
const linkTo = (page: Page, heading: string) => page.getByRole('navigation', { name: 'Backoffice' }).getByRole('link', { name: heading === 'Unprocessed messages' ? 'Unprocessed' : heading, exact: true });

const isAsked = (request: Request): boolean => ['fetch', 'xhr'].includes(request.resourceType());
/** What the API is asked and has not answered yet. */
const asked = new Set<Request>();
function follow(page: Page): void {
  page.on('request', (request) => { if (isAsked(request)) asked.add(request); });
  page.on('requestfinished', (request) => void asked.delete(request));
  page.on('requestfailed', (request) => void asked.delete(request));
}
/** Until everything is answered and drawn. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve)); }));
  await expect.poll(async () => asked.size + (await page.getByText('Loading…').count()), { interval: 10, timeout: 10_000 }).toBe(0);
}

/** Open a page from another one: how long until what it is about is painted, in milliseconds, and how often the API was asked. */
async function opening(page: Page, place: Place): Promise<{ took: number; requests: number }> {
  const other = place.heading === 'Groups' ? 'Modifiers' : 'Groups';
  await linkTo(page, other).click();
  await page.getByRole('heading', { name: other, level: 1 }).waitFor();
  await settled(page);
  let requests = 0;
  const count = (request: Request): void => void (requests += Number(isAsked(request)));
  page.on('request', count);
  const began = performance.now();
  await linkTo(page, place.heading).click();
  if (place.path !== 'logs') await page.getByRole('heading', { name: place.heading, level: 1 }).waitFor();
  if (place.path === 'logs') await page.locator('[data-log]').first().waitFor();
  else if (place.rows) await page.locator('.table-row').first().waitFor();
  else await settled(page);
  const took = performance.now() - began;
  await settled(page);
  page.off('request', count);
  return { took, requests };
}

/** Jump to the end of a list: how long until its last row is there, in milliseconds. */
async function jump(page: Page): Promise<number> {
  const last = Number((await page.locator('.tab-count').first().innerText()).replace(/\D/g, '')) - 1;
  const began = performance.now();
  await page.locator('.table-row').first().focus();
  await page.keyboard.press('End');
  await page.locator(`.table-row[data-at="${last}"]`).waitFor();
  const took = performance.now() - began;
  await page.locator(`.table-row[data-at="${last}"]`).focus();
  await page.keyboard.press('Home');
  await page.locator('.table-row[data-at="0"]').waitFor();
  return took;
}

async function shown(page: Page, place: Place): Promise<void> {
  if (place.path === 'logs') await page.getByRole('searchbox').or(page.getByRole('textbox')).first().waitFor();
  else await page.getByRole('heading', { name: place.heading, level: 1 }).waitFor();
  if (place.rows) await page.locator('.table-row').first().waitFor();
  await settled(page);
}

describe('every page', () => {
  for (const place of PLACES) {
    it(`${place.heading} shows, in light and dark, wide and narrow, and axe finds nothing`, async () => {
      const { page } = at;
      const paintMs: number[] = [];
      let requests = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const opened = await opening(page, place);
        paintMs.push(opened.took);
        requests = opened.requests;
      }
      await shown(page, place);
      const jumpMs = place.rows ? await jump(page) : null;
      const name = `40-office-${place.path || 'overview'}`;
      const wrong = await at.axe();
      await at.shot(name);
      await page.getByRole('button', { name: 'Switch light and dark' }).first().click();
      wrong.push(...(await at.axe()));
      await at.shot(`${name}-dark`);
      await page.setViewportSize({ width: 390, height: 844 });
      wrong.push(...(await at.axe()));
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      await at.shot(`${name}-narrow`);
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.getByRole('button', { name: 'Switch light and dark' }).first().click();
      const rows = place.rows ? Number((await page.locator('.tab-count').first().innerText()).replace(/\D/g, '')) : null;
      measured.push({ page: place.heading, paintMs, jumpMs, requests, axe: wrong.length, rows });
      expect(wrong).toEqual([]);
      expect(median(paintMs)).toBeLessThan(FIRST_PAINT_MS);
      expect(jumpMs ?? 0).toBeLessThan(FIRST_PAINT_MS);
      expect(width).toBeLessThanOrEqual(390);
      expect(at.complaints).toEqual([]);
    });
  }
});

describe('an operator', () => {
  it('finds why a flow of somebody does not go on, retries what is dead, drains an executor, and reads all of that in the audit', async () => {
    const { page } = at;
    const [flow] = await at.api<{ flowId: string; userId: string; name: string }[]>('GET', '/flows?allTenants=true&pattern=Orders%20of%20the%20day&projection=flowId,userId,name');
    await go(page, 'flows?text=Orders');
    await page.getByRole('link', { name: 'Orders of the day' }).click();
    await page.getByText(/messages could not be processed/).waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('41-office-flow');
    await page.getByRole('button', { name: 'Look at it' }).click();
    const step = page.locator('[data-component-id="fail"]');
    await step.waitFor();
    await expect.poll(async () => {
      await call('', 'POST', `/flows/${flow!.flowId}/components/hook`, { list: ['of the owner'] });
      return step.locator('.counts .done').count();
    }, { timeout: 10_000, interval: 300 }).toBe(1); // it happens while the administrator looks
    expect(await at.axe()).toEqual([]);
    await at.shot('41-office-flow-live');
    await go(page, `flows/${flow!.flowId}`);
    await page.getByRole('listitem').filter({ hasText: 'could not be processed' }).getByRole('link', { name: 'Look' }).click();
    await page.locator('.table-row').first().click();
    const what = page.getByRole('dialog').getByLabel('What it was given');
    await what.waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('42-office-message');
    const given = JSON.parse(await what.inputValue()) as Record<string, { content: Record<string, unknown> }[]>;
    for (const messages of Object.values(given)) for (const message of messages) message.content['list'] = [1, 2];
    await what.fill(JSON.stringify(given));
    await page.getByRole('button', { name: 'Retry with the change' }).click();
    await page.getByText('It is with its run again, with what you wrote.').waitFor();

    const before = await at.api<unknown[]>('GET', `/unprocessed-messages?allTenants=true&limit=1000&flowId=${flow!.flowId}`);
    await page.getByRole('button', { name: 'Retry all' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Retry', exact: true }).click();
    await page.getByText('They are with their runs again.').waitFor({ timeout: 30_000 });
    await expect.poll(async () => (await at.api<{ attempts: number }[]>('GET', `/unprocessed-messages?allTenants=true&limit=1000&flowId=${flow!.flowId}`)).length, { timeout: 30_000 }).toBe(before.length);

    await go(page, 'health');
    await page.getByRole('button', { name: 'Drain' }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
    await page.getByText(/^Drained .* by .* it stays so over restarts/).waitFor();
    await at.shot('43-office-drained');
    await page.getByRole('button', { name: 'Let it work' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Let it work' }).click();
    await page.getByRole('button', { name: 'Drain' }).first().waitFor();

    await page.getByRole('button', { name: 'Self-test' }).click();
    await page.getByText('All of it works').waitFor({ timeout: 60_000 });
    expect(await at.axe()).toEqual([]);
    await at.shot('47-office-self-test');
    await page.keyboard.press('Escape');

    await go(page, 'audit');
    const table = page.getByRole('grid', { name: 'Audit' });
    await table.getByText('Drain a process, or let it work again').first().waitFor();
    await table.getByText('Retry or drop many unprocessed messages').first().click();
    await page.getByRole('dialog').getByText('"settled"').first().waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('44-office-act');
    expect(at.complaints).toEqual([]);
  });

  it('fixes the settings of a connector, whose secret is never shown again', async () => {
    const { page } = at;
    await go(page, 'configuration/vault:oauth');
    await page.getByLabel('clientId').fill('another');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The settings are saved.').waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('45-office-configuration-one');
    const kept = await at.api<Record<string, string>>('GET', '/service-config/vault:oauth');
    expect(kept['clientId']).toBe('another');
    expect(kept['clientSecret']).toBe(process.env['HEADRACE_CLIENT_SECRET']);
    expect(await page.content()).not.toContain(kept['clientSecret']);
    expect(await page.getByLabel('clientSecret').inputValue()).toBe('');
    const history = page.getByRole('region', { name: 'History' });
    await history.getByText('clientId: *** (changed)').first().waitFor();
    expect(at.complaints).toEqual([]);
  });

  it('sees who set a key, and when, where it is set', async () => {
    const { page } = at;
    const key = `motd-${Date.now()}`;
    for (const value of ['one', 'two']) await at.api('POST', '/config', { key, value });
    await go(page, `settings?text=${key}`);
    await page.getByText(key).first().click();
    const history = page.getByRole('region', { name: 'History' });
    await history.getByText('Set first').waitFor();
    await history.getByText('value: *** (changed)').waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('48-office-key');
    await at.api('DELETE', `/config/${key}`);
    expect(at.complaints).toEqual([]);
  });

  it('has a receiver of its own told what happens, signed, and sees in a log what came of it', async () => {
    const { page } = at;
    const told: { id: string; body: { type: string; data: Record<string, unknown> }; isSigned: boolean }[] = [];
    let secret = '';
    let status = 200;
    const receiver = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part)).on('end', () => {
        const text = Buffer.concat(parts).toString();
        const [id, moment, given] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => String(request.headers[name]));
        const expected = createHmac('sha256', Buffer.from(secret.replace('whsec_', ''), 'base64')).update(`${id}.${moment}.${text}`).digest('base64');
        told.push({ id: String(id), body: JSON.parse(text) as (typeof told)[number]['body'], isSigned: String(given).split(' ').includes(`v1,${expected}`) });
        response.writeHead(status).end('thank you');
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => receiver.once('listening', resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;

    await go(page, 'webhooks');
    await page.getByRole('button', { name: 'New webhook' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Address').fill(url);
    await dialog.getByRole('checkbox', { name: 'flow.stopped' }).check();
    expect(await at.axe()).toEqual([]);
    await at.shot('47-office-webhook-new');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'What signs from now on' }).waitFor();
    secret = await page.locator('.secret').innerText();
    expect(await at.axe()).toEqual([]);
    await at.shot('48-office-webhook-secret');
    await page.getByRole('button', { name: 'I have it' }).click();
    expect(await page.content()).not.toContain(secret);

    await page.getByRole('button', { name: `Test: ${url}` }).click();
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('It was taken, with 200, after 1 try.').waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('49-office-webhook-test');
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
    const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Stops', flow: { hook: { type: 'headrace.utils.http.WebhookTrigger', x: 0, y: 0, source: {} } } });
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
    status = 503;
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'stop' });
    await expect.poll(() => told.length, { timeout: 20_000 }).toBe(2);
    expect(told.map(({ body, isSigned }) => [body.type, body.data['flowId'], isSigned])).toEqual([['flow.stopped', '0'.repeat(24), true], ['flow.stopped', flowId, true]]);

    await page.getByRole('link', { name: 'What was told' }).click();
    await page.getByRole('heading', { name: 'What was told', level: 1 }).waitFor();
    await page.locator('.table-row').nth(1).waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('50-office-deliveries');
    await page.getByLabel('State').selectOption('Pending');
    await page.locator('.table-row', { hasText: 'Delivered' }).waitFor({ state: 'detached' });
    await page.locator('.table-row', { hasText: 'flow.stopped' }).click();
    await page.getByText('It was not taken after 1 try, and is tried again by itself. It answered 503.').waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('51-office-delivery');
    await page.setViewportSize({ width: 390, height: 844 });
    await at.shot('51-office-delivery-narrow');
    await page.setViewportSize({ width: 1440, height: 900 });
    await go(page, 'webhooks');
    await page.locator('.table-row', { hasText: url }).getByRole('button', { name: /More/ }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Nobody is told anything yet').waitFor();
    receiver.close();
    expect(at.complaints).toEqual([]);
  });

  it('makes a user, looks at what they may do, and is stopped before a user is deleted', async () => {
    const { page } = at;
    await go(page, 'users');
    await page.getByRole('button', { name: 'New user' }).click();
    await page.getByLabel('Mail address').fill(`made-${Date.now()}@example.com`);
    await page.getByLabel('First password').fill('correct horse');
    await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
    await page.getByText('No rule about routes takes anything away').waitFor();
    expect(await at.axe()).toEqual([]);
    await at.shot('46-office-user');
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Delete with everything' }).click();
    await page.getByText('0 flows (0 of them run)').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete everything' }).click();
    await page.getByRole('heading', { name: 'Nothing of the user is left' }).waitFor({ timeout: 20_000 });
    expect(at.complaints).toEqual([]);
  });

  it('narrows a list by keys alone, in an address that can be sent to somebody', async () => {
    const { page } = at;
    await go(page, 'users');
    await page.locator('.table-row').first().waitFor();
    await page.getByRole('searchbox', { name: 'Search by name or address' }).focus();
    await page.keyboard.type('user0003');
    await expect.poll(() => page.locator('.table-row').count()).toBe(1);
    expect(page.url()).toContain('text=user0003');
    await page.locator('.table-row').first().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'user0003@example.com' }).waitFor();
    await page.goBack();
    await expect.poll(() => page.locator('.table-row').count()).toBe(1);
    expect(at.complaints).toEqual([]);
  });
});

describe('somebody who is no administrator', () => {
  it('sees that this is not for them: no page, no data, and no code of the pages', async () => {
    const { token } = await call<{ token: string }>('', 'POST', '/user/auth', { username: 'user0001@example.com', password: 'correct horse' });
    const context = await browser.newContext();
    await context.addInitScript((kept) => localStorage.setItem('headrace.token', kept), token);
    const page = await context.newPage();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.goto(`${BASE}/backoffice/users`);
    await page.getByRole('heading', { name: 'This is for administrators' }).waitFor();
    expect(await page.getByRole('navigation').count()).toBe(0);
    expect(asked.filter((path) => path.startsWith('/sdk/office-'))).toEqual([]);
    expect(asked.filter((path) => !path.startsWith('/sdk/') && !path.startsWith('/backoffice'))).toEqual(['/user']);
    for (const path of ['/users', '/system/overview', '/system/audit', '/system/processes', '/system/settings', '/service-config', '/flows?allTenants=true', '/runs?allTenants=true', '/unprocessed-messages?allTenants=true']) {
      const response = await fetch(BASE + path, { headers: { authorization: `Bearer ${token}` } });
      expect([path, response.status]).toEqual([path, 403]);
    }
    await context.close();
  });
});

describe.runIf(process.env['HEADRACE_DOUBTS'])('a step in doubt', () => {
  const [first = '', second = ''] = (process.env['HEADRACE_DOUBTS'] ?? '').split(',');
  const done = (runId: string) => expect.poll(async () => (await at.api<{ state: string }>('GET', `/runs/${runId}`)).state, { timeout: 20_000 }).toBe('done');

  it('is left for a decision when all are retried', async () => {
    const { page } = at;
    const { flowId } = await at.api<{ flowId: string }>('GET', `/runs/${first}`);
    await go(page, `unprocessed?flow=${flowId}`);
    await page.getByRole('button', { name: 'Retry all' }).click();
    await page.getByRole('dialog').getByText('Steps in doubt among them stay, for a decision on each.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Retry', exact: true }).click();
    await page.getByText('None is retried. 2 in doubt wait for a decision on each.').waitFor();
    expect(await page.locator('.table-row').count()).toBe(2);
  });

  it('is decided in the Backoffice, with the output it had, and its run says who it was', async () => {
    const { page } = at;
    await go(page, `runs/${first}`);
    await page.getByRole('link', { name: 'Decide' }).click();
    const dialog = page.getByRole('dialog', { name: 'A step in doubt' });
    await dialog.getByLabel('What it sends').fill('{');
    await dialog.getByRole('button', { name: 'Decide', exact: true }).click();
    await dialog.getByRole('alert').filter({ hasText: 'This is no JSON' }).waitFor();
    await dialog.getByLabel('What it sends').fill('{"out": [{"id": 7}]}');
    expect(await at.axe()).toEqual([]);
    await at.shot('47-office-doubt');
    await page.setViewportSize({ width: 390, height: 844 });
    await at.shot('47-office-doubt-narrow');
    await page.setViewportSize({ width: 1440, height: 900 });
    await dialog.getByRole('button', { name: 'Decide', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
    await done(first);
    await go(page, `runs/${first}`);
    await page.locator('summary').filter({ hasText: 'order' }).last().click();
    await page.getByText(/decided .*: it happened\./).waitFor();
    await at.shot('48-office-decided');
  });

  it('is skipped by its owner in the list of runs', async () => {
    const { page } = at;
    await page.goto(`${BASE}/runs/${second}`);
    await page.getByRole('button', { name: 'Decide', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Did this step happen?' });
    await dialog.getByLabel(/^Skip this message/).check();
    expect(await at.axe()).toEqual([]);
    await at.shot('49-runs-doubt');
    await dialog.getByRole('button', { name: 'Decide', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
    await done(second);
  });
});
