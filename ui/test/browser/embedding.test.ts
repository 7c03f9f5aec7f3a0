/** The designer in pages of others: hostile ones, on a touch screen, opened and closed again and again. */
import type { Browser, CDPSession, Locator } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FlowRecord } from '../../kit/api.ts';
import { BASE, card, drag, hosted, isSaved, launch, made, port, visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

const HOSTILE = `
  * { all: unset !important; letter-spacing: 9px !important; color: red !important; font-size: 30px !important; text-transform: uppercase !important; }
  head, script, style, title { display: none !important; }
  html, body, div, p { display: block !important; }
  .card, .panel, dialog, button { display: none !important; visibility: hidden !important; }
  #tilted { transform: translateX(24px) !important; filter: opacity(1) !important; width: 1200px !important; height: 760px !important; direction: rtl !important; }
  #designer { height: 100% !important; display: block !important; }
`;

it('a hostile page of another origin neither reaches in nor is reached', async () => {
  const at = await visit(browser);
  const { page } = at;
  const flowId = await made(at, 'branches');
  const host = await hosted({
    '/': {
      type: 'text/html',
      text: '<!doctype html><html dir="rtl"><head><title>Host</title><link rel="stylesheet" href="/host.css"></head><body><p id="own">own</p><div id="tilted"><div id="designer"></div></div><script type="module" src="/host.js"></script></body></html>',
      headers: { 'content-security-policy': `default-src 'none'; script-src 'self' ${BASE}; connect-src ${BASE}; style-src 'self'; img-src data:; base-uri 'none'` },
    },
    '/host.css': { type: 'text/css', text: HOSTILE },
    '/host.js': {
      type: 'text/javascript',
      text: `import { Headrace } from '${BASE}/sdk/headrace.mjs';
        window.before = JSON.stringify([...getComputedStyle(document.querySelector('#own'))].map((name) => getComputedStyle(document.querySelector('#own')).getPropertyValue(name)));
        const headrace = new Headrace({ baseUrl: '${BASE}', accessToken: ${JSON.stringify(at.token)} });
        window.designer = headrace.ui.Designer({ el: '#designer', flowId: '${flowId}' });
        await window.designer.open();`,
    },
  });
  try {
    await at.api('PUT', '/origins/vault', { origins: [host.origin] });
    await expect.poll(async () => (await fetch(`${BASE}/flows/${flowId}`, { headers: { origin: host.origin, authorization: `Bearer ${at.token}` } })).headers.get('access-control-allow-origin'), { timeout: 10_000 }).toBe(host.origin);
    await page.goto(`${host.origin}/`);
    await card(page, 'Take it').waitFor();
    await at.shot('30-hostile');
    const seen = await card(page, 'Take it').locator('.title').evaluate((node) => [getComputedStyle(node).fontSize, getComputedStyle(node).letterSpacing, getComputedStyle(node).textTransform, getComputedStyle(node).color]);
    expect(seen).toEqual(['13.5px', 'normal', 'none', 'rgb(23, 33, 43)']);
    await drag(page, port(page, 'Take it', 'Input', 'in'), port(page, 'Answer 202', 'Input', 'in'));
    await isSaved(page);
    expect((await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow['approved']!.source).toEqual({ in: { approve: ['out'], big: ['false'] } });
    await card(page, 'Answer 202').click();
    await page.getByRole('textbox', { name: 'Body' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search steps and commands' }).waitFor();
    await at.shot('31-hostile-dialog');
    await page.keyboard.press('Escape');
    expect(await page.evaluate(`JSON.stringify([...getComputedStyle(document.querySelector('#own'))].map((name) => getComputedStyle(document.querySelector('#own')).getPropertyValue(name))) === before`)).toBe(true);
    await page.evaluate('designer.close()');
    expect(await page.evaluate(`[document.querySelectorAll('hr-designer').length, document.body.children.length, document.adoptedStyleSheets.length]`)).toEqual([0, 3, 0]);
    expect(at.complaints).toEqual([]);
  } finally {
    await host.close();
    await page.context().close();
  }
});

it('fingers draw wires: by pulling, and by tapping one end and then the other', async () => {
  const at = await visit(browser, '/', { touch: true });
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
    name: 'By touch',
    flow: {
      go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} },
      a: { type: 'headrace.utils.controls.SetVariable', label: 'First', x: 320, y: 64, source: {}, config: {} },
      b: { type: 'headrace.utils.controls.SetVariable', label: 'Second', x: 320, y: 224, source: {}, config: {} },
    },
  });
  await page.goto(page.url() + `flows/${flowId}`);
  await card(page, 'First').waitFor();
  const fingers = await page.context().newCDPSession(page);
  const centre = async (of: Locator): Promise<{ x: number; y: number }> => {
    const box = (await of.boundingBox())!;
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  };
  const source = (id: string) => async () => (await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow[id]!.source;

  const [from, to] = [await centre(port(page, 'On Start', 'Output', 'out')), await centre(port(page, 'First', 'Input', 'in'))];
  await pull(fingers, from, to);
  await expect.poll(source('a')).toEqual({ in: { go: ['out'] } });

  await port(page, 'On Start', 'Output', 'out').tap();
  await page.locator('.canvas.armed').waitFor();
  await at.shot('32-touch');
  await card(page, 'Second').tap();
  await expect.poll(source('b')).toEqual({ in: { go: ['out'] } });
  expect(await page.locator('.canvas.armed').count()).toBe(0);

  await port(page, 'First', 'Output', 'out').tap();
  await page.locator('.canvas').tap({ position: { x: 700, y: 700 } });
  await isSaved(page);
  expect(await source('b')()).toEqual({ in: { go: ['out'] } });
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

async function pull(fingers: CDPSession, from: { x: number; y: number }, to: { x: number; y: number }): Promise<void> {
  await fingers.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [from] });
  for (let step = 1; step <= 6; step += 1) {
    const touchPoints = [{ x: from.x + ((to.x - from.x) * step) / 6, y: from.y + ((to.y - from.y) * step) / 6 }];
    await fingers.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints });
  }
  await fingers.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
}

it('six rounds of opening and closing 200 steps keep no memory, no listener, no stream', async () => {
  const at = await visit(browser);
  const { page } = at;
  const flow = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`n${n}`, { type: n ? 'headrace.utils.controls.SetVariable' : 'headrace.utils.controls.OnStart', x: (n % 20) * 192, y: Math.floor(n / 20) * 96, source: n ? { in: { [`n${n - 1}`]: ['out'] } } : {} }]));
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Again and again', flow });
  await page.evaluate(`(async () => {
    const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
    window.headrace = new Headrace({ baseUrl: location.origin, accessToken: ${JSON.stringify(at.token)} });
    document.body.replaceChildren();
    window.host = document.body.appendChild(document.createElement('div'));
    host.style.height = '700px';
    window.round = async () => {
      const designer = headrace.ui.Designer({ el: host, flowId: ${JSON.stringify(flowId)} });
      await designer.open();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await designer.destroy();
    };
  })()`);
  const engine = await page.context().newCDPSession(page);
  const measured = async (): Promise<{ heap: number; nodes: number; listeners: number }> => {
    await page.waitForTimeout(300);
    await engine.send('HeapProfiler.collectGarbage');
    await engine.send('HeapProfiler.collectGarbage');
    const { metrics } = await engine.send('Performance.getMetrics');
    const of = (name: string): number => metrics.find((each) => each.name === name)?.value ?? 0;
    return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
  };
  await engine.send('Performance.enable');
  for (let warm = 0; warm < 2; warm += 1) await page.evaluate('round()');
  const before = await measured();
  for (let again = 0; again < 6; again += 1) await page.evaluate('round()');
  const after = await measured();
  expect(after.heap - before.heap, JSON.stringify({ before, after })).toBeLessThan(1024 * 1024);
  expect(after.listeners - before.listeners, JSON.stringify({ before, after })).toBeLessThanOrEqual(4);
  expect(after.nodes - before.nodes, JSON.stringify({ before, after })).toBeLessThan(200);
  expect(at.complaints).toEqual([]);
  await page.context().close();
});

it('designers of one instance share a stream, and without one they ask every few seconds', async () => {
  const at = await visit(browser);
  const { page } = at;
  const flowId = await made(at, 'greeting');
  const streams: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === '/live') streams.push(request.url());
  });
  await page.evaluate(`(async () => {
    const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
    document.body.replaceChildren();
    const open = async (headrace) => {
      const host = document.body.appendChild(document.createElement('div'));
      host.style.height = '600px';
      await headrace.ui.Designer({ el: host, flowId: ${JSON.stringify(flowId)} }).open();
    };
    const config = { baseUrl: location.origin, accessToken: ${JSON.stringify(at.token)} };
    window.shared = new Headrace(config);
    await open(shared);
    await open(shared);
    window.without = new Headrace({ ...config, api: { stream: async () => { throw new Error('No streams here.'); } } });
    await open(without);
  })()`);
  const designers = page.locator('hr-designer');
  await expect.poll(() => page.getByText('Live', { exact: true }).count()).toBe(2);
  expect(streams.length).toBe(1);
  const last = designers.nth(2);
  await last.getByText('Every few seconds').waitFor();
  await last.getByRole('button', { name: 'Runs', exact: true }).click();
  await last.getByText('This flow has not run yet.').waitFor();
  await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
  await at.api('POST', `/flows/${flowId}/components/hook`, { name: 'ada' });
  await last.locator('[data-run]').waitFor();
  await last.locator('[data-component-id="answer"] .counts .done', { hasText: '1' }).waitFor();
  await designers.first().locator('[data-component-id="answer"] .counts .done').waitFor();
  expect(await page.evaluate('shared.destroy().then(() => shared.streams.size)')).toBe(0);
  await page.context().close();
});

it('tabs share one stream, and when the tab that holds it is closed another goes on', async () => {
  const at = await visit(browser);
  const [one, two] = [at.page, await at.page.context().newPage()];
  await two.goto(one.url());
  const asked = new Map([[one, 0], [two, 0]]);
  const flows: string[] = [];
  for (const page of [one, two]) {
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === '/live') asked.set(page, (asked.get(page) ?? 0) + 1);
    });
    const flowId = await made(at, 'greeting');
    flows.push(flowId);
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
    await page.evaluate(`(async () => {
      const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
      window.headrace = new Headrace({ baseUrl: location.origin, accessToken: ${JSON.stringify(at.token)} });
      document.body.replaceChildren();
      const host = document.body.appendChild(document.createElement('div'));
      host.style.height = '700px';
      await headrace.ui.Designer({ el: host, flowId: ${JSON.stringify(flowId)} }).open();
    })()`);
    await page.getByText('Live', { exact: true }).waitFor();
  }
  const counted = async (page: typeof one, times: string): Promise<void> =>
    page.locator('[data-component-id="answer"] .counts .done', { hasText: times }).waitFor();
  await at.api('POST', `/flows/${flows[1]}/components/hook`, { name: 'ada' });
  await counted(two, '1');
  expect([asked.get(one), asked.get(two)]).toEqual([2, 0]);
  await at.api('POST', `/flows/${flows[0]}/components/hook`, { name: 'ada' });
  await counted(one, '1');
  await one.close();
  await expect.poll(() => asked.get(two)).toBe(1);
  await two.getByText('Live', { exact: true }).waitFor();
  await at.api('POST', `/flows/${flows[1]}/components/hook`, { name: 'ben' });
  await counted(two, '2');
  await two.context().close();
});

/** Dates are the browser's to say; keys are called so everywhere. */
const DATES = /^Ctrl\+|^[A-Z][a-z]{2} \d|^\d{4}|\d:\d\d/;

it('speaks the language of the host, from the right to the left where it does', async () => {
  const at = await visit(browser);
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
    name: 'In another language',
    flow: {
      go: { type: 'headrace.utils.controls.OnStart', label: 'Go', x: 64, y: 64, source: {} },
      get: { type: 'headrace.utils.http.Get', label: 'Fetch', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} },
      work: { type: 'vault.key.core.Work', label: 'Work', x: 448, y: 64, source: { in: { get: ['out'] } }, config: {} },
      lost: { type: 'headrace.utils.controls.Condition', label: 'Lost', x: 448, y: 192, source: {}, config: {} },
    },
    customFields: { designer: { sheets: { n: { type: '@note', x: 64, y: 192, width: 224, height: 112, text: 'Memo', colour: 'yellow' } } } },
  });
  await page.evaluate(`(async () => {
    const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
    document.body.replaceChildren();
    document.documentElement.dir = 'rtl';
    const host = document.body.appendChild(document.createElement('div'));
    host.style.height = '100vh';
    const headrace = new Headrace({ baseUrl: location.origin, accessToken: ${JSON.stringify(at.token)}, l10n: (text) => '⟦' + text + '⟧' });
    await headrace.ui.Designer({ el: host, flowId: ${JSON.stringify(flowId)} }).open();
  })()`);
  await card(page, 'Work').locator('.trouble', { hasText: '⟦The account is missing' }).waitFor();
  const data = JSON.stringify([await at.api('GET', '/components?manifest=yes'), await at.api('GET', '/modifiers'), await at.api('GET', `/flows/${flowId}`), await at.api('GET', `/flows/${flowId}/versions`), await at.api('GET', '/auth/vault.key.core.Work')]).toLowerCase();
  /** What stands in the page in English, though it is nobody's data. */
  const english = async (): Promise<string[]> => {
    const seen = (await page.evaluate(`(() => {
      const root = document.querySelector('hr-designer').shadowRoot;
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      const found = [];
      while (walker.nextNode()) found.push(walker.currentNode.textContent.trim());
      for (const node of root.querySelectorAll('*')) for (const name of ['aria-label', 'title', 'placeholder']) if (node.hasAttribute(name)) found.push(node.getAttribute(name).trim());
      return found;
    })()`)) as string[];
    const parts = seen.flatMap((each) => each.replace(/⟦[^⟧]*(⟧|$)/g, '').split(/, | · |\n/)).map((each) => each.replace(/^[\s·,:–]+|[\s·,:–]+$/g, ''));
    return [...new Set(parts)].filter((each) => /[a-z]{2}/i.test(each) && !data.includes(JSON.stringify(each).slice(1, -1).toLowerCase()) && !DATES.test(each));
  };
  const states: Record<string, string[]> = {};
  states['flow'] = await english();
  await card(page, 'Work').click();
  await page.getByRole('button', { name: '⟦Connect an account⟧' }).click();
  await page.getByLabel('API key').waitFor();
  states['account'] = await english();
  await card(page, 'Lost').click();
  states['lost'] = await english();
  await card(page, 'Fetch').click();
  await page.getByRole('textbox', { name: 'URL' }).click();
  states['fetch'] = await english();
  await page.locator('.sheet.note').click();
  states['note'] = await english();
  await card(page, 'Go').click();
  for (const tab of ['Problems', 'Runs', 'Versions', 'Logs', 'Test']) {
    await (tab === 'Test' ? page.getByRole('tab', { name: '⟦Test⟧' }) : tab === 'Problems' ? page.getByRole('button', { name: /problems?⟧/ }) : page.getByRole('tab', { name: `⟦${tab}⟧` })).first().click();
    states[tab] = await english();
  }
  await page.getByRole('button', { name: '⟦Search steps and commands⟧' }).click();
  states['commands'] = await english();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '⟦Share this flow⟧' }).click();
  states['share'] = await english();
  await at.shot('33-language');
  expect(Object.fromEntries(Object.entries(states).filter(([, left]) => left.length))).toEqual({});
  expect(at.complaints).toEqual([]);
  await page.context().close();
});
