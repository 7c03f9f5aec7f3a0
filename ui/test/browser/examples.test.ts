/** The examples of docs/embedding in pages of another origin under a strict policy: React, Vue, plain HTML, and a field of Vue 2. */
import { readFileSync } from 'node:fs';
import { build } from 'vite';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BASE, hosted, launch, visit } from './page.ts';
import type { Visit } from './page.ts';

const EXAMPLES = new URL('../../../docs/embedding/examples/', import.meta.url).pathname;
const HERE = new URL('../../', import.meta.url).pathname;
const POLICY = `default-src 'none'; script-src 'self' ${BASE}; style-src 'self'; connect-src ${BASE}; img-src data: blob:; require-trusted-types-for 'script'; trusted-types svelte-trusted-html vue`;
const ENTRIES: Record<string, string> = {
  react: `import { createElement, useState } from 'react'; import { createRoot } from 'react-dom/client'; import { HeadraceWidget } from '${EXAMPLES}react.js';
    export function begin(headrace) { const App = () => { const [shown, show] = useState('FlowManager'); const [id, tell] = useState(''); return createElement('main', null, createElement('button', { onClick: () => show('Accounts') }, 'Accounts of React'), createElement('p', null, id), createElement(HeadraceWidget, { headrace, name: shown, className: 'place', on: { 'flow:open': (event) => tell('Opened ' + event.data.flowId) } })); }; createRoot(document.body).render(createElement(App)); }`,
  vue: `import { createApp, h, ref } from 'vue'; import { HeadraceWidget } from '${EXAMPLES}vue.js';
    export function begin(headrace) { const shown = ref('FlowManager'), id = ref(''); createApp({ render: () => h('main', [h('button', { onClick: () => (shown.value = 'Accounts') }, 'Accounts of Vue'), h('p', id.value), h(HeadraceWidget, { headrace, name: shown.value, class: 'place', events: ['flow:open'], onTold: (event) => (id.value = 'Opened ' + event.data.flowId) })]) }).mount(document.body); }`,
  vue2: `import Vue from 'vue2/dist/vue.runtime.common.prod.js'; export function begin() { window.Vue = Vue; }`,
};

let browser: Browser;
let host: Awaited<ReturnType<typeof hosted>>;
beforeAll(async () => {
  browser = await launch();
  const served: Parameters<typeof hosted>[0] = { '/host.css': { type: 'text/css', text: 'html, body, main { height: 100%; margin: 0; } .place { height: 600px; }' } };
  for (const [name, source] of Object.entries(ENTRIES)) {
    const made = await build({ root: HERE, configFile: false, logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' }, plugins: [{ name: 'entry', enforce: 'pre', async resolveId(id) { if (id.endsWith('virtual:host')) return `${HERE}host-entry.js`; return /^(react|react-dom|vue)(\/|$)/.test(id) ? this.resolve(id, `${HERE}host-entry.js`, { skipSelf: true }) : undefined; }, load: (id) => (id === `${HERE}host-entry.js` ? source : undefined) }], build: { write: false, minify: true, modulePreload: false, rolldownOptions: { input: { host: 'virtual:host' }, preserveEntrySignatures: 'strict', output: { format: 'es' } } } });
    const [found] = (Array.isArray(made) ? made : [made]) as unknown as { output: [{ code: string }] }[];
    served[`/${name}.js`] = { type: 'text/javascript', text: found!.output[0].code };
    served[`/${name}`] = { type: 'text/html', text: `<!doctype html><html lang="en"><head><title>${name}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/host.css"></head><body></body></html>`, headers: { 'content-security-policy': POLICY } };
  }
  served['/plain.html'] = { type: 'text/html', text: readFileSync(`${EXAMPLES}plain.html`, 'utf8'), headers: { 'content-security-policy': POLICY } };
  for (const name of ['plain.js', 'plain.css']) served[`/${name}`] = { type: name.endsWith('js') ? 'text/javascript' : 'text/css', text: readFileSync(`${EXAMPLES}${name}`, 'utf8') };
  host = await hosted(served, Number(process.env['HEADRACE_HOST_PORT']));
}, 60_000);
afterAll(async () => {
  await browser.close();
  await host?.close();
});

const begun = async (at: Visit, name: string): Promise<void> => {
  await at.page.goto(`${host.origin}/${name}`);
  await at.page.evaluate(`(async () => { const { begin } = await import('/${name}.js'); const { Headrace } = await import('${BASE}/sdk/headrace.mjs'); window.headrace = new Headrace({ baseUrl: '${BASE}', accessToken: ${JSON.stringify(at.token)} }); begin(headrace); })()`);
};

it.each(['react', 'vue'])('the example for %s shows a widget, hears it, and shows another in its place', async (name) => {
  const at = await visit(browser);
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: `Of ${name}` });
  await begun(at, name);
  await at.page.getByText(`Of ${name}`, { exact: true }).first().click();
  await at.page.getByText(`Opened ${flowId}`).waitFor();
  await at.page.getByRole('button', { name: /^Accounts of/ }).click();
  await at.page.getByRole('heading', { name: 'Accounts', level: 1 }).waitFor();
  await expect.poll(() => at.page.locator('hr-flow-manager').count()).toBe(0);
  expect(at.complaints).toEqual([]);
  await at.page.context().close();
});

it('the example in plain HTML shows an element, and takes over what it does', async () => {
  const at = await visit(browser);
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Of HTML' });
  await at.page.goto(`${host.origin}/plain.html?${new URLSearchParams({ platform: BASE, token: at.token })}`);
  await at.page.getByText('Of HTML', { exact: true }).first().click();
  await expect.poll(() => at.page.title()).toBe(`Flow ${flowId}`);
  expect(await at.page.locator('hr-designer').count()).toBe(0);
  expect(at.complaints).toEqual([]);
  await at.page.context().close();
});

it("a field of Appmixer's SDK, a component of Vue 2, is mounted by the host's Vue", async () => {
  const at = await visit(browser);
  const { page } = at;
  const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Stars', flow: { go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} }, form: { type: 'vault.forms.core.Work', label: 'Form', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} } } });
  await begun(at, 'vue2');
  await page.evaluate(`(async () => {
    await import('${BASE}/sdk/compat.mjs');
    document.body.replaceChildren();
    const place = document.body.appendChild(document.createElement('div'));
    place.className = 'place';
    const appmixer = new Appmixer({ baseUrl: '${BASE}', accessToken: ${JSON.stringify(at.token)} });
    appmixer.registerInspectorField('stars', { render(h) { return h('button', { on: { click: () => this.change((this.value || 0) + 1) } }, 'Stars ' + (this.value || 0) + (this.invalid ? '!' : '') + ' of ' + this.context.componentId); } });
    await appmixer.ui.Designer({ el: place, flowId: ${JSON.stringify(flowId)} }).open();
  })()`);
  await page.locator('[data-component-id="form"]').click();
  await page.getByRole('button', { name: 'Stars 0 of form' }).click();
  await page.getByRole('button', { name: 'Stars 1 of form' }).click();
  await page.getByRole('button', { name: 'Stars 2 of form' }).waitFor();
  expect(at.complaints).toEqual([]);
  await page.context().close();
});
