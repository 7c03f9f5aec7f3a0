/** A page that was written for Appmixer's SDK, at another origin: every widget, option and event of the map, as a table that is kept. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BASE, hosted, launch, visit } from './page.ts';
import type { Visit } from './page.ts';

const TABLE = new URL('../../../docs/embedding/appmixer-table.md', import.meta.url).pathname;
const POLICY = `default-src 'none'; script-src 'self' ${BASE}; style-src 'self'; connect-src ${BASE}; img-src data: blob:; require-trusted-types-for 'script'; trusted-types svelte-trusted-html`;
const HOST = `
  // As the demos of Appmixer's SDK begin: an instance at once, a person signed in, widgets by name.
  window.appmixer = new Appmixer({ baseUrl: document.body.dataset.platform, theme: { mode: 'light', variables: { colors: { primary: '#663399', neutral: '#101820' }, corners: { radius: '4px' }, font: { family: 'serif' } } }, l10n: { ui: { flowManager: { header: { buttonCreateFlow: 'Make a flow!' } }, designer: { start: 'Begin' } } } });
  window.told = [];
  window.use = async (name, config, events) => {
    if (window.widget) { await window.widget.close(); window.widget = undefined; }
    window.told.length = 0;
    const { modal, ...given } = config;
    const widget = window.widget = appmixer.ui[name]({ ...(modal ? {} : { el: '#here' }), ...given });
    for (const [event, answer] of Object.entries(events || {})) widget.on(event, (given) => { told.push({ event, data: JSON.parse(JSON.stringify(given.data)), id: String(given) }); if (answer === 'next') return given.next(); });
    await widget.open();
  };
`;

let browser: Browser;
let at: Visit;
let page: Page;
let host: Awaited<ReturnType<typeof hosted>>;
const rows: { widget: string; what: string; works: boolean; wrong?: string }[] = [];

beforeAll(async () => {
  browser = await launch();
  host = await hosted({
    '/': { type: 'text/html', text: `<!doctype html><html lang="en"><head><title>Host</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/host.css"><script src="${BASE}/appmixer/appmixer.js"></script><script defer src="/host.js"></script></head><body data-platform="${BASE}"><main id="here"></main></body></html>`, headers: { 'content-security-policy': POLICY } },
    '/host.css': { type: 'text/css', text: 'html, body { margin: 0; height: 100%; } #here { height: 100vh; }' },
    '/host.js': { type: 'text/javascript', text: HOST },
  }, Number(process.env['HEADRACE_HOST_PORT']));
  at = await visit(browser);
  page = at.page;
}, 60_000);
afterAll(async () => {
  await browser.close();
  await host.close();
});

type Events = Record<string, 'next' | 'keep'>;
const use = (name: string, config: object = {}, events: Events = {}): Promise<void> => page.evaluate(`use(${JSON.stringify(name)}, ${JSON.stringify(config)}, ${JSON.stringify(events)})`);
const told = (): Promise<{ event: string; data: Record<string, unknown>; id: string }[]> => page.evaluate('told');
const heard = (event: string, data: object = {}): Promise<void> => expect.poll(async () => (await told()).map((each) => [each.event, each.data]), { timeout: 3000 }).toEqual(expect.arrayContaining([[event, expect.objectContaining(data)]]));
const shown = (name: string, role: Parameters<Page['getByRole']>[0] = 'button'): Locator => page.getByRole(role, { name }).first();

/** An entry of a menu; a list that loads anew meanwhile closes it, and it is opened again. */
async function pick(menu: Locator, entry: string): Promise<void> {
  for (let again = 0; again < 4; again += 1) {
    await menu.click();
    const found = await shown(entry, 'menuitem').click({ timeout: 1000 }).then(() => true, () => false);
    if (found) return;
  }
  throw new Error(`The menu has no entry '${entry}'.`);
}

/** One row of the table: what the map says works, or it is named. */
async function row(widget: string, what: string, check: () => Promise<unknown>): Promise<void> {
  try {
    await check();
    rows.push({ widget, what, works: true });
  } catch (error) {
    rows.push({ widget, what, works: false, wrong: String(error instanceof Error ? error.message : error).slice(0, 300) });
  }
}

it('an instance signs in, and has the functions of the api module', async () => {
  await page.goto(`${host.origin}/`);
  page.setDefaultTimeout(4000);
  await row('Appmixer', 'new Appmixer({baseUrl, theme, l10n}), at once', async () => expect(await page.evaluate("appmixer.get('baseUrl')")).toBe(BASE));
  await row('Appmixer', 'api.authenticateUser, 403 for who is unknown', async () => expect(await page.evaluate("appmixer.api.authenticateUser('nobody@nowhere.example', 'x').catch((error) => error.response && error.response.status)")).toBe(403));
  await page.evaluate(`appmixer.set('accessToken', ${JSON.stringify(at.token)})`);
  await row('Appmixer', "set('accessToken'), get('user')", async () => { await page.evaluate('appmixer.api.getUser().then((user) => appmixer.set("user", user))'); expect(await page.evaluate("appmixer.get('user').id")).toBeTruthy(); });
  await row('Appmixer', 'api: createFlow, updateFlow, getFlow, getFlows, getFlowsCount, startFlow, stopFlow, cloneFlow, deleteFlow', async () => {
    expect(await page.evaluate(`(async () => {
      const { api } = appmixer;
      const id = await api.createFlow('By the api', { go: { type: 'headrace.utils.controls.OnStart', x: 0, y: 0, source: {} } }, { description: 'd' });
      await api.updateFlow(id, { name: 'Renamed' });
      await api.startFlow(id);
      const running = (await api.getFlow(id)).stage;
      await api.stopFlow(id);
      const copy = await api.cloneFlow(id);
      const found = (await api.getFlows({ pattern: 'Renamed' })).length;
      const count = await api.getFlowsCount({ pattern: 'Renamed' });
      await api.deleteFlow(id);
      await api.deleteFlow(copy);
      return [running, found, count, await api.getFlowsCount({ pattern: 'Renamed' })];
    })()`)).toEqual(['running', 2, 2, 0]);
  });
  await row('Appmixer', 'api: getComponents, getApps, getAccounts, getAuth, createAccount(params, body), setAccountName', async () => {
    expect(await page.evaluate(`(async () => {
      const { api } = appmixer;
      const { accountId } = await api.createAccount({ validateScope: false, requestProfileInfo: true }, { service: 'vault:key', token: { apiKey: ${JSON.stringify(process.env['HEADRACE_SERVICE_KEY'])} } });
      await api.setAccountName(accountId, 'Mine');
      const { auth } = await api.getAuth('vault.key.core.Work');
      const name = (await api.getAccounts({})).find((each) => each.accountId === accountId).displayName;
      await api.deleteAccount(accountId);
      return [(await api.getComponents()).length > 100, 'headrace.utils' in (await api.getApps()) || Object.keys(await api.getApps()).length > 0, accountId in auth.accounts, name];
    })()`)).toEqual([true, true, true, 'Mine']);
  });
  await row('Appmixer', 'api: getLogs, getCharts, getStores, createStore, getStoreRecords, getPeopleTasks, sendAppEvent, _request, get', async () => {
    expect(await page.evaluate(`(async () => {
      const { api } = appmixer;
      const storeId = await api.createStore('S');
      await api.createStoreItem(storeId, 'k', { v: 1 });
      const records = await api.getStoreRecords({ storeId });
      await api.deleteStore(storeId);
      await api.sendAppEvent('told', { a: 1 });
      return [Array.isArray((await api.getLogs({ size: 1 })).hits), Array.isArray(await api.getCharts()), Array.isArray(await api.getStores()), records[0].key, Array.isArray(await api.getPeopleTasks({})), (await api._request({ url: '/flows/count', method: 'GET' })).count >= 0, api.get('baseUrl')];
    })()`)).toEqual([true, true, true, 'k', true, true, BASE]);
  });
});

it('every widget opens where it is told to, with the options and events of the map', async () => {
  const flow = { go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} } };
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Ours', flow, customFields: { shown: 'yes' } });
  await at.api('POST', '/flows', { name: 'Hidden', flow });
  const draft = (await at.api<{ flowId: string }>('POST', '/flows', { name: 'Offer', type: 'integration-draft', flow })).flowId;
  const { templateId } = await at.api<{ templateId: string }>('POST', `/drafts/${draft}/publish`, {});
  await at.api('POST', '/charts', { name: 'Counts', type: 'bar', traces: {} });
  await at.api('POST', '/stores', { name: 'Shelf' });

  const WIDGETS: [string, object, string | RegExp][] = [
    ['FlowManager', {}, 'Flows'], ['Designer', { flowId }, 'Ours'], ['Wizard', { flowId: templateId }, 'Offer'], ['Integrations', {}, 'Integrations'], ['AutomationHub', {}, 'Automation hub'], ['Accounts', {}, 'Accounts'], ['Storage', {}, /store/i],
    ['Files', {}, 'Files'], ['PeopleTasks', { secret: '', role: 'approver' }, /task|approv/i], ['InsightsLogs', {}, 'Logs'], ['InsightsChartEditor', {}, 'New chart'], ['InsightsDashboard', {}, 'Insights'], ['Connectors', {}, /Connectors/], ['Components', {}, /Connectors/],
  ];
  for (const [name, config, heading] of WIDGETS) {
    await row(name, 'open(), state(), set(), get(), reload(), reset(), close()', async () => {
      await use(name, config, { close: 'next' });
      await page.getByRole('heading', { name: heading, level: 1 }).first().waitFor({ state: 'attached' });
      expect(await page.evaluate("(widget.state('query/mark', 'x'), widget.set('mine', 1), [widget.state('query/mark'), widget.get('mine')])")).toEqual(['x', 1]);
      await page.evaluate('widget.reload()');
      await page.evaluate('widget.reset()');
      await page.evaluate('widget.close()');
      expect(await page.evaluate("[document.querySelector('#here').childElementCount, told.filter((each) => each.event === 'close').length]")).toEqual([0, expect.any(Number)]);
    });
  }
  await row('Wizard', 'without el: a modal', async () => { await use('Wizard', { flowId: templateId, modal: true }); await page.locator('hr-wizard dialog[open]').waitFor(); });
  await row('Wizard', 'cancel, close', async () => { await use('Wizard', { flowId: templateId }, { cancel: 'next', close: 'next' }); await shown('Cancel').click(); await heard('cancel'); await heard('close'); });
  await row('Wizard', 'flow:start, flow:start-after', async () => {
    await use('Wizard', { flowId: templateId }, { 'flow:start': 'next', 'flow:start-after': 'next' });
    await shown('Install').click();
    await shown('Start').click();
    await heard('flow:start');
    await heard('flow:start-after');
  });
  const instance = (await at.api<{ flowId: string }[]>('GET', '/flows?filter=type:integration-instance'))[0]?.flowId ?? '';
  await row('Integrations', 'integration:create(templateId); the host keeps it from happening', async () => { await use('Integrations', {}, { 'integration:create': 'keep' }); await page.getByRole('button', { name: /^Install/ }).first().click(); await heard('integration:create', { templateId }); expect(await page.locator('hr-wizard').count()).toBe(0); expect((await told())[0]?.id).toBe(templateId); });
  await row('Integrations', 'integration:edit(integrationId), integration:stop, integration:start, integration:remove', async () => {
    await use('Integrations', {}, { 'integration:edit': 'keep', 'integration:stop': 'next', 'integration:start': 'next', 'integration:remove': 'keep' });
    await page.locator('.installed .open').first().click();
    await heard('integration:edit', { integrationId: instance });
    await shown('Pause Offer').click();
    await heard('integration:stop', { integrationId: instance });
    await shown('Start Offer').click();
    await heard('integration:start', { integrationId: instance });
    await page.locator('.installed li').first().getByRole('button', { name: /What to do/ }).click();
    await shown('Remove', 'menuitem').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await heard('integration:remove', { integrationId: instance });
  });
  await row('Integrations', 'options: showHeader, customFilter {type}', async () => { await use('Integrations', { options: { showHeader: false, customFilter: { type: 'integration-template' } } }); await page.locator('.offer').first().waitFor(); expect(await page.locator('hr-integrations h1, hr-integrations .installed').count()).toBe(0); });
  await row('AutomationHub', 'flow:open-wizard, flow:open-designer', async () => {
    await use('AutomationHub', {}, { 'flow:open-wizard': 'keep', 'flow:open-designer': 'keep' });
    await page.getByRole('button', { name: 'Use Offer', exact: true }).click();
    await heard('flow:open-wizard', { flowId: templateId });
    await shown('Automations', 'tab').click();
    await page.locator('hr-automation-hub').getByText('Ours', { exact: true }).waitFor();
    await page.locator('.installed .open').filter({ hasText: 'Ours' }).click();
    await heard('flow:open-designer', { flowId });
  });

  await row('FlowManager', 'l10n.ui.flowManager.header.buttonCreateFlow; flow:create', async () => { await use('FlowManager', {}, { 'flow:create': 'keep' }); await shown('Make a flow!').click(); await heard('flow:create'); });
  await row('FlowManager', 'flow:open(flowId)', async () => { await use('FlowManager', { options: { customFilter: { 'customFields.shown': 'yes' } } }, { 'flow:open': 'keep' }); await page.getByText('Ours', { exact: true }).first().click(); await heard('flow:open', { flowId }); expect((await told())[0]?.id).toBe(flowId); });
  await row('FlowManager', 'options: customFilter', async () => expect(await page.getByText('Hidden', { exact: true }).count()).toBe(0));
  await row('FlowManager', 'options: menu with an entry of the host, flow:start and flow:start-after by next()', async () => {
    await use('FlowManager', { options: { customFilter: { 'customFields.shown': 'yes' }, menu: [{ event: 'flow:start', label: 'Go on' }, { event: 'my-event', label: 'My own' }] } }, { 'my-event': 'keep', 'flow:start': 'next', 'flow:start-after': 'next' });
    const menu = page.getByRole('button', { name: /^(Menu of|More for) Ours/ }).first();
    await pick(menu, 'My own');
    await heard('my-event', { flowId });
    await page.locator('hr-flow-manager').getByRole('button', { name: /Go on/ }).first().click();
    await heard('flow:start-after', { flowId });
  });
  await row('FlowManager', 'flow:stop, flow:rename, flow:clone, flow:share, flow:insights, flow:remove', async () => {
    const events = ['flow:stop', 'flow:rename', 'flow:clone', 'flow:share', 'flow:insights', 'flow:remove'];
    await use('FlowManager', { options: { customFilter: { 'customFields.shown': 'yes' }, menu: events.map((event) => ({ event, label: event })) } }, Object.fromEntries(events.map((event) => [event, 'keep' as const])));
    for (const event of events) {
      if (event === 'flow:stop') await page.locator('hr-flow-manager').getByRole('button', { name: /flow:stop/ }).first().click();
      else await pick(page.getByRole('button', { name: /^(Menu of|More for) Ours/ }).first(), event);
      await heard(event, { flowId });
    }
  });
  await row('FlowManager', 'options: showHeader, layout', async () => { await use('FlowManager', { options: { showHeader: false, layout: 'grid' } }); await page.locator('hr-flow-manager').waitFor(); expect(await page.locator('hr-flow-manager h1').count()).toBe(0); });

  await row('Designer', 'options: showButtonHome, menu, toolbar; l10n.ui.designer', async () => {
    await use('Designer', { flowId, options: { showButtonHome: false, menu: [{ event: 'my-event', label: 'My own' }], toolbar: [['undo', 'redo'], ['zoom-to-fit'], ['logs']] } }, { 'my-event': 'keep' });
    await shown('More').click();
    await shown('My own', 'menuitem').click();
    await heard('my-event', { flowId });
    await shown('Undo').waitFor();
    expect(await page.locator('hr-designer').getByRole('button', { name: /All flows|Zoom in|Tidy up/ }).count()).toBe(0);
  });
  await row('Designer', 'options: toolbar with widgets of the host', async () => {
    await page.evaluate(`(async () => {
      await window.widget.close();
      const gone = window.gone = [];
      const mine = (label) => ({ mount(host, tool) { const button = host.appendChild(document.createElement('button')); button.textContent = label; button.onclick = () => told.push({ event: label, data: { ...tool }, id: tool.flowId }); return { destroy: () => { button.remove(); gone.push(label); } }; } });
      window.Vue = class { constructor(made) { this.made = made; } $mount(place) { this.$el = place; const h = (of, given) => { place.textContent = of.template + ' ' + given.props.context.flowId; }; this.made.render(h); return this; } $destroy() { gone.push('Vue'); } };
      window.widget = appmixer.ui.Designer({ el: '#here', flowId: ${JSON.stringify(flowId)}, options: { toolbar: [['undo', 'redo'], [{ tooltip: 'Of the page', widget: mine('Page tool') }], [{ tooltip: 'Of Vue', widget: { template: 'Made by Vue' } }]] } });
      told.length = 0;
      await window.widget.open();
    })()`);
    await page.getByRole('group', { name: 'Of the page' }).getByRole('button', { name: 'Page tool' }).click();
    await heard('Page tool', { flowId, disabled: false });
    await page.getByRole('group', { name: 'Of Vue' }).getByText(`Made by Vue ${flowId}`).waitFor();
    await shown('Undo').waitFor();
    await page.evaluate('window.widget.close()');
    expect((await page.evaluate('window.gone')) as string[]).toEqual(expect.arrayContaining(['Page tool', 'Vue']));
    await page.evaluate('window.widget = undefined, delete window.Vue');
  });
  await row('Designer', 'flow:stop, flow:start, flow:rename, navigate:flows', async () => {
    await use('Designer', { flowId }, { 'flow:stop': 'next', 'flow:stop-after': 'next', 'flow:start': 'keep', 'flow:rename': 'keep', 'navigate:flows': 'keep' });
    await shown('Stop').click();
    await heard('flow:stop-after', { flowId });
    await shown('Begin').click();
    await heard('flow:start', { flowId });
    await page.getByLabel('Name of the flow').fill('Renamed');
    await page.keyboard.press('Enter');
    await heard('flow:rename', { flowId });
    await shown('All flows').click();
    await heard('navigate:flows', { flowId });
  });
  await row('Designer', 'flow:share, flow:clone, flow:remove, flow:insights-logs, flow:export-svg, flow:export-png, flow:print', async () => {
    const events = ['flow:share', 'flow:clone', 'flow:remove', 'flow:insights-logs', 'flow:export-svg', 'flow:export-png', 'flow:print'];
    await use('Designer', { flowId, options: { menu: events.map((event) => ({ event, label: event })) } }, Object.fromEntries(events.map((event) => [event, 'keep' as const])));
    for (const event of events) {
      await shown('More').click();
      await shown(event, 'menuitem').click();
      await heard(event, { flowId });
    }
  });
  await row('Designer', 'component:open, component:close, component:rename, component:add', async () => {
    await use('Designer', { flowId }, { 'component:open': 'keep', 'component:close': 'keep', 'component:rename': 'keep', 'component:add': 'keep' });
    await page.locator('[data-component-id="go"]').click();
    await heard('component:open', { componentId: 'go' });
    await page.getByLabel('Name of this step').fill('Begin here');
    await heard('component:rename', { componentId: 'go', label: 'Begin here' });
    await shown('Close settings').click();
    await heard('component:close', { componentId: 'go' });
  });
  await row('InsightsLogs', 'options: showHistogram; flowId; state query/userId, query/flowType, filterLayout', async () => {
    await use('InsightsLogs', { flowId, options: { showHistogram: false } });
    await page.evaluate("widget.state('filterLayout', 'wide').state('query/flowType', 'automation').state('query/userId', '')");
    expect(await page.evaluate("[widget.state('filterLayout'), widget.state('query/flowType')]")).toEqual(['wide', 'automation']);
    expect(await page.locator('hr-insights-logs .bars, hr-insights-logs button:has-text("All flows")').count()).toBe(0);
  });
  await row('InsightsLogs', 'without el: a modal', async () => { await use('InsightsLogs', { modal: true }); await page.locator('hr-insights-logs dialog[open]').waitFor(); });
  await row('InsightsDashboard', 'chart:open(chartId), chart:clone, chart:remove', async () => {
    await use('InsightsDashboard', {}, { 'chart:open': 'keep', 'chart:clone': 'next', 'chart:remove': 'keep' });
    await page.getByRole('button', { name: 'Counts', exact: true }).click();
    await heard('chart:open');
    for (const [entry, event] of [['Duplicate', 'chart:clone'], ['Remove', 'chart:remove']] as const) {
      await shown('What to do with Counts').click();
      await shown(entry, 'menuitem').click();
      if (entry === 'Remove') await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
      await heard(event);
    }
  });
  await row('InsightsChartEditor', 'chartId; close', async () => { const [chart] = await at.api<{ chartId: string }[]>('GET', '/charts'); await use('InsightsChartEditor', { chartId: chart!.chartId }, { close: 'next' }); await page.getByLabel('Name').first().waitFor(); await shown('Cancel').click(); await heard('close'); });
  await row('Storage', 'store:open', async () => { await use('Storage', {}, { 'store:open': 'keep' }); await page.getByText('Shelf').first().click(); await heard('store:open'); });
  await row('theme', 'colors.primary, colors.neutral, corners.radius, font.family; what lies on the colour is readable', async () => {
    await use('FlowManager', {});
    const of = (name: string): Promise<string> => page.evaluate(`getComputedStyle(document.querySelector('hr-flow-manager')).getPropertyValue('--hr-${name}').trim()`);
    expect([await of('primary'), await of('on-primary'), await of('text'), await of('radius'), await of('font')]).toEqual(['#663399', '#ffffff', '#101820', '4px', 'serif']);
    await page.evaluate("appmixer.set('theme', { mode: 'dark' })");
    await page.locator('hr-flow-manager[data-mode="dark"]').waitFor();
  });
  await row('api of a widget', 'a function of the host in place of ours, with this._request and this.get', async () => {
    await page.evaluate(`(async () => { await widget.close(); window.widget = appmixer.ui.FlowManager({ el: '#here', api: { async getFlows() { const [first] = await this._request({ url: '/flows?limit=1' }); return [{ ...first, name: 'From ' + this.get('baseUrl') }]; }, async getFlowsCount() { return 1; } } }); await widget.open(); })()`);
    await page.getByText(`From ${BASE}`).first().waitFor();
  });
  await row('registerInspectorField', 'a field of ours by type', async () => {
    await page.evaluate("appmixer.registerInspectorField('stars', { mount(host, field) { const box = host.appendChild(document.createElement('button')); box.textContent = 'Stars ' + (field.value || 0); box.onclick = () => field.change(5); return { update(next) { box.textContent = 'Stars ' + (next.value || 0); }, destroy() { box.remove(); } }; } })");
    const made = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Fields', flow: { ...flow, form: { type: 'vault.forms.core.Work', label: 'Form', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} } } });
    await use('Designer', made);
    await page.locator('[data-component-id="form"]').click();
    await shown('Stars 0').click();
    await shown('Stars 5').waitFor();
  });

  const table = ['# Appmixer\'s SDK, tried', '', 'Written by `ui/test/browser/compat.test.ts`: a page of another origin under a strict policy loads `/appmixer/appmixer.js` and does each of these.', '', '| widget | options, events, functions | works |', '|---|---|---|', ...rows.map((each) => `| ${each.widget} | ${each.what} | ${each.works ? 'yes' : '**no**'} |`), ''].join('\n');
  if (process.env['HEADRACE_SHOTS']) {
    mkdirSync(process.env['HEADRACE_SHOTS'], { recursive: true });
    writeFileSync(`${process.env['HEADRACE_SHOTS']}/appmixer-table.md`, table);
  }
  expect(rows.filter((each) => !each.works)).toEqual([]);
  expect(at.complaints).toEqual([]);
  expect(existsSync(TABLE) ? readFileSync(TABLE, 'utf8') : '', 'Copy .artifacts/ui/appmixer-table.md to docs/embedding.').toBe(table);
}, 180_000);
