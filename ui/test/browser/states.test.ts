/** Every state of the designer that people come to, in the dark and on a phone: nothing clipped, nothing that axe finds. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEMPLATES } from '../../page/templates.ts';
import { launch, visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

describe.each([{ dark: true, narrow: false }, { dark: false, narrow: true }, { dark: true, narrow: true }])('dark: $dark, narrow: $narrow', ({ dark, narrow }) => {
  it('its states are clean', async () => {
    const at = await visit(browser, '/', { dark, narrow, touch: narrow });
    const { page } = at;
    const { flow } = TEMPLATES.find((each) => each.id === 'greeting')!;
    const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
      name: 'A flow with a rather long name that has to be cut somewhere',
      flow: { ...flow, work: { type: 'vault.key.core.Work', label: 'Work with an account', x: 256, y: 272, source: { in: { hook: ['request'] } }, config: {} }, form: { type: 'vault.forms.core.Work', label: 'Form', x: 448, y: 272, source: { in: { work: ['out'] } }, config: {} } },
      customFields: { designer: { sheets: { n: { type: '@note', x: 64, y: 272, width: 224, height: 112, text: 'Keep this short', colour: 'yellow' }, f: { type: '@frame', x: 240, y: 224, width: 580, height: 180, text: 'With an account', colour: 'blue' } } } },
    });
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' }).catch(() => undefined); // it has no account
    await page.goto(page.url() + `flows/${flowId}`);
    const open = async (id: string): Promise<void> => page.locator(narrow ? `[data-step="${id}"]` : `[data-component-id="${id}"]`).click();
    const clean = async (name: string): Promise<void> => {
      await at.shot(`40-${name}`);
      expect(await at.axe(), name).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name).toBe(true);
    };
    await page.getByRole('button', { name: '1 problem' }).waitFor();
    await clean('flow');
    await open('work');
    await page.getByRole('button', { name: 'Connect an account' }).click();
    await page.getByLabel('API key').waitFor();
    await clean('account');
    await page.getByRole('button', { name: 'Close settings' }).click();
    await open('form');
    await page.getByRole('combobox', { name: 'Choice' }).waitFor();
    await page.locator('.cm-content').waitFor();
    await clean('fields');
    await page.getByRole('textbox', { name: 'Odd' }).click();
    await page.getByRole('heading', { name: 'Insert a value' }).waitFor();
    await clean('values');
    await page.getByRole('button', { name: 'Close settings' }).click();
    await open('answer');
    await page.locator('.text .chip').first().click();
    await page.getByLabel('Add a modifier').locator('option', { hasText: 'Upper case' }).waitFor({ state: 'attached' });
    await page.getByLabel('Add a modifier').selectOption({ label: 'Upper case' });
    await page.getByLabel('A value to try it with').fill('good day');
    await page.locator('.outcome', { hasText: '"GOOD DAY"' }).waitFor();
    await clean('modifiers');
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    if (narrow) await page.getByRole('button', { name: 'Close settings' }).click();
    await page.locator('.dock .cm-content').waitFor();
    await clean('test');
    for (const tab of ['Problems', 'Runs', 'Versions', 'Logs']) {
      await page.getByRole('tab', { name: tab }).click();
      await clean(tab.toLowerCase());
    }
    await page.getByRole('button', { name: 'Close this panel' }).click();
    await page.getByRole('button', { name: 'Search steps and commands' }).click();
    await page.getByRole('combobox', { name: 'Search steps and commands' }).fill('share');
    await page.keyboard.press('Enter');
    await page.getByText('Nobody else sees this flow.').waitFor();
    await clean('share');
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    if (!narrow) {
      await page.getByRole('button', { name: 'Close settings' }).click();
      await page.getByRole('button', { name: 'Add a step' }).click();
      await page.getByRole('searchbox', { name: 'Search components' }).waitFor();
      await page.locator('.sheet.note').click();
      await clean('note');
    }
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });
});
