/**
 * Every widget while it loads, filled, with nothing to show, refused, and without a network: nothing that axe finds, nothing
 * said in the console, nothing wider than the page. A state is seen at one size, in one theme and from one side; a widget in all.
 */
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import de from '../../l10n/de.json' with { type: 'json' };
import { starter } from '../../sdk/insights-dashboard/charts.ts';
import { BASE, axeOf, call, launch, visit } from './page.ts';
import type { Visit } from './page.ts';

const LOGIN = process.env['HEADRACE_LOGIN'] ?? '';
const KEY = process.env['HEADRACE_SERVICE_KEY'] ?? '';
const EMPTY = { name: 'nobody@states.example', password: 'of somebody who has nothing' };
const LONG = 'Orders of the day, from the shop to the ledger, and a word to whoever has to know of them';
/** Neighbours differ in one thing, so that any five in a row have everything. */
const MODES = [
  { narrow: false, dark: false, rtl: false }, { narrow: true, dark: false, rtl: false }, { narrow: true, dark: true, rtl: false }, { narrow: false, dark: true, rtl: false },
  { narrow: false, dark: true, rtl: true }, { narrow: true, dark: true, rtl: true }, { narrow: true, dark: false, rtl: true }, { narrow: false, dark: false, rtl: true },
] as const;

interface Case {
  /** What is read once there is something to read. */
  filled: string | RegExp;
  /** What is said where there is nothing; `nothing` is the configuration that leads there. */
  empty: string | RegExp;
  config?: () => object;
  nothing?: () => object;
}

let browser: Browser;
let at: Visit;
let empty: string;
let ids: { flowId: string; templateId: string; chartId: string; plainId: string; runId: string };
let answer: 'pass' | 'hold' | 500 | 403 = 'pass';
let letGo: (() => void)[] = [];
/** Everything that the API answered. */
let told = '';

const REFUSALS = { 500: { code: 'internal', message: 'Something broke at the platform. It was written down.' }, 403: { code: 'forbidden', message: 'This is not for you to see. Ask whoever it belongs to.' } };
const CASES: Readonly<Record<string, Case>> = {
  FlowManager: { filled: LONG, empty: 'No flows yet' },
  Wizard: { filled: 'Work by the clock', empty: 'There is nothing to fill in', config: () => ({ flowId: ids.templateId }), nothing: () => ({ flowId: ids.plainId }) },
  Integrations: { filled: 'Work by the clock', empty: 'No integrations yet' },
  AutomationHub: { filled: 'Work by the clock', empty: 'No integrations yet' },
  Accounts: { filled: 'key-holder', empty: 'No accounts yet' },
  Storage: { filled: /Orders of all the years/, empty: 'No data stores yet' },
  Files: { filled: /Rechnung/, empty: 'No files yet' },
  PeopleTasks: { filled: 'May it be paid?', empty: 'Nothing to decide' },
  InsightsLogs: { filled: /It must be a list/, empty: 'Nothing was logged in this time' },
  InsightsChartEditor: { filled: 'What came in', empty: 'Nothing in this time.', config: () => ({ chartId: ids.chartId }), nothing: () => ({}) },
  InsightsDashboard: { filled: 'What came in', empty: 'No charts yet' },
  Connectors: { filled: 'HTTP', empty: 'No connector fits', nothing: () => ({ state: { query: { pattern: 'nothing is called that' } } }) },
  Runs: { filled: 'Failed', empty: 'Nothing has run yet' },
  'Runs, one of them': { filled: 'Each', empty: 'No run fits', config: () => ({ runId: ids.runId }), nothing: () => ({ state: { query: { state: 'waiting' } } }) },
  'Connectors, one of them': { filled: 'vault.key.core.Work', empty: 'No connector fits', config: () => ({ app: 'vault.key' }), nothing: () => ({ state: { query: { category: 'none' } } }) },
};

beforeAll(async () => {
  browser = await launch();
  at = await visit(browser, '/', { touch: true });
  const post = <T,>(path: string, data: unknown, method = 'POST'): Promise<T> => at.api<T>(method, path, data);
  const hook = { type: 'headrace.utils.http.Webhook', label: 'Order', x: 64, y: 64, source: {}, config: {} };
  const each = { type: 'headrace.utils.controls.Each', label: 'Each', x: 256, y: 64, source: { in: { hook: ['trigger'] } }, config: { transform: { in: { hook: { trigger: { type: 'json2new', modifiers: { list: { v: { variable: '$.hook.trigger.data.list', functions: [] } } }, lambda: { list: '{{{v}}}' } } } } } } };
  const { flowId } = await post<{ flowId: string }>('/flows', { name: LONG, flow: { hook, each } });
  await post(`/flows/${flowId}/coordinator`, { command: 'start' });
  for (const list of [['a'], 5]) await post(`/flows/${flowId}/components/hook`, { list });
  const draft = (name: string, flow: object, wizard: object): Promise<{ templateId: string }> =>
    post<{ flowId: string }>('/flows', { name, flow, wizard, type: 'integration-draft', description: 'Does the work for you, as often as you like.' })
      .then(({ flowId: id }) => post(`/drafts/${id}/publish?forceUpdate=true`, {}));
  const clock = { type: 'headrace.utils.timers.Timer', label: 'Every so often', x: 64, y: 64, source: {}, config: { properties: { interval: 60 } } };
  const work = { type: 'vault.key.core.Work', label: 'Do the work', x: 256, y: 64, source: { in: { clock: ['out'] } }, config: {} };
  const { templateId } = await draft('Work by the clock', { clock, work }, { intro: 'Does the work for you, as often as you like.', fields: [{ componentId: 'clock', input: 'interval', label: 'How often, in minutes' }] });
  await post(`/flows/${templateId}/clone`, { isTemplateInstance: true, setComponentIdMap: true, additional: { name: 'My own work by the clock' } });
  const { flowId: plainId } = await post<{ flowId: string }>('/flows', { name: 'Nothing to fill in', flow: { clock }, type: 'integration-template' });
  await post('/accounts', { service: 'vault:key', token: { apiKey: KEY } });
  const { storeId } = await post<{ storeId: string }>('/stores', { name: 'Orders of all the years that anybody here remembers' });
  await post(`/store/${storeId}/an-order`, { of: 'Ada', what: ['tea', 'a very long description of something that nobody will ever read to its end'] });
  await post('/people-task/tasks', { title: 'May it be paid?', description: 'It is more than usual.', requester: 'bob@example.com', approver: LOGIN, decisionBy: '2031-01-01T00:00:00Z' });
  await post('/people-task/tasks', { title: 'A task whose title goes on for longer than anybody would have thought when they drew its column', requester: 'somebody.with.a.rather.long.name@an-organisation.example.com', approver: LOGIN });
  const { chartId } = await post<{ chartId: string }>('/charts', starter('messages', 'What came in', 0));
  const { items } = await vi.waitFor(async () => {
    const found = await at.api<{ items: { runId: string; state: string }[] }>('GET', `/runs?flowId=${flowId}`);
    expect(found.items.map((each) => each.state)).toContain('failed');
    return found;
  }, { timeout: 15_000, interval: 200 });
  ids = { flowId, templateId, chartId, plainId, runId: items.find((each) => each.state === 'failed')!.runId };
  empty = (await call<{ token: string }>('', 'POST', '/user', { username: EMPTY.name, email: EMPTY.name, password: EMPTY.password })).token;
  const file = new FormData();
  file.append('file', new Blob(['what is owed']), 'Rechnung über alles, was im vergangenen Jahr bestellt, geliefert und noch nicht bezahlt wurde.txt');
  expect((await fetch(`${BASE}/files`, { method: 'POST', headers: { authorization: `Bearer ${at.token}` }, body: file })).ok).toBe(true);
  await vi.waitFor(async () => expect((await at.api<{ hits: unknown[] }>('GET', `/logs?flowId=${flowId}&query=severity:error`)).hits).not.toEqual([]), { timeout: 15_000, interval: 200 });
  at.page.on('response', (response) => void response.text().then((text) => (told += text), () => undefined));
  await at.page.context().route((url) => url.href.startsWith(BASE) && !/^\/(sdk|live|user$)/.test(url.pathname), answered);
  await at.page.evaluate(`(async () => {
    const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
    const main = document.createElement('main');
    document.body.replaceChildren(main);
    document.body.style.margin = '0';
    main.style.height = '100vh';
    window.homes = [${JSON.stringify(at.token)}, ${JSON.stringify(empty)}].map((accessToken) => new Headrace({ baseUrl: location.origin, accessToken }));
    window.begin = (name, isEmpty, config) => {
      window.widget = homes[Number(isEmpty)].ui[name]({ el: main, ...config });
      window.opening = widget.open();
    };
  })()`);
}, 60_000);
afterAll(async () => browser.close());

/** What the network says in place of the platform, just now. */
async function answered(route: Route): Promise<void> {
  if (route.request().resourceType() !== 'fetch') return route.continue();
  if (answer === 'hold') await new Promise<void>((resolve) => letGo.push(resolve));
  if (typeof answer === 'number') return route.fulfill({ status: answer, json: REFUSALS[answer] });
  return route.continue().catch(() => undefined); // whoever asked is gone
}
function pass(): void {
  answer = 'pass';
  for (const each of letGo.splice(0)) each();
}

async function wear(page: Page, { narrow, dark, rtl }: (typeof MODES)[number]): Promise<void> {
  await page.setViewportSize(narrow ? { width: 390, height: 844 } : { width: 1440, height: 900 });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  await page.evaluate(`document.documentElement.dir = '${rtl ? 'rtl' : 'ltr'}'`);
}

/** What sticks out of the page, is cut by its widget, has to be scrolled to the side, or points to the wrong one. Text, since it runs in the page. */
const OUT = `(() => {
  const found = [];
  const said = (node) => node.localName + '.' + (node.getAttribute('class') ?? '');
  const mayScroll = 'pre, .tab-bar, .steps, .toggles';
  const look = (root) => {
    for (const node of root.querySelectorAll('*')) {
      if (node.shadowRoot) look(node.shadowRoot);
      const box = node.getBoundingClientRect();
      if (!box.width || !box.height || node.closest('.sr, svg *') || getComputedStyle(node).visibility === 'hidden') continue;
      if (node.matches('.turn-back .glyph') && (getComputedStyle(node).transform === 'none') === node.matches(':dir(rtl)')) found.push('points the wrong way: ' + said(node));
      const { overflowX } = getComputedStyle(node);
      if ((overflowX === 'auto' || overflowX === 'scroll') && node.scrollWidth > node.clientWidth + 1 && !node.matches(mayScroll)) found.push('scrolls to the side: ' + said(node));
      if (box.right <= innerWidth + 1 && box.left >= -1) continue;
      let above = node.parentElement;
      while (above && (getComputedStyle(above).overflowX === 'visible' || above.matches('.frame'))) above = above.parentElement;
      if (!above) found.push('sticks out: ' + said(node));
    }
  };
  look(document);
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page is wider than its window');
  return found;
})()`;

it.each(Object.keys(CASES))('%s', async (name) => {
  const { filled, empty: nothing, config = () => ({}), nothing: other = config } = CASES[name]!;
  const { page } = at;
  const begin = (isEmpty: boolean, how: object): Promise<unknown> => page.evaluate(`void begin(${JSON.stringify(name.split(',')[0])}, ${isEmpty}, ${JSON.stringify(how)})`);
  const end = (): Promise<unknown> => page.evaluate('widget.destroy()');
  const read = (text: string | RegExp) => page.locator('main').getByText(text).filter({ visible: true }).first();
  const alert = page.getByRole('alert').first();
  let turn = Object.keys(CASES).indexOf(name);
  const seen = async (state: string): Promise<void> => {
    if (state !== 'loading') await expect.poll(() => page.locator('.bones, .skeleton').count()).toBe(0);
    await at.shot(`80-${name.replaceAll(/\W+/g, '-')}-${state}`);
    expect(await axeOf(at), state).toEqual([]);
    expect(await page.evaluate(OUT), state).toEqual([]);
    await wear(page, MODES[(turn += 1) % MODES.length]!);
  };
  onTestFinished(async () => {
    pass();
    await page.context().setOffline(false);
    await end();
  });
  const isBack = (): Promise<void> => expect.poll(async () => [await page.getByText('You are offline.').count(), await page.getByRole('alert').allTextContents()], { timeout: 6000 }).toEqual([0, []]);
  await wear(page, MODES[turn % MODES.length]!);

  answer = 'hold';
  await begin(false, config());
  await page.getByText('Loading…').first().waitFor({ state: 'attached' });
  await seen('loading');
  pass();
  await page.evaluate('opening');
  await read(filled).waitFor();
  await isBack();
  await seen('filled');

  await page.context().setOffline(true);
  await page.getByText('You are offline.').waitFor();
  await page.evaluate('widget.reload()');
  await read(filled).waitFor();
  await seen('offline');
  await page.context().setOffline(false);
  await isBack();
  await read(filled).waitFor();
  await end();

  answer = 500;
  await begin(false, config());
  await alert.getByText(REFUSALS[500].message).waitFor();
  await seen('error');
  answer = 403;
  await page.getByRole('button', { name: 'Try again' }).click();
  await alert.getByText(REFUSALS[403].message).waitFor();
  pass();
  await page.context().setOffline(true);
  await page.context().setOffline(false);
  await read(filled).waitFor();
  await isBack();
  await end();

  await begin(name !== 'Wizard', other());
  await read(nothing).waitFor();
  await seen('empty');
  const ours = at.complaints.splice(0).filter((each) => !/ERR_INTERNET_DISCONNECTED|status of (500|403)/.test(each));
  expect(ours).toEqual([]);
});

/** What stands in a page and did not go through the words of the host: texts without the marks that the host put around its words. */
const UNMARKED = `(() => {
  const found = new Set();
  const left = (text) => {
    for (let before; before !== text; ) [before, text] = [text, text.replace(/⟦[^⟦⟧]*⟧/g, ' ')];
    return text.trim();
  };
  const take = (node, text) => {
    const rest = left(text ?? '');
    if (/\\p{L}{2}/u.test(rest)) found.add(rest + '   ← ' + node.localName + '.' + (node.getAttribute('class') ?? ''));
  };
  const look = (root) => {
    for (const node of root.querySelectorAll('*')) {
      if (node.shadowRoot) look(node.shadowRoot);
      if (node.matches('style, script, title, .cm-editor, .cm-editor *, code, pre')) continue;
      for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'aria-description', 'aria-roledescription']) if (node.hasAttribute(name)) take(node, node.getAttribute(name));
      for (const child of node.childNodes) if (child.nodeType === Node.TEXT_NODE) take(node, child.data);
    }
  };
  look(document.querySelector('main'));
  return [...found];
})()`;
/** How Intl writes moments and sizes; codes, and what is the same everywhere. */
const FORMAL = /^(?:[\d\s.,:;/%+−–—·×()#-]|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\b|[AP]M|\b(?:ago|in|now|yesterday|today|tomorrow|last|next|this|sec|min|hr|second|minute|hour|day|week|month|year|byte|ms|kB|MB|GB)s?\b|s\b|m\b|h\b|POST|GET|JSON|CSV|XML|URL|ID)*$/;
/** Made of the name of a field that has no label. */
const NAMED = new Set(['Build out port options']);

it('every word goes through the words of the host', async () => {
  const { page } = at;
  await wear(page, MODES[0]);
  const all = { ...CASES, Designer: { filled: 'Order', empty: '', config: () => ({ flowId: ids.flowId }) } };
  const wrong: string[] = [];
  await page.evaluate('void (window.heard = new Set())');
  const look = async (name: string, isEmpty: boolean, how: object): Promise<void> => {
    await page.evaluate(`window.begin(${JSON.stringify(name.split(',')[0])}, ${isEmpty}, { ...${JSON.stringify(how)}, lang: 'en', l10n: (text, key) => (key ?? window.heard.add(text), text).split('|').map((form) => '⟦' + form + '⟧').join('|') })`);
    await page.evaluate('opening');
    await expect.poll(() => page.locator('.bones, .skeleton').count()).toBe(0);
    if (name === 'Designer') {
      await page.locator('.card', { hasText: 'Each' }).click();
      for (const tab of ['Logs', 'Runs', 'Versions']) await page.getByRole('button', { name: `⟦${tab}⟧` }).first().click();
    }
    const texts = (await page.evaluate(UNMARKED)) as string[];
    for (const each of texts) {
      const [text] = each.split('   ← ') as [string];
      const isData = (part: string): boolean => FORMAL.test(part) || NAMED.has(part) || told.includes(JSON.stringify(part).slice(1, -1));
      if (!isData(text) && !text.split(/\s*(?:[·,:](?:\s+|$)|\s{2,})/).every(isData)) wrong.push(`${name}: ${each}`);
    }
    await page.evaluate('widget.destroy()');
  };
  for (const [name, { config = () => ({}), nothing }] of Object.entries<Case>(all)) {
    await look(name, false, config());
    if (name !== 'Designer') await look(name, name !== 'Wizard', (nothing ?? config)());
  }
  expect(wrong).toEqual([]);
  const heard = (await page.evaluate('[...heard]')) as string[];
  expect(heard.length).toBeGreaterThan(50);
  expect(heard.filter((each) => !Object.hasOwn(de.texts, each)), 'said by a widget, and not in l10n/de.json').toEqual([]);
  at.complaints.splice(0);
});
