/** The page at the platform's address: signing in, its places and their addresses, on a desk and on a phone. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BASE, launch, visit } from './page.ts';

const LOGIN = process.env['HEADRACE_LOGIN'] ?? '';
const PASSWORD = process.env['HEADRACE_PASSWORD'] ?? '';
const PLACES = { '/flows': 'Flows', '/runs': 'Runs', '/logs': 'Logs', '/people-tasks': 'People tasks', '/accounts': 'Accounts', '/stores': 'Data stores', '/files': 'Files', '/connectors': 'Connectors' };

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

it('one signs in by password or by token, is told what is wrong, and signs out', async () => {
  const at = await visit(browser);
  const { page } = at;
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(await at.axe()).toEqual([]);
  await page.getByLabel('Email or name').fill(LOGIN);
  await page.getByLabel('Password').fill('not the password');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  expect(await at.axe()).toEqual([]);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Flows', exact: true }).waitFor();
  const token = (await page.evaluate(`localStorage.getItem('headrace.token')`)) as string;
  await page.context().addInitScript(() => localStorage.removeItem('headrace.token'));
  await page.goto(`${BASE}/files`);
  await page.getByRole('button', { name: 'Use a token' }).click();
  await page.getByLabel('Token').fill('nonsense');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  await at.shot('70-token');
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Files', exact: true }).waitFor();
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it.each([{ dark: false, narrow: false }, { dark: true, narrow: true }])('every place has an address of its own; dark: $dark, narrow: $narrow', async ({ dark, narrow }) => {
  const at = await visit(browser, '/', { dark, narrow, touch: narrow });
  const { page } = at;
  for (const [path, name] of Object.entries(PLACES)) {
    await page.goto(BASE + path);
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await expect.poll(() => page.title()).toBe(`${name} · Headrace`);
    await at.shot(`71${path.replace('/', '-')}`);
    expect(await at.axe(), path).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path).toBe(true);
  }
  if (narrow) await page.getByRole('button', { name: 'Menu' }).tap();
  expect(await at.axe()).toEqual([]);
  await at.shot('72-menu');
  await page.getByRole('link', { name: 'Runs' }).click();
  await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/runs');
  await page.goBack();
  await page.getByRole('heading', { name: 'Connectors', exact: true }).waitFor();
  await page.goto(`${BASE}/nowhere`);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('what is opened in a place is at an address that leads back to it', async () => {
  const at = await visit(browser);
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'At an address', flow: { go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, version: '1.0.0', source: {}, config: {} } } });
  await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
  await expect.poll(async () => (await at.api<{ totalCount: number }>('GET', `/runs?flowId=${flowId}`)).totalCount).toBe(1);
  await page.goto(`${BASE}/runs?flow=${flowId}`);
  await page.locator('.table-row').click();
  await page.getByRole('button', { name: 'Open the flow' }).waitFor();
  const { pathname } = new URL(page.url());
  expect(pathname).toMatch(/^\/runs\/\w+$/);
  await page.reload();
  await page.getByRole('button', { name: 'Open the flow' }).click();
  await page.locator('.designer').getByText('Looking at a run').waitFor();
  expect(page.url()).toBe(`${BASE}/flows/${flowId}?run=${pathname.split('/').at(-1)}`);
  await page.goBack();
  await page.getByRole('button', { name: 'Back' }).click();
  await page.locator('.table-row').first().waitFor();
  expect(new URL(page.url()).pathname).toBe('/runs');

  const { storeId } = await at.api<{ storeId: string }>('POST', '/stores', { name: 'Deep' });
  await page.goto(`${BASE}/stores/${storeId}`);
  await page.getByRole('navigation', { name: 'Stores' }).locator('[aria-current]', { hasText: 'Deep' }).waitFor();
  const { taskId, approverSecret } = await at.api<{ taskId: string; approverSecret: string }>('POST', '/people-task/tasks', { title: 'By a link', requester: 'bob@example.com', approver: 'carol@example.com' });
  await page.context().addInitScript(() => localStorage.removeItem('headrace.token'));
  await page.goto(`${BASE}/people-tasks/${taskId}?secret=${approverSecret}`);
  await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  await page.getByText('“By a link” is approved').waitFor();
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('the page speaks the language that is chosen, everywhere and again the next time', async () => {
  const at = await visit(browser, '/');
  const { page } = at;
  await page.getByLabel('Language').selectOption('Deutsch');
  await page.getByRole('link', { name: 'Läufe' }).click();
  await page.getByRole('heading', { name: 'Läufe', exact: true }).waitFor();
  for (const [path, name] of Object.entries({ '/accounts': 'Konten', '/integrations': 'Integrationen', '/logs': 'Protokoll', '/people-tasks': 'Aufgaben', '/stores': 'Datenspeicher', '/files': 'Dateien', '/connectors': 'Konnektoren', '/insights': 'Auswertungen', '/flows': 'Flows' })) {
    await page.goto(BASE + path);
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await at.shot(`74-de${path.replace('/', '-')}`);
  }
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
  expect(await at.axe()).toEqual([]);
  await page.locator('header').getByRole('button', { name: 'Neuer Flow' }).click();
  await page.getByText('Einen Aufruf beantworten').click();
  await page.getByRole('button', { name: 'Starten', exact: true }).waitFor();
  await page.locator('.card', { hasText: 'Make the greeting' }).click();
  await at.shot('74-de-designer');
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.locator('.foot').evaluate((foot) => foot.scrollWidth - foot.clientWidth)).toBe(0); // German words are long
  await at.shot('74-de-designer-narrow');
  expect(await at.axe()).toEqual([]);
  await page.setViewportSize({ width: 1440, height: 900 });
  expect(await at.axe()).toEqual([]);
  await page.goto(`${BASE}/flows`);
  await page.getByRole('button', { name: 'Abmelden' }).click();
  await page.getByRole('heading', { name: 'Anmelden' }).waitFor();
  await page.getByLabel('Sprache').selectOption('English');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await at.shot('74-en-sign-in');
  expect(at.complaints).toEqual([]);
  await page.context().close();
});
