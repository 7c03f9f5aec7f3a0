/** The flow manager and the runs: by mouse, keyboard and touch, in every state, long, in pages of others. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FlowRecord } from '../../kit/api.ts';
import { BASE, axeOf, hosted, launch, opened, visit } from './page.ts';
import type { Visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

const START = { go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, version: '1.0.0', source: {}, config: {} } };
const HOOK = { type: 'headrace.utils.http.WebhookTrigger', x: 64, y: 64, version: '1.0.0', source: {}, config: { properties: { immediateResponse: true } } };
const behind = (type: string, lambda: object): object => ({ type: `headrace.utils.${type}`, label: 'What follows', x: 320, y: 64, version: '1.0.0', source: { in: { hook: ['request'] } }, config: { transform: { in: { hook: { request: { type: 'json2new', lambda, modifiers: {} } } } } } });

const made = async (at: Visit, name: string, flow: object = START): Promise<string> => (await at.api<{ flowId: string }>('POST', '/flows', { name, flow })).flowId;
const stage = (at: Visit, flowId: string) => async (): Promise<string> => (await at.api<FlowRecord>('GET', `/flows/${flowId}`)).stage;
const row = (page: Page, name: string) => page.getByRole('row', { name, exact: true });
const names = (page: Page): Promise<string[]> => page.locator('.table-row .title').allTextContents();
const told = (page: Page): Promise<[string, Record<string, unknown>][]> => page.evaluate('told');
async function choose(page: Page, name: string, entry: string): Promise<void> {
  await page.getByRole('button', { name: `More for ${name}` }).last().click();
  await page.getByRole('menuitem', { name: entry, exact: true }).click();
}

it('flows are found, started, renamed, copied, deleted by mouse, and the host hears of it', async () => {
  const at = await visit(browser);
  const { page } = at;
  const [first, second] = [await made(at, 'Alpha of the mouse'), await made(at, 'Beta of the mouse')];
  await opened(at, 'FlowManager', `options: { customFilter: { name: '~mouse' } }`);
  await page.evaluate(`for (const type of ['start', 'rename', 'clone', 'remove']) hear('flow:' + type + '-after')`);
  expect(await names(page)).toEqual(['Beta of the mouse', 'Alpha of the mouse']);
  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
  await expect.poll(() => names(page)).toEqual(['Alpha of the mouse', 'Beta of the mouse']);
  await page.getByRole('searchbox').fill('beta');
  await expect.poll(() => names(page)).toEqual(['Beta of the mouse']);
  await page.getByRole('button', { name: 'Clear' }).click();

  await page.getByRole('button', { name: 'Start: Alpha of the mouse' }).click();
  await page.getByText('“Alpha of the mouse” is running').waitFor();
  expect(await stage(at, first)()).toBe('running');
  await page.getByRole('combobox', { name: 'Show' }).selectOption('Running');
  await expect.poll(() => names(page)).toEqual(['Alpha of the mouse']);
  await page.getByRole('combobox', { name: 'Show' }).selectOption('All flows');

  await choose(page, 'Beta of the mouse', 'Rename');
  await page.getByRole('textbox', { name: 'Name' }).fill('Gamma of the mouse');
  await page.keyboard.press('Enter');
  await row(page, 'Gamma of the mouse').waitFor();
  await choose(page, 'Gamma of the mouse', 'Copy');
  await expect.poll(async () => (await names(page)).length).toBe(3);

  await choose(page, 'Gamma of the mouse', 'Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  expect(await stage(at, second)()).toBe('stopped');
  await choose(page, 'Gamma of the mouse', 'Delete');
  expect(await axeOf(at)).toEqual([]);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect.poll(() => row(page, 'Gamma of the mouse').count()).toBe(1);
  expect((await told(page)).map(([type, data]) => [type, data['flowId'] === first ? 'first' : 'second'])).toEqual([['flow:start-after', 'first'], ['flow:rename-after', 'second'], ['flow:clone-after', 'second'], ['flow:remove-after', 'second']]);

  for (const [entry, tag] of [['Runs', 'hr-runs'], ['Logs', 'hr-insights-logs']] as const) {
    await choose(page, 'Alpha of the mouse', entry);
    await page.locator(tag).getByRole('heading', { level: 1 }).waitFor();
    expect(await page.evaluate(`document.querySelector('${tag}').dataset.modal`)).toBe('');
    await page.keyboard.press('Escape');
    await page.locator(tag).waitFor({ state: 'detached' });
  }
  await page.getByRole('checkbox', { name: 'Select Alpha of the mouse' }).check();
  await page.getByRole('toolbar').getByRole('button', { name: 'Stop' }).click();
  await expect.poll(stage(at, first)).toBe('stopped');
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('a host takes over what it listens to, has entries of its own, and lets the rest happen', async () => {
  const at = await visit(browser);
  const { page } = at;
  const flowId = await made(at, 'Taken over');
  await opened(at, 'FlowManager', `options: { customFilter: { name: 'Taken over' }, menu: [{ event: 'flow:remove', label: 'Throw away' }, { event: 'my-own', label: 'Ours' }, { event: 'flow:start' }] },
    api: { startFlow(id) { return this._request({ method: 'POST', url: '/flows/' + id + '/coordinator', data: { command: 'start' } }); } },
    l10n: { ui: { flowManager: { title: 'Abläufe' }, kit: { moreFor: 'Mehr zu {{name}}' } } }, lang: 'de', theme: { mode: 'dark', variables: { colors: { primary: '#ffcc00' } } }`);
  await page.evaluate(`hear('my-own', 'flow:remove', 'flow:remove-after')`);
  await page.getByRole('heading', { name: 'Abläufe' }).waitFor();
  expect(await page.locator('hr-flow-manager').evaluate((node) => [(node as HTMLElement).dataset['mode'], (node as HTMLElement).lang, getComputedStyle(node).getPropertyValue('--hr-on-primary')])).toEqual(['dark', 'de', '#000000']);
  for (const entry of ['Throw away', 'Ours']) {
    await page.getByRole('button', { name: 'Mehr zu Taken over' }).click();
    await page.getByRole('menuitem', { name: entry }).click();
  }
  expect((await told(page)).map(([type]) => type)).toEqual(['flow:remove', 'my-own']);
  expect(await stage(at, flowId)()).toBe('stopped');
  await page.evaluate(`widget.off('flow:remove'); void widget.on('flow:start', async (event) => { await event.next(); told.push(String(event)); })`);
  await page.getByRole('button', { name: 'Starten: Taken over' }).click();
  await expect.poll(async () => (await told(page)).at(-1)).toBe(flowId);
  expect(await stage(at, flowId)()).toBe('running');
  await page.evaluate(`void widget.state('query/pattern', 'nothing is called that')`);
  await page.getByRole('heading', { name: 'Kein passender Flow' }).waitFor();
  await page.evaluate('widget.reset()');
  await row(page, 'Taken over').waitFor();
  await page.context().close();
});

it('a keyboard goes from row to row, opens, selects, and has the menu of a row', async () => {
  const at = await visit(browser);
  const { page } = at;
  for (const name of ['Key one', 'Key two', 'Key three']) await made(at, name);
  await opened(at, 'FlowManager', `options: { customFilter: { name: '~^Key ' } }, state: { query: { sort: 'btime:1' } }`);
  await page.evaluate(`hear('flow:open')`);
  const focused = (): Promise<string | null> => page.evaluate(`document.querySelector('hr-flow-manager').shadowRoot.activeElement?.getAttribute('aria-label')`);
  await row(page, 'Key one').focus();
  await page.keyboard.press('ArrowDown');
  await expect.poll(focused).toBe('Key two');
  await page.keyboard.press('End');
  await expect.poll(focused).toBe('Key three');
  await page.keyboard.press('ArrowUp');
  await expect.poll(focused).toBe('Key two');
  await page.keyboard.press('Space');
  await page.getByRole('toolbar').getByText('1 selected').waitFor();
  expect(await row(page, 'Key two').getAttribute('aria-selected')).toBe('true');
  await page.keyboard.press('Enter');
  expect((await told(page)).map(([type, data]) => [type, (data['flow'] as FlowRecord).name])).toEqual([['flow:open', 'Key two']]);
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menu').waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('r');
  await expect.poll(() => page.evaluate(`document.querySelector('hr-flow-manager').shadowRoot.activeElement?.textContent.trim()`)).toBe('Rename');
  expect(await axeOf(at)).toEqual([]);
  await page.keyboard.press('Escape');
  await expect.poll(focused).toBe('More for Key two');
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

describe.each([{ dark: false, narrow: false, rtl: true }, { dark: true, narrow: true, rtl: false }])('its states, dark: $dark, narrow: $narrow, rtl: $rtl', ({ dark, narrow, rtl }) => {
  it('are clean, and lead on', async () => {
    const at = await visit(browser, '/', { dark, narrow, touch: narrow });
    const { page } = at;
    const called = `Of a state, ${dark ? 'dark' : 'light'}`;
    const flowId = await made(at, called);
    const clean = async (name: string): Promise<void> => {
      await at.shot(`50-flows-${name}`);
      expect(await axeOf(at), name).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name).toBe(true);
    };
    await page.evaluate(`window.fail = true; window.wait = new Promise((resolve) => (window.letGo = resolve)); 0`);
    const api = `getFlows: async (query) => { await wait; if (window.fail) throw new TypeError('no network'); return headrace.api.getFlows(query); }`;
    const opening = opened(at, 'FlowManager', `options: { customFilter: { name: '${called}' } }, api: { ${api} }`, { rtl });
    await page.getByText('Loading…').waitFor({ state: 'attached' });
    await clean('loading');
    await page.evaluate('letGo()');
    await opening;
    await page.getByText('The server cannot be reached.').waitFor();
    await clean('error');
    await page.evaluate('window.fail = false');
    await page.getByRole('button', { name: 'Try again' }).click();
    await row(page, called).waitFor();
    await clean('list');
    await page.context().setOffline(true);
    await page.getByText('You are offline.').waitFor();
    await clean('offline');
    await page.context().setOffline(false);
    await expect.poll(() => page.getByText('You are offline.').count()).toBe(0);
    for (const layout of ['Cards', 'Pictures']) {
      await page.getByRole('button', { name: layout }).click();
      await page.locator('.flow-card').waitFor();
      await clean(layout.toLowerCase());
    }
    await page.getByRole('button', { name: `Menu of ${called}` }).click();
    const start = page.getByRole('menuitem', { name: 'Start' });
    await (narrow ? start.tap() : start.click());
    await expect.poll(stage(at, flowId)).toBe('running');
    await page.getByRole('searchbox').fill('nothing like it');
    await page.getByRole('heading', { name: 'No flow fits' }).waitFor();
    await clean('none');
    expect(at.complaints.filter((each) => !each.includes('ERR_INTERNET_DISCONNECTED'))).toEqual([]);
    await page.context().close();
  });
});

it('5,000 rows are there within a second, and any of them is a moment away', async () => {
  const at = await visit(browser);
  const { page } = at;
  await page.evaluate(`window.asked = []`);
  const flow = `({ flowId: 'f' + n, name: 'Flow ' + n, stage: 'stopped', mtime: '2026-01-01T00:00:00Z', btime: '2026-01-01T00:00:00Z' })`;
  await opened(at, 'FlowManager', `api: { getFlowsCount: async () => 5000, getFlows: async ({ offset, limit }) => { asked.push(offset); return Array.from({ length: limit }, (_, at) => { const n = offset + at; return ${flow}; }); } }`);
  expect(await page.evaluate('took')).toBeLessThan(1000);
  expect(await page.locator('.table-row').count()).toBeLessThan(60);
  await row(page, 'Flow 0').focus();
  await page.keyboard.press('End');
  await row(page, 'Flow 4999').waitFor();
  expect(await page.evaluate('asked')).toEqual([0, 4900]);
  expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe('5001');
  await page.context().close();
});

it('runs say why they wait, are cancelled, and are tried again', async () => {
  const at = await visit(browser);
  const { page } = at;
  const waits = await made(at, 'Waits', { hook: HOOK, wait: behind('timers.Wait', { interval: '20m' }) });
  const fails = await made(at, 'Fails', { hook: HOOK, get: behind('http.Get', { url: 'no address' }) });
  for (const flowId of [waits, fails]) {
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
    await at.api('POST', `/flows/${flowId}/components/hook`, { who: 'ada' });
  }
  await expect.poll(async () => (await Promise.all([waits, fails].map((id) => at.api<{ items: { state: string }[] }>('GET', `/runs?flowId=${id}`)))).map(({ items }) => items[0]?.state)).toEqual(['waiting', 'failed']);
  await opened(at, 'Runs');
  await page.evaluate(`hear('run:cancel-after', 'run:retry-after')`);
  await page.getByRole('combobox', { name: 'State' }).selectOption('Waiting');
  await expect.poll(() => page.locator('.table-row').count()).toBe(1);
  await at.shot('51-runs');
  expect(await axeOf(at)).toEqual([]);
  await page.locator('.table-row').click();
  await page.getByText(/Goes on in/).waitFor();
  await page.locator('.steps summary').first().click();
  await page.getByText('"ada"').first().waitFor();
  await at.shot('52-run');
  expect(await axeOf(at)).toEqual([]);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
  await page.locator('.widget-name').getByText('Cancelled').waitFor();
  await page.getByRole('button', { name: 'Back' }).click();
  await page.getByRole('combobox', { name: 'State' }).selectOption('Any state');
  await page.getByRole('combobox', { name: 'Flow' }).selectOption('Fails');
  await page.locator('.table-row', { hasText: 'Fails' }).click();
  await page.getByRole('heading', { name: 'Given up, waiting for you' }).waitFor();
  expect(await axeOf(at)).toEqual([]);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect.poll(async () => (await told(page)).map(([type]) => type)).toEqual(['run:cancel-after', 'run:retry-after']);
  await expect.poll(() => page.locator('.steps > li').count(), { timeout: 15_000 }).toBe(3); // the hook, and both tries of the one step
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByRole('dialog').getByText('What this run did outside is done again.').waitFor();
  expect(await axeOf(at)).toEqual([]);
  await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
  const facts = page.locator('.facts');
  await facts.getByText('Again with the event of').waitFor();
  const origin = await facts.getByRole('button').textContent();
  await page.getByText('"ada"').first().waitFor({ state: 'attached' });
  expect(await axeOf(at)).toEqual([]);
  await at.shot('52-run-again');
  await facts.getByRole('button').click();
  await expect.poll(() => facts.locator('.id code').textContent()).toBe(origin);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

const HOSTILE = `* { all: unset !important; color: red !important; font-size: 30px !important; } head, script, style, title { display: none !important; } html, body, main { display: block !important; } button, .table, .frame, dialog { display: none !important; } main { height: 800px !important; }`;

it('runs come over the live stream, nothing is asked for by the clock meanwhile, and nothing at all while nobody looks', async () => {
  const at = await visit(browser);
  const { page } = at;
  const flowId = await made(at, 'Told as it happens', { hook: HOOK });
  await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
  const send = (): Promise<unknown> => at.api('POST', `/flows/${flowId}/components/hook`, {});
  await send();
  const asked: string[] = [];
  page.on('request', (request) => { if (request.resourceType() === 'fetch' && !/\/(sdk|live|user)/.test(request.url())) asked.push(request.url()); });
  await page.clock.install();
  const streamed = page.waitForResponse((response) => response.url().includes(`/live?topic=flow%3A${flowId}`));
  await opened(at, 'Runs', `flowId: '${flowId}'`);
  const rows = page.locator('.table-row');
  await expect.poll(() => rows.count()).toBe(1);
  await page.clock.runFor(500);
  await streamed;
  await page.clock.runFor(2000);
  await send();
  await expect.poll(async () => (await page.clock.runFor(1000), rows.filter({ hasText: 'Done' }).count())).toBe(2);
  const ofRuns = (): string[] => asked.filter((url) => url.includes('/runs')); // the page below asks for its flows by the clock
  let before = -1;
  await expect.poll(async () => {
    await page.clock.runFor(1000);
    return before === (before = ofRuns().length);
  }, { interval: 300 }).toBe(true);
  await page.clock.runFor(100_000);
  expect(ofRuns().length - before, ofRuns().slice(before).join(' ')).toBeLessThanOrEqual(2); // by the clock it were ten; the end of a run may be told after it was read
  const see = (state: string): Promise<unknown> => page.evaluate(`for (const [name, value] of [['visibilityState', '${state}'], ['hidden', ${state === 'hidden'}]]) Object.defineProperty(document, name, { value, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))`);
  await see('hidden');
  const settled = asked.length;
  await send();
  await page.clock.runFor(200_000);
  expect(asked.length).toBe(settled);
  await see('visible');
  await expect.poll(() => rows.count()).toBe(3);
  await page.context().close();
});

it('a hostile page of another origin has it by an element, under a strict policy, and above itself as a dialog', async () => {
  const at = await visit(browser);
  const { page } = at;
  await made(at, 'Among strangers');
  const host = await hosted({
    '/': { type: 'text/html', text: '<!doctype html><html lang="en"><head><title>Host</title><link rel="stylesheet" href="/host.css"></head><body><main><hr-flow-manager options=\'{"customFilter":{"name":"Among strangers"}}\'></hr-flow-manager></main><script type="module" src="/host.js"></script></body></html>', headers: { 'content-security-policy': `default-src 'none'; script-src 'self' ${BASE}; connect-src ${BASE}; style-src 'self'; img-src data:; base-uri 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html` } },
    '/host.css': { type: 'text/css', text: HOSTILE },
    '/host.js': { type: 'text/javascript', text: `import { Headrace } from '${BASE}/sdk/headrace.mjs';
      document.querySelector('hr-flow-manager').addEventListener('flow:open', (event) => { event.preventDefault(); window.taken = event.detail.flowId; });
      window.headrace = new Headrace({ baseUrl: '${BASE}', accessToken: ${JSON.stringify(at.token)} });` },
  });
  try {
    await at.api('PUT', '/origins/vault', { origins: [host.origin] });
    await expect.poll(async () => (await fetch(`${BASE}/flows`, { headers: { origin: host.origin, authorization: `Bearer ${at.token}` } })).headers.get('access-control-allow-origin'), { timeout: 10_000 }).toBe(host.origin);
    await page.goto(`${host.origin}/`);
    await row(page, 'Among strangers').waitFor();
    expect(await row(page, 'Among strangers').locator('.title').evaluate((node) => [getComputedStyle(node).fontSize, getComputedStyle(node).color])).toEqual(['14px', 'rgb(23, 33, 43)']);
    await row(page, 'Among strangers').click();
    expect(await page.evaluate('typeof taken')).toBe('string');
    await at.shot('53-hostile');
    await page.evaluate(`window.runs = new headrace.ui.Runs(); runs.open()`);
    await page.locator('hr-runs').getByRole('heading', { name: 'Runs' }).waitFor();
    await at.shot('54-hostile-dialog');
    await page.locator('hr-runs').getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => page.locator('hr-runs').count()).toBe(0);
    await page.evaluate('runs.open()');
    await page.locator('hr-runs').getByRole('heading', { name: 'Runs' }).waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('hr-runs').count()).toBe(0);
    await page.evaluate(`document.querySelector('hr-flow-manager').remove()`);
    await page.evaluate('headrace.destroy()');
    expect(await page.evaluate('[document.querySelectorAll("hr-flow-manager, hr-runs").length, document.body.children.length, document.adoptedStyleSheets.length]')).toEqual([0, 2, 0]);
    expect(at.complaints).toEqual([]);
  } finally {
    await host.close();
    await page.context().close();
  }
});

it('each widget opened and closed again and again keeps no memory, no listener, no element', async () => {
  const at = await visit(browser);
  const { page } = at;
  await opened(at, 'FlowManager');
  await page.evaluate(`window.round = async () => { for (const name of ['FlowManager', 'Runs', 'Accounts', 'Storage', 'Files', 'PeopleTasks', 'Connectors']) { const each = new headrace.ui[name]({ el: '#host' }); await each.open(); await each.destroy(); } }`);
  await page.evaluate('widget.destroy()');
  const engine = await page.context().newCDPSession(page);
  await engine.send('Performance.enable');
  const measured = async (): Promise<{ heap: number; nodes: number; listeners: number }> => {
    await engine.send('HeapProfiler.collectGarbage');
    await engine.send('HeapProfiler.collectGarbage');
    const { metrics } = await engine.send('Performance.getMetrics');
    const of = (name: string): number => metrics.find((each) => each.name === name)?.value ?? 0;
    return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
  };
  for (let warm = 0; warm < 2; warm += 1) await page.evaluate('round()');
  const before = await measured();
  for (let again = 0; again < 4; again += 1) await page.evaluate('round()');
  const after = await measured();
  const said = JSON.stringify({ before, after });
  expect(after.heap - before.heap, said).toBeLessThan(1024 * 1024);
  expect(after.listeners - before.listeners, said).toBeLessThanOrEqual(4);
  expect(after.nodes - before.nodes, said).toBeLessThan(200);
  expect(await page.evaluate(`document.querySelector('#host').children.length`)).toBe(0);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});
