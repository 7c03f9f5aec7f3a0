/** Accounts, stores, files, people's tasks and connectors: what people do there, in every state. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { axeOf, call, launch, opened, visit } from './page.ts';
import type { Visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

const row = (page: Page, name: string) => page.getByRole('row', { name, exact: true });
const rows = (page: Page): Promise<string[]> => page.locator('.table-row .title').allTextContents();
async function choose(page: Page, name: string, entry: string): Promise<void> {
  await page.getByRole('button', { name: `More for ${name}` }).click();
  await page.getByRole('menuitem', { name: entry, exact: true }).click();
}
async function clean(at: Visit, name: string): Promise<void> {
  await at.shot(`60-${name}`);
  expect(await axeOf(at), name).toEqual([]);
  expect(await at.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name).toBe(true);
}
async function over(at: Visit): Promise<void> {
  expect(at.complaints).toEqual([]);
  await at.page.context().close();
}

it('an account is connected by a form, tested, renamed, shared, and removed where it is used no more', async () => {
  const at = await visit(browser);
  const { page } = at;
  await opened(at, 'Accounts');
  await page.getByRole('heading', { name: 'No accounts yet' }).waitFor();
  await clean(at, 'accounts-empty');
  await page.getByRole('button', { name: 'Connect an account' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: /key/i }).waitFor();
  await clean(at, 'accounts-services');
  await page.getByRole('dialog').getByRole('button', { name: /key/i }).click();
  await page.getByLabel('API key').fill('nonsense');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('dialog').getByRole('alert').waitFor();
  await clean(at, 'accounts-refused');
  await page.getByLabel('API key').fill(process.env['HEADRACE_SERVICE_KEY'] ?? '');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await expect.poll(async () => (await rows(page)).length).toBe(1);
  const [name = ''] = await rows(page);
  await page.getByRole('button', { name: `Test: ${name}` }).click();
  await page.getByText(`“${name}” works`).waitFor();
  await choose(page, name, 'Rename');
  await page.getByRole('textbox', { name: 'Name' }).fill('Work of Ada');
  await page.keyboard.press('Enter');
  await row(page, 'Work of Ada').waitFor();
  await choose(page, 'Work of Ada', 'Share');
  await page.getByRole('textbox', { name: 'Email' }).fill('bob@example.com');
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await page.getByRole('button', { name: 'Stop sharing with bob@example.com' }).waitFor();
  await clean(at, 'accounts-share');
  await page.getByRole('button', { name: 'Close', exact: true }).first().click();
  await choose(page, 'Work of Ada', 'Used in flows');
  await page.getByText('No flow uses it.').waitFor();
  await page.keyboard.press('Escape');
  await clean(at, 'accounts');
  await choose(page, 'Work of Ada', 'Remove');
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('heading', { name: 'No accounts yet' }).waitFor();
  await over(at);
});

it('a store is made, its records written, found, edited, imported and cleared', async () => {
  const at = await visit(browser);
  const { page } = at;
  await opened(at, 'Storage');
  await page.getByRole('heading', { name: 'No data stores yet' }).waitFor();
  await page.getByRole('button', { name: 'New store' }).first().click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Customers');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'No records yet' }).waitFor();
  await clean(at, 'stores-empty');
  await page.getByRole('button', { name: 'New record' }).first().click();
  await page.getByRole('textbox', { name: 'Key' }).fill('ada');
  await page.getByRole('textbox', { name: 'Value' }).fill('{"plan": "pro"}');
  await clean(at, 'stores-record');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await row(page, 'ada').getByText('{"plan":"pro"}').waitFor();
  const csv = 'key,value\nbob,"says ""hi"", twice"\ncarol,42\n';
  await page.getByLabel('Import JSON or CSV').setInputFiles({ name: 'more.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await page.getByText('Imported 2 records').waitFor();
  const [{ storeId }] = (await at.api<{ storeId: string }[]>('GET', '/stores')) as [{ storeId: string }];
  const values = async (): Promise<unknown[]> => (await at.api<{ key: string; value: unknown }[]>('GET', `/store?storeId=${storeId}&sort=key:1`)).map(({ key, value }) => [key, value]);
  expect(await values()).toEqual([['ada', { plan: 'pro' }], ['bob', 'says "hi", twice'], ['carol', 42]]);
  await page.getByLabel('Import JSON or CSV').setInputFiles({ name: 'none.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n1,2\n') });
  await page.getByText('holds no records').waitFor();
  await page.getByRole('searchbox').fill('bo');
  await expect.poll(() => rows(page)).toEqual(['bob']);
  await row(page, 'bob').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('textbox', { name: 'Key' }).fill('bobby');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await row(page, 'bobby').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect.poll(() => rows(page)).toEqual(['ada', 'bobby', 'carol']);
  await clean(at, 'stores');
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'More for this store' }).click();
  await page.getByRole('menuitem', { name: 'Export as CSV' }).click();
  expect((await saved).suggestedFilename()).toBe('Customers.csv');
  await page.getByRole('button', { name: 'More for this store' }).click();
  await page.getByRole('menuitem', { name: 'Clear the store' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Clear' }).click();
  await page.getByText('Deleted 3 records').waitFor();
  expect(await values()).toEqual([]);
  await over(at);
});

it('a file goes up in parts, is found, comes back the same, and is deleted', async () => {
  const at = await visit(browser);
  const { page } = at;
  await opened(at, 'Files');
  await page.getByRole('heading', { name: 'No files yet' }).waitFor();
  await clean(at, 'files-empty');
  const content = Buffer.alloc(2_500_000, 'headrace ');
  const parts: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith('/files')) parts.push(`${request.headers()['uploader-chunk-number']}/${request.headers()['uploader-chunks-total']}`);
  });
  await page.getByLabel('Upload files').last().setInputFiles([{ name: 'Größe & Co.bin', mimeType: 'application/octet-stream', buffer: content }, { name: 'nothing.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) }]);
  await page.getByText('“nothing.txt” is empty.').waitFor();
  await row(page, 'Größe & Co.bin').waitFor();
  expect(parts).toEqual(['1/3', '2/3', '3/3']);
  await row(page, 'Größe & Co.bin').getByText('2.5 MB').waitFor();
  await clean(at, 'files');
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download: Größe & Co.bin' }).click();
  const stream = await (await saved).createReadStream();
  const found: Buffer[] = [];
  for await (const piece of stream) found.push(piece as Buffer);
  expect(Buffer.concat(found).equals(content)).toBe(true);
  await page.getByRole('button', { name: 'Delete: Größe & Co.bin' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('heading', { name: 'No files yet' }).waitFor();
  await over(at);
});

it('an upload that fails says why and is tried again', async () => {
  const at = await visit(browser);
  const { page } = at;
  await page.evaluate('window.fail = true');
  await opened(at, 'Files', `api: { uploadChunk: (...given) => { if (window.fail) return Promise.reject(new Error('The disk is full.')); return headrace.api.uploadChunk(...given); } }`);
  await page.getByLabel('Upload files').last().setInputFiles({ name: 'again.txt', mimeType: 'text/plain', buffer: Buffer.from('again') });
  await page.getByText('The disk is full.').waitFor();
  await clean(at, 'files-failed');
  await page.evaluate('window.fail = false');
  await page.getByRole('button', { name: 'Try again.txt again' }).click();
  await row(page, 'again.txt').waitFor();
  await over(at);
});

it.each([{ dark: true, narrow: true }, { dark: false, narrow: false }])('tasks are approved and rejected, by who has an account and who has a link; dark: $dark, narrow: $narrow', async ({ dark, narrow }) => {
  const at = await visit(browser, '/', { dark, narrow, touch: narrow });
  const { page } = at;
  const press = async (name: string): Promise<void> => {
    const button = page.getByRole('dialog').getByRole('button', { name, exact: true });
    await (narrow ? button.tap() : button.click());
  };
  const ask = (title: string, approver: string): Promise<{ taskId: string; approverSecret: string }> => at.api('POST', '/people-task/tasks', { title, description: 'Please look at it.', requester: 'bob@example.com', approver });
  const [one, two] = [await ask(`Refund ${dark}`, 'admin@headrace.local'), await ask(`Campaign ${dark}`, 'admin@headrace.local')];
  await opened(at, 'PeopleTasks', '', { rtl: !narrow });
  await row(page, `Refund ${dark}`).waitFor();
  await clean(at, `tasks-${narrow ? 'narrow' : 'wide'}`);
  await row(page, `Refund ${dark}`).click();
  await page.getByText('Please look at it.').waitFor();
  await clean(at, `task-${narrow ? 'narrow' : 'wide'}`);
  await press('Approve');
  await expect.poll(async () => (await at.api<{ status: string }>('GET', `/people-task/tasks/${one.taskId}`)).status).toBe('approved');
  await row(page, `Campaign ${dark}`).click();
  await press('Reject');
  await page.getByRole('dialog').filter({ hasText: 'The flow goes on' }).getByRole('button', { name: 'Reject' }).click();
  await expect.poll(async () => (await at.api<{ status: string }>('GET', `/people-task/tasks/${two.taskId}`)).status).toBe('rejected');
  await page.getByRole('tab', { name: 'Decided' }).click();
  await row(page, `Refund ${dark}`).getByText('Approved').waitFor();

  const three = await ask(`By link ${dark}`, 'carol@example.com');
  await page.evaluate('headrace.destroy()');
  await page.evaluate(`(async () => {
    const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
    window.headrace = new Headrace({ baseUrl: location.origin });
    await headrace.ui.PeopleTasks({ el: '#host', secret: ${JSON.stringify(three.approverSecret)}, role: 'approver' }).open();
  })()`);
  await row(page, `By link ${dark}`).click();
  await press('Approve');
  await expect.poll(async () => (await call<{ status: string }>('', 'GET', `/people-task/tasks/${three.taskId}?secret=${three.approverSecret}`)).status).toBe('approved');
  await over(at);
});

it('connectors are found and read about, and published and removed by who may', async () => {
  const at = await visit(browser);
  const { page } = at;
  await opened(at, 'Connectors');
  await page.getByRole('searchbox').fill('http');
  await expect.poll(() => page.locator('.apps li').count()).toBe(1);
  await page.getByRole('button', { name: /Webhooks and HTTP requests/ }).waitFor();
  await clean(at, 'connectors');
  await page.getByRole('button', { name: /Webhooks and HTTP requests/ }).click();
  await page.getByRole('heading', { name: 'Webhook Trigger', exact: true }).waitFor();
  await clean(at, 'connector');
  await page.getByRole('button', { name: 'Back' }).click();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByLabel('Publish a connector').last().setInputFiles({ name: 'broken.zip', mimeType: 'application/zip', buffer: Buffer.from('no archive at all') });
  await page.getByRole('heading', { name: '“broken.zip” was not published' }).waitFor();
  await clean(at, 'connector-refused');
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('button', { name: /^F forms/ }).click();
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText(/is removed/).waitFor();
  await expect.poll(() => page.getByRole('button', { name: /^F forms/ }).count()).toBe(0);
  await page.getByLabel('Publish a connector').last().setInputFiles({ name: 'forms.zip', mimeType: 'application/zip', buffer: Buffer.from(process.env['HEADRACE_CONNECTOR'] ?? '', 'base64') });
  await page.getByText('Published 1 component').waitFor();
  await page.getByRole('button', { name: /^F forms/ }).waitFor();
  await clean(at, 'connector-published');
  await over(at);
});
