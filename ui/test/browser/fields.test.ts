/** Fields of the inspector: values with modifiers, files, code, fields of the host. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FlowRecord } from '../../kit/api.ts';
import { call, card, isSaved, launch, made, visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

it('a value goes through modifiers, and what comes out of each is seen as it is typed', async () => {
  const at = await visit(browser);
  const { page } = at;
  const flowId = await made(at, 'greeting');
  await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
  expect(await call('', 'POST', `/flows/${flowId}/components/hook`, { name: 'ada' })).toBe('Hello Ada!');
  await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'stop' });
  await page.goto(page.url() + `flows/${flowId}`);
  await card(page, 'Answer').click();
  await page.locator('.text .chip').first().click();
  const stage = page.locator('.outcome');
  await page.getByLabel('Add a modifier').selectOption({ label: 'Upper case' });
  await stage.filter({ hasText: '"HELLO ADA!"' }).waitFor();
  await page.getByLabel('Add a modifier').selectOption({ label: 'Truncate' });
  await page.getByLabel('length').fill('8');
  await stage.filter({ hasText: '"HELLO..."' }).waitFor();
  await page.getByLabel('A value to try it with').fill('good day to all of you');
  await stage.filter({ hasText: '"GOOD DAY TO ALL OF YOU"' }).waitFor();
  await stage.filter({ hasText: '"GOOD ..."' }).waitFor();
  await at.shot('22-modifiers');
  expect(await at.axe()).toEqual([]);
  await page.getByRole('button', { name: 'Move Truncate up' }).click();
  await page.getByRole('button', { name: 'Move Truncate down' }).waitFor();
  await isSaved(page);
  const { flow } = await at.api<FlowRecord>('GET', `/flows/${flowId}`);
  const [variable] = Object.values(flow['answer']!.config!.transform!['in']!['greet']!['out']!.modifiers!['body']!);
  expect(variable!.functions!.map((each) => [each.name, each.params])).toEqual([['g_truncate', [{ value: 8 }]], ['g_uppercase', []]]);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});
