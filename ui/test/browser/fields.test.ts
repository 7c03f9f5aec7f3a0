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

const FORM = {
  go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} },
  work: { type: 'vault.forms.core.Work', label: 'Form', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} },
};

it('a file is uploaded and picked, code has an editor, and a choice can come from an earlier step', async () => {
  const at = await visit(browser);
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Fields', flow: FORM });
  const values = async (): Promise<Record<string, unknown>> => {
    await isSaved(page);
    return (await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow['work']!.config!.transform!['in']!['go']!['out']!.lambda!;
  };
  await page.goto(page.url() + `flows/${flowId}`);
  await card(page, 'Form').click();

  await page.getByLabel('A file of this computer for File').setInputFiles({ name: 'hello.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
  await expect.poll(() => page.getByRole('combobox', { name: 'File' }).locator('option:checked').textContent()).toBe('hello.txt · 5 B');
  const { file } = await values();
  expect(await at.api('GET', `/files/${String(file)}`)).toBe('hello');

  const code = page.locator('.cm-content[aria-label="Code"]');
  await code.click();
  await page.keyboard.type('return 1 +\n2;');
  await page.getByText("Fields of the kind 'hologram' are not known here").waitFor();
  await at.shot('23-fields');
  expect(await at.axe()).toEqual([]);
  expect((await values())['code']).toBe('return 1 +\n  2;');

  await page.getByRole('combobox', { name: 'Choice' }).selectOption('two');
  expect((await values())['choice']).toBe('two'); // which its manifest offers twice
  await page.getByRole('button', { name: 'Take Choice from an earlier step' }).click();
  await page.getByRole('textbox', { name: 'Choice' }).click();
  await page.getByRole('button', { name: 'Started', exact: false }).first().click();
  expect(String((await values())['choice'])).toMatch(/\{\{\{.+\}\}\}/);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('a field of the host shows values, gives them, and is told what changes', async () => {
  const at = await visit(browser);
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Fields of the host', flow: FORM });
  await page.evaluate(`(async () => {
    const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
    const headrace = new Headrace({ baseUrl: location.origin, accessToken: ${JSON.stringify(at.token)} });
    headrace.registerInspectorField('stars', {
      mount(host, field) {
        const button = host.appendChild(document.createElement('button'));
        const draw = (now) => { button.textContent = 'Stars: ' + (now.value ?? 'none'); button.onclick = () => now.change(Number(now.value ?? 0) + 1); };
        draw(field);
        window.told = field.context;
        return { update: draw, destroy: () => { window.gone = true; button.remove(); } };
      },
    });
    document.body.replaceChildren();
    const host = document.body.appendChild(document.createElement('div'));
    host.style.height = '100vh';
    await headrace.ui.Designer({ el: host, flowId: ${JSON.stringify(flowId)} }).open();
  })()`);
  await card(page, 'Form').click();
  await page.getByRole('button', { name: 'Stars: none' }).click();
  await page.getByRole('button', { name: 'Stars: 1' }).click();
  await page.getByRole('button', { name: 'Stars: 2' }).waitFor();
  await isSaved(page);
  const { flow } = await at.api<FlowRecord>('GET', `/flows/${flowId}`);
  expect(flow['work']!.config!.transform!['in']!['go']!['out']!.lambda).toEqual({ stars: 2 });
  expect(await page.evaluate('[told.componentId, told.descriptorPath, told.inputManifest.type, told.componentManifest.name]')).toEqual(['work', 'config/transform/in/go/out/lambda/stars', 'stars', 'vault.forms.core.Work']);
  await page.getByRole('button', { name: 'Close settings' }).click();
  expect(await page.evaluate('gone')).toBe(true);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});
