/** The account of a step: named where it is missing, chosen, connected by a form and in a window, connected again. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { card, isSaved, launch, visit } from './page.ts';
import type { Visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

const SERVICE = process.env['HEADRACE_SERVICE_URL'] ?? '';
const KEY = process.env['HEADRACE_SERVICE_KEY'] ?? '';

async function opened(at: Visit, kind: string): Promise<{ page: Page; flowId: string }> {
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
    name: `With an account of ${kind}`,
    flow: {
      go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} },
      work: { type: `vault.${kind}.core.Work`, label: 'Work', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} },
    },
  });
  await page.goto(page.url() + `flows/${flowId}`);
  return { page, flowId };
}

async function accountOf(at: Visit, flowId: string): Promise<{ accountId: string | null; accessTokenValid: boolean }> {
  const { components } = await at.api<{ components: Record<string, { accountId: string | null; accessTokenValid: boolean }> }>('GET', `/accounts/flow/${flowId}`);
  return components['work']!;
}

describe('a step that needs an account', () => {
  it('says so on its card, takes a key in a form, and says what is wrong with a bad one', async () => {
    const at = await visit(browser);
    const { page, flowId } = await opened(at, 'key');
    await card(page, 'Work').locator('.trouble', { hasText: 'The account is missing' }).waitFor();
    await page.getByRole('button', { name: '1 problem' }).waitFor();
    await card(page, 'Work').click();
    await page.getByRole('button', { name: 'Connect an account' }).click();
    expect(await at.axe()).toEqual([]);
    await page.getByLabel('API key').fill('a wrong key');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('alert').waitFor();
    await at.shot('20-account-form');
    await page.getByLabel('API key').fill(KEY);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('button', { name: 'No problems' }).waitFor();
    const select = page.getByRole('combobox', { name: 'Account', exact: true });
    await expect.poll(() => select.locator('option:checked').textContent()).toBe('key-holder');
    expect(await accountOf(at, flowId)).toMatchObject({ accessTokenValid: true });
    await at.shot('21-account');
    expect(await at.axe()).toEqual([]);

    await select.selectOption('');
    await page.getByRole('button', { name: '1 problem' }).waitFor();
    expect((await accountOf(at, flowId)).accountId).toBeNull();
    await select.selectOption({ label: 'key-holder' });
    await page.getByRole('button', { name: 'No problems' }).waitFor();
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('is connected in a window of the service', async () => {
    const at = await visit(browser);
    const { page, flowId } = await opened(at, 'oauth');
    await card(page, 'Work').click();
    const [window] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect an account' }).click()]);
    await Promise.all([window.waitForEvent('close'), window.getByRole('button').first().click()]);
    await page.getByRole('button', { name: 'No problems' }).waitFor();
    expect(await accountOf(at, flowId)).toMatchObject({ accessTokenValid: true });
    await expect.poll(() => page.getByRole('combobox', { name: 'Account', exact: true }).locator('option:checked').textContent()).toMatch(/@/);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('says that nobody finished when the window is closed', async () => {
    const at = await visit(browser);
    const { page } = await opened(at, 'oauth');
    await card(page, 'Work').click();
    const [window] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect an account' }).click()]);
    await window.getByRole('button').first().waitFor();
    await window.close();
    await page.getByRole('alert').filter({ hasText: 'The window was closed before' }).waitFor();
    await page.getByRole('button', { name: 'Connect an account' }).waitFor();
    await page.context().close();
  });
});

// Before the others that withdraw what is connected: the service takes the key no more after that.
it('the list of accounts connects by a form and in a window of the service, and again what is not accepted any more', async () => {
  const at = await visit(browser);
  const { page } = at;
  for (const { accountId } of await at.api<{ accountId: string }[]>('GET', '/accounts')) await at.api('DELETE', `/accounts/${accountId}`);
  await page.goto(page.url() + 'accounts');
  const dialog = page.getByRole('dialog', { name: 'Connect an account' });
  const row = (service: string) => page.getByRole('row').filter({ hasText: service });
  await page.getByRole('heading', { name: 'No accounts yet' }).waitFor();
  await page.getByRole('button', { name: 'Connect an account' }).last().click();
  await dialog.getByRole('searchbox', { name: 'Search services' }).fill('oauth');
  await at.shot('26-accounts-choose');
  const [closed] = await Promise.all([page.waitForEvent('popup'), dialog.getByRole('button', { name: 'oauth', exact: true }).click()]);
  await closed.getByRole('button').first().waitFor();
  await dialog.getByRole('status').filter({ hasText: 'Finish in the window of oauth' }).waitFor();
  await closed.close();
  await dialog.getByRole('alert').filter({ hasText: 'The window was closed before' }).waitFor();
  await at.shot('27-accounts-closed');
  const [window] = await Promise.all([page.waitForEvent('popup'), dialog.getByRole('button', { name: 'oauth', exact: true }).click()]);
  await Promise.all([window.waitForEvent('close'), window.getByRole('button').first().click()]);
  await page.getByText('The account is connected').waitFor();
  await row('ada@example.com').getByText('Connected', { exact: true }).waitFor();

  await page.getByRole('button', { name: 'Connect an account' }).first().click();
  await dialog.getByRole('searchbox', { name: 'Search services' }).fill('key');
  await dialog.getByRole('button', { name: 'key', exact: true }).click();
  const form = page.getByRole('dialog', { name: 'Account of key' });
  await form.getByLabel('API key').fill('a wrong key');
  await form.getByRole('button', { name: 'Connect', exact: true }).click();
  await form.getByRole('alert').waitFor();
  await at.shot('28-accounts-form');
  expect(await at.axe()).toEqual([]);
  await form.getByLabel('API key').fill(KEY);
  await form.getByRole('button', { name: 'Connect', exact: true }).click();
  await row('key-holder').getByText('Connected', { exact: true }).waitFor();

  await fetch(`${SERVICE}/withdraw`, { method: 'POST' });
  await row('ada@example.com').getByRole('button', { name: /^Test/ }).click();
  await row('ada@example.com').getByText('Connect again', { exact: true }).waitFor();
  await at.shot('29-accounts-withdrawn');
  await row('ada@example.com').getByRole('button').last().click();
  const [again] = await Promise.all([page.waitForEvent('popup'), page.getByRole('menuitem', { name: 'Connect again' }).click()]);
  await Promise.all([again.waitForEvent('close'), again.getByRole('button').first().click()]);
  await row('ada@example.com').getByText('Connected', { exact: true }).waitFor();
  expect(await at.api<unknown[]>('GET', '/accounts')).toHaveLength(2);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('an account that its service no longer takes is named on the card; connected again, what waited goes on', async () => {
  const at = await visit(browser);
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
    name: 'With an account that is withdrawn',
    flow: {
      hook: { type: 'headrace.utils.http.WebhookTrigger', label: 'Webhook', x: 64, y: 64, source: {} },
      work: { type: 'vault.oauth.core.Work', label: 'Work', x: 256, y: 64, source: { in: { hook: ['request'] } }, config: { transform: { in: { hook: { request: { type: 'json2new', lambda: { n: '7' }, modifiers: {} } } } } } },
    },
  });
  await page.goto(page.url() + `flows/${flowId}`);
  await card(page, 'Work').click();
  const [window] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect an account' }).click()]);
  await Promise.all([window.waitForEvent('close'), window.getByRole('button').first().click()]);
  await page.getByRole('button', { name: 'No problems' }).waitFor();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.getByRole('button', { name: 'Stop', exact: true }).waitFor();
  await fetch(`${SERVICE}/withdraw`, { method: 'POST' });
  await at.api('POST', `/flows/${flowId}/components/hook`, { n: 1 });
  await card(page, 'Work').locator('.trouble', { hasText: 'The account does not work' }).waitFor();
  await card(page, 'Work').locator('.counts .waiting[title*="account"]', { hasText: '1 waiting' }).waitFor();
  await page.reload();
  await card(page, 'Work').locator('.counts .waiting[title*="account"]', { hasText: '1 waiting' }).waitFor();
  await card(page, 'Work').click();
  await at.shot('24-account-withdrawn');
  expect(await at.axe()).toEqual([]);
  const [again] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect again' }).click()]);
  await Promise.all([again.waitForEvent('close'), again.getByRole('button').first().click()]);
  await page.getByRole('button', { name: 'No problems' }).waitFor();
  await card(page, 'Work').locator('.counts .done', { hasText: '1' }).waitFor({ timeout: 20_000 });
  await at.shot('25-account-again');
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('a form names what is missing as it is typed', async () => {
  const at = await visit(browser);
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
    name: 'Typing',
    flow: {
      go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} },
      get: { type: 'headrace.utils.http.Get', label: 'Fetch', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} },
    },
  });
  await page.goto(page.url() + `flows/${flowId}`);
  await card(page, 'Fetch').locator('.trouble', { hasText: 'URL is missing' }).waitFor();
  await card(page, 'Fetch').click();
  const url = page.getByRole('textbox', { name: 'URL' });
  await url.fill('h');
  await expect.poll(() => card(page, 'Fetch').locator('.trouble').count()).toBe(0);
  await url.fill('   ');
  await card(page, 'Fetch').locator('.trouble', { hasText: 'URL is missing' }).waitFor();
  await isSaved(page);
  await page.context().close();
});
