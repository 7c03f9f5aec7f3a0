/** Logs, charts and the dashboard: found by mouse and by keys, followed live, in the dark, on a phone, from the right to the left, when nothing answers. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { starter } from '../../sdk/insights-dashboard/charts.ts';
import { BASE, hosted, launch, visit } from './page.ts';
import type { Visit } from './page.ts';

let browser: Browser;
let flowId = '';
let host: Awaited<ReturnType<typeof hosted>>;
beforeAll(async () => {
  browser = await launch();
  const policy = `default-src 'none'; script-src ${BASE}; connect-src ${BASE}; img-src data:; require-trusted-types-for 'script'; trusted-types svelte-trusted-html`;
  host = await hosted({ '/': { type: 'text/html', text: '<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width"><title>Host</title><link rel="icon" href="data:,"></head><body></body></html>', headers: { 'content-security-policy': policy } } }, Number(process.env['HEADRACE_HOST_PORT']));
});
afterAll(async () => {
  await browser.close();
  await host.close();
});

const HOOK = 'hook';
const send = (at: Visit, content: unknown): Promise<unknown> => at.api('POST', `/flows/${flowId}/components/${HOOK}`, content);

/** A flow that runs, fails at lists that are none, and has said something. */
async function busy(at: Visit): Promise<void> {
  if (flowId) return;
  const flow = {
    [HOOK]: { type: 'headrace.utils.http.Webhook', label: 'Order', x: 64, y: 64, source: {}, config: {} },
    each: { type: 'headrace.utils.controls.Each', label: 'Each', x: 256, y: 64, source: { in: { [HOOK]: ['trigger'] } }, config: { transform: { in: { [HOOK]: { trigger: { type: 'json2new', modifiers: { list: { v: { variable: `$.${HOOK}.trigger.data.list`, functions: [] } } }, lambda: { list: '{{{v}}}' } } } } } } },
  };
  flowId = (await at.api<{ flowId: string }>('POST', '/flows', { name: 'Orders', flow })).flowId;
  await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
  for (const list of [['a'], 5, ['b', 'c']]) await send(at, { list });
  await expect.poll(async () => (await at.api<{ hits: unknown[] }>('GET', `/logs?flowId=${flowId}&query=severity:error`)).hits.length, { timeout: 10_000 }).toBeGreaterThan(0);
}

async function open(page: Page, token: string, name: string, config: object = {}, more: object = {}): Promise<void> {
  await page.evaluate(`(async () => {
    const { Headrace } = await import('${BASE}/sdk/headrace.mjs');
    await window.headrace?.destroy();
    document.body.replaceChildren();
    document.body.style.margin = '0';
    const main = document.body.appendChild(document.createElement('main'));
    main.style.height = '100vh';
    window.headrace = new Headrace({ baseUrl: '${BASE}', accessToken: ${JSON.stringify(token)}, ...${JSON.stringify(more)} });
    window.widget = headrace.ui[${JSON.stringify(name)}]({ el: main, ...${JSON.stringify(config)} });
    await widget.open();
  })()`);
}

it('the log is searched, narrowed down by what it shows, read record by record, and followed', async () => {
  const at = await visit(browser, host.origin);
  const { page } = at;
  await busy(at);
  await open(page, at.token, 'InsightsLogs');
  const lines = page.locator('.logs .line');
  await lines.first().waitFor();
  const all = await lines.count();
  await at.shot('70-logs');
  expect(await at.axe()).toEqual([]);
  await page.getByRole('button', { name: 'Errors', exact: true }).click();
  await expect.poll(() => page.locator('.logs .line:not(.is-error)').count()).toBe(0);
  await lines.first().focus();
  await page.keyboard.press('Enter');
  const record = page.getByRole('complementary', { name: 'Record' });
  await record.getByText('It must be a list').first().waitFor();
  await at.shot('71-record');
  expect(await at.axe()).toEqual([]);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await record.getByRole('button', { name: 'Only this run' }).click();
  await page.getByRole('button', { name: 'Remove the filter Only this run' }).waitFor();
  await expect.poll(() => lines.count()).toBeLessThan(all);
  const ofRun = await lines.count();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect.poll(() => lines.count()).toBeGreaterThan(ofRun);
  await page.getByRole('button', { name: 'All flows' }).click();
  await page.getByRole('dialog').getByRole('checkbox', { name: 'Orders' }).check();
  await page.getByRole('dialog').getByRole('button', { name: 'Apply' }).click();
  await page.getByRole('button', { name: 'Follow live' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
  await send(at, { list: ['just now'] });
  await lines.filter({ hasText: 'just now' }).first().waitFor();
  await page.getByRole('searchbox', { name: 'Search the log' }).fill('nobody says this');
  await page.getByRole('heading', { name: 'No record fits' }).waitFor();
  const chart = page.getByRole('group', { name: 'Records over time' });
  await page.getByRole('button', { name: 'Clear filters' }).last().click();
  await chart.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.getByRole('combobox', { name: 'Time' }).locator('option:checked', { hasText: 'Between two times' }).waitFor({ state: 'attached' });
  expect(at.complaints).toEqual([]);
  await page.context().close();
}, 60_000);

it('charts are made, arranged and removed, by the keyboard too, and each has its table', async () => {
  const at = await visit(browser, host.origin);
  const { page } = at;
  await busy(at);
  await open(page, at.token, 'InsightsDashboard', { options: { refresh: 0 } });
  await page.getByRole('heading', { name: 'No charts yet' }).waitFor();
  await page.getByRole('button', { name: 'Messages by day' }).click();
  await page.getByRole('table', { name: 'Messages by day' }).waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'New chart' }).click();
  const editor = page.locator('hr-insights-chart-editor');
  await editor.getByLabel('Name', { exact: false }).first().fill('By severity');
  await editor.getByRole('button', { name: 'Ring' }).click();
  await editor.getByLabel('Count by').selectOption({ label: 'Severity' });
  await editor.getByLabel('Records').selectOption({ label: 'Everything' });
  await editor.getByText('error', { exact: true }).first().waitFor();
  await at.shot('72-chart');
  expect(await at.axe()).toEqual([]);
  await editor.getByRole('button', { name: 'Save chart' }).click();
  await editor.waitFor({ state: 'detached' });
  const cards = page.locator('.card-of h2');
  await expect.poll(() => cards.allTextContents()).toEqual(['Messages by day', 'By severity']);
  const drawing = page.getByRole('group', { name: 'Messages by day', exact: true });
  await drawing.focus();
  await page.keyboard.press('End');
  await drawing.locator('[role="status"]', { hasText: /Messages by day \d/ }).waitFor({ state: 'attached' });
  const menu = (name: string): Promise<void> => page.getByRole('button', { name: `What to do with ${name}` }).press('Enter');
  await menu('By severity');
  await page.getByRole('menuitem', { name: 'Move earlier' }).press('Enter');
  await expect.poll(() => cards.allTextContents()).toEqual(['By severity', 'Messages by day']);
  await menu('Messages by day');
  await page.getByRole('menuitem', { name: 'Show as a table' }).press('Enter');
  await page.locator('.table-behind').waitFor();
  await at.shot('73-dashboard');
  expect(await at.axe()).toEqual([]);
  await menu('By severity');
  await page.getByRole('menuitem', { name: 'Remove' }).press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).press('Enter');
  await expect.poll(() => cards.allTextContents()).toEqual(['Messages by day']);
  expect(at.complaints).toEqual([]);
  await page.context().close();
}, 60_000);

it.each([{ dark: true, narrow: false, lang: 'en' }, { dark: false, narrow: true, lang: 'en' }, { dark: true, narrow: true, lang: 'ar' }])('nothing is clipped or wrong: dark $dark, narrow $narrow, in $lang', async ({ dark, narrow, lang }) => {
  const at = await visit(browser, host.origin, { dark, narrow, touch: narrow });
  const { page } = at;
  await busy(at);
  for (const name of ['InsightsLogs', 'InsightsDashboard', 'InsightsChartEditor', 'Integrations', 'AutomationHub']) {
    await open(page, at.token, name, {}, { lang });
    await at.shot(`74-${name}-${lang}`);
    expect(await at.axe(), name).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name).toBe(true);
  }
  await page.route(/\/(logs|charts|flows)(\?|$)/, (route) => route.abort());
  for (const name of ['InsightsLogs', 'InsightsDashboard', 'Integrations', 'AutomationHub']) {
    await open(page, at.token, name, {}, { lang });
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    expect(await at.axe(), `${name} without an answer`).toEqual([]);
  }
  expect(at.complaints.filter((each) => !/ERR_FAILED/.test(each))).toEqual([]);
  await page.context().close();
}, 60_000);

it('a finger picks a bar, swipes a table and drags a chart', async () => {
  const at = await visit(browser, host.origin, { narrow: true, touch: true });
  const { page } = at;
  await busy(at);
  for (const { chartId } of await at.api<{ chartId: string }[]>('GET', '/charts')) await at.api('DELETE', `/charts/${chartId}`);
  const [first, second] = ['First', 'Second'].map((name, index) => starter('messages', name, index));
  const traces = Object.values(first!.traces!).flatMap((trace) => Array.from({ length: 9 }, (_, of) => [`t${of}`, { ...trace, name: `Messages of kind ${of}` }]));
  await at.api('POST', '/charts', { ...first, traces: Object.fromEntries(traces) });
  await at.api('POST', '/charts', second);
  const session = await page.context().newCDPSession(page);
  const touch = (type: string, x?: number, y?: number): Promise<unknown> => session.send('Input.dispatchTouchEvent' as never, { type, touchPoints: x === undefined ? [] : [{ x, y }] } as never);
  async function swipe(from: { x: number; y: number }, to: { x: number; y: number }): Promise<void> {
    await touch('touchStart', from.x, from.y);
    for (let step = 1; step <= 10; step += 1) await touch('touchMove', from.x + ((to.x - from.x) * step) / 10, from.y + ((to.y - from.y) * step) / 10);
    await touch('touchEnd');
  }
  const middle = async (selector: string): Promise<{ x: number; y: number }> => {
    const { x, y, width, height } = (await page.locator(selector).boundingBox())!;
    return { x: x + width / 2, y: y + height / 2 };
  };

  await open(page, at.token, 'InsightsLogs');
  await page.locator('.bars .bar').last().waitFor();
  const bar = (await page.locator('.bars .bar').last().boundingBox())!;
  await page.touchscreen.tap(bar.x + bar.width / 2, bar.y + bar.height / 2);
  await page.getByRole('combobox', { name: 'Time' }).locator('option:checked', { hasText: 'Between two times' }).waitFor({ state: 'attached' });
  await at.shot('75-picked');

  await open(page, at.token, 'InsightsDashboard', { options: { refresh: 0 } });
  const cards = page.locator('.card-of h2');
  await expect.poll(() => cards.allTextContents()).toEqual(['First', 'Second']);
  await page.getByRole('button', { name: 'What to do with First' }).tap();
  await page.getByRole('menuitem', { name: 'Show as a table' }).tap();
  await page.locator('.table-behind').waitFor();
  const table = await middle('.table-behind');
  await swipe(table, { x: 20, y: table.y });
  await expect.poll(() => page.locator('.table-behind').evaluate((node) => node.scrollLeft)).toBeGreaterThan(40);
  await at.shot('76-swiped');
  const plot = await middle('.card-of:nth-child(2) .plot');
  await page.touchscreen.tap(plot.x, plot.y);
  await page.locator('.card-of:nth-child(2) .tip').waitFor();
  expect(await at.axe()).toEqual([]);
  const [from, to] = [await middle('.card-of:nth-child(2) .grip'), await middle('.card-of:nth-child(1) .grip')];
  await swipe(from, { x: to.x + 60, y: to.y });
  await expect.poll(() => cards.allTextContents()).toEqual(['Second', 'First']);
  await expect.poll(async () => (await at.api<{ name: string; index: number }[]>('GET', '/charts')).sort((a, b) => a.index - b.index).map((each) => each.name)).toEqual(['Second', 'First']);
  await page.getByRole('button', { name: 'Drag Second' }).press('ArrowDown');
  await expect.poll(() => cards.allTextContents()).toEqual(['First', 'Second']);
  await at.shot('77-dragged');
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('a chart that was changed is not left without a question, by whichever way', async () => {
  const at = await visit(browser, host.origin);
  const { page } = at;
  const question = page.getByRole('dialog').filter({ hasText: 'Leave without saving?' }).last();
  const stay = async (): Promise<void> => {
    await question.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => page.getByRole('textbox', { name: 'Name', exact: false }).first().inputValue()).toBe('Of some worth');
  };
  await open(page, at.token, 'InsightsChartEditor');
  for (const isAbove of [false, true]) {
    await page.evaluate(`(async () => {
      await widget.destroy();
      window.left = 0;
      window.widget = headrace.ui.InsightsChartEditor(${isAbove ? '{}' : '{ el: document.querySelector("main") }'});
      widget.on('close', () => { left += 1; });
      await widget.open();
    })()`);
    await page.getByRole('textbox', { name: 'Name', exact: false }).first().fill('Of some worth');
    const ways = isAbove ? [() => page.keyboard.press('Escape'), () => page.getByRole('button', { name: 'Close' }).first().click()] : [() => page.getByRole('button', { name: 'Back' }).click(), () => page.getByRole('button', { name: 'Cancel' }).first().click()];
    for (const leave of ways) {
      await leave();
      await question.waitFor();
      await stay();
    }
    await ways[0]!();
    await question.getByRole('button', { name: 'Leave' }).click();
    await expect.poll(() => page.evaluate('left')).toBe(1);
  }
  expect(at.complaints).toEqual([]);
  await page.context().close();
});
