/** What a person does in the designer, in a real browser against the real platform. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FlowRecord } from '../../kit/api.ts';
import { TEMPLATES } from '../../page/templates.ts';
import { call, card, drag, isSaved, launch, made, port, visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

const DRAGGED = 40;
/** 45 frames a second are 22 ms each. Processor time, since wall time is what other work on the machine leaves. */
const MOST_MS_A_MOVE = 20;

describe('by mouse', () => {
  it('a flow is drawn, started, called, watched, stepped back through', async () => {
    const at = await visit(browser);
    const { page } = at;
    await page.getByRole('button', { name: 'New flow', exact: true }).first().click();
    await page.getByRole('button', { name: 'Empty flow' }).click();
    await page.getByRole('heading', { name: 'Begin with what starts the flow' }).waitFor();
    await at.shot('01-empty');

    const put = async (type: string, x: number, y: number): Promise<void> => {
      const component = page.locator(`[data-type="headrace.utils.${type}"]`);
      await component.scrollIntoViewIfNeeded();
      await drag(page, component, { x, y });
      await page.getByRole('button', { name: 'Close settings' }).click();
    };
    await put('http.WebhookTrigger', 420, 300);
    await put('controls.Condition', 700, 300);
    await put('http.Response', 1000, 200);
    await page.getByRole('button', { name: 'Show everything' }).click();
    await isSaved(page);
    await drag(page, port(page, 'Webhook Trigger', 'Output', 'request'), port(page, 'Condition', 'Input', 'in'));
    await drag(page, port(page, 'Condition', 'Output', 'true'), port(page, 'Response', 'Input', 'in'));
    await isSaved(page);
    const flowId = page.url().split('/').at(-1)!;
    const { flow } = await at.api<FlowRecord>('GET', `/flows/${flowId}`);
    const id = (type: string): string => Object.keys(flow).find((each) => flow[each]!.type.endsWith(type))!;
    expect(flow[id('Condition')]!.source).toEqual({ in: { [id('WebhookTrigger')]: ['request'] } });
    expect(flow[id('Response')]!.source).toEqual({ in: { [id('Condition')]: ['true'] } });

    await card(page, 'Webhook Trigger').click();
    await page.getByRole('switch', { name: 'Immediate response' }).click();
    await card(page, 'Condition').click();
    await page.getByRole('button', { name: 'Add condition' }).click();
    await page.getByRole('textbox', { name: 'Value', exact: true }).click();
    await page.getByRole('button', { name: 'Data', exact: true }).click();
    await page.getByLabel('Operator').selectOption({ label: 'is not empty' });
    await at.shot('02-inspector');
    await card(page, 'Response').click();
    await page.getByRole('textbox', { name: 'Body' }).fill('yes, it works');
    await isSaved(page);

    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByRole('button', { name: 'Stop', exact: true }).waitFor();
    expect(await call('', 'POST', `/flows/${flowId}/components/${id('WebhookTrigger')}`, { a: 1 })).toBe('yes, it works');
    await page.locator(`[data-component-id="${id('Response')}"] .counts .done`).waitFor();
    await page.getByRole('button', { name: 'Runs', exact: true }).click();
    await page.locator('[data-run]').first().click();
    await page.getByText('Step 3 of 3 · done').waitFor();
    await page.getByRole('button', { name: 'One step back' }).click();
    await page.locator(`[data-component-id="${id('Condition')}"].is-active`).waitFor();
    await expect.poll(() => page.locator(`[data-component-id="${id('Response')}"] .counts`).count()).toBe(0);
    expect(page.url()).toContain('?run=');
    await at.shot('03-run');
    expect(await at.axe()).toEqual([]);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('a wire leads elsewhere, steps go together, and one undo takes one gesture back', async () => {
    const at = await visit(browser);
    const flowId = await made(at, 'branches');
    const { page } = at;
    await page.goto(page.url() + `flows/${flowId}`);
    await card(page, 'Take it').waitFor();
    const before = (await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow;

    await drag(page, port(page, 'Take it', 'Input', 'in'), port(page, 'Answer 202', 'Input', 'in'));
    await isSaved(page);
    const moved = (await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow;
    expect(moved['take']!.source).toEqual({});
    expect(moved['approved']!.source).toEqual({ in: { approve: ['out'], big: ['false'] } });
    await page.keyboard.press('Control+z');
    await isSaved(page);
    expect((await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow).toEqual(before);

    await card(page, 'Take it').click();
    await card(page, 'Answer 200').click({ modifiers: ['Shift'] });
    await page.keyboard.press('Delete');
    await expect.poll(() => page.locator('.card').count()).toBe(4);
    await page.keyboard.press('Control+z');
    await expect.poll(() => page.locator('.card').count()).toBe(6);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });
});

describe('by keyboard', () => {
  it('a flow is made, connected and started without a mouse', async () => {
    const at = await visit(browser);
    const { page } = at;
    const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'By keyboard', flow: {} });
    await page.goto(page.url() + `flows/${flowId}`);
    const canvas = page.locator('.canvas');
    await canvas.focus();
    for (const name of ['On Start', 'Set Variable']) {
      await page.keyboard.press('a');
      await page.getByRole('combobox').waitFor();
      await page.keyboard.type(name);
      await page.keyboard.press('Enter');
      await page.locator('.card:focus').filter({ hasText: name }).waitFor();
    }
    await isSaved(page);
    let { flow } = await at.api<FlowRecord>('GET', `/flows/${flowId}`);
    const [start, set] = ['OnStart', 'SetVariable'].map((type) => Object.keys(flow).find((id) => flow[id]!.type.endsWith(type))!) as [string, string];
    expect(flow[set]!.source).toEqual({ in: { [start]: ['out'] } });

    await page.keyboard.press('ArrowLeft');
    await page.locator(`[data-component-id="${start}"]:focus`).waitFor();
    await page.keyboard.press('Alt+ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Delete');
    await canvas.focus();
    await page.keyboard.press('Control+z');
    await card(page, 'Set Variable').waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').waitFor();
    await page.keyboard.type('start the flow');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Stop', exact: true }).waitFor();
    ({ flow } = await at.api<FlowRecord>('GET', `/flows/${flowId}`));
    expect(flow[start]!.y).toBeGreaterThan(flow[set]!.y!);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });
});

describe('a flow', () => {
  it('that is broken says so on the card, in the list and where it is set', async () => {
    const at = await visit(browser);
    const { page } = at;
    const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
      name: 'Broken',
      flow: { go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} }, get: { type: 'headrace.utils.http.Get', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} } },
    });
    await page.goto(page.url() + `flows/${flowId}`);
    await page.locator('.card.error').waitFor();
    await page.getByRole('button', { name: '1 problem' }).click();
    await page.getByRole('button', { name: 'URL is missing' }).click();
    await at.shot('04-problem');
    expect(await at.axe()).toEqual([]);
    await page.getByRole('textbox', { name: 'URL' }).fill('https://example.com');
    await page.getByRole('button', { name: 'No problems' }).waitFor();
    await page.context().close();
  });

  it('that two people change keeps what both did', async () => {
    const at = await visit(browser);
    const { page } = at;
    const flowId = await made(at, 'greeting');
    await page.goto(page.url() + `flows/${flowId}`);
    await card(page, 'Answer').click();
    const { flow } = await at.api<FlowRecord>('GET', `/flows/${flowId}`);
    await at.api('PUT', `/flows/${flowId}`, { flow: { ...flow, greet: { ...flow['greet'], label: 'Theirs' } } });
    await page.getByLabel('Name of this step').fill('Mine');
    await page.getByRole('alert').filter({ hasText: 'Both changes are here now' }).waitFor();
    await isSaved(page);
    const both = (await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow;
    expect([both['greet']!.label, both['answer']!.label]).toEqual(['Theirs', 'Mine']);
    await card(page, 'Theirs').waitFor();
    await page.context().close();
  });

  it('that runs changes only when a person says so, and moving a card is no change', async () => {
    const at = await visit(browser);
    const { page } = at;
    const flowId = await made(at, 'greeting');
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
    await page.goto(page.url() + `flows/${flowId}`);
    await card(page, 'Answer').click();
    await page.getByLabel('Name of this step').fill('Renamed');
    await page.getByText('Changes not applied').waitFor();
    expect((await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow['answer']!.label).toBe('Answer');
    await page.getByRole('button', { name: 'Apply' }).click();
    await isSaved(page);
    expect((await at.api<FlowRecord>('GET', `/flows/${flowId}`)).flow['answer']!.label).toBe('Renamed');
    await drag(page, card(page, 'Renamed'), { x: 900, y: 640 });
    await isSaved(page);
    const after = await at.api<FlowRecord>('GET', `/flows/${flowId}`);
    expect([after.stage, after.flow['answer']!.y! > 144]).toEqual(['running', true]);
    await page.context().close();
  });

  it('that gave a message up says so, and lets a person retry it', async () => {
    const at = await visit(browser);
    const { page } = at;
    const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', {
      name: 'Gives up',
      flow: { go: { type: 'headrace.utils.controls.OnStart', x: 64, y: 64, source: {} }, set: { type: 'headrace.utils.controls.SetVariable', x: 256, y: 64, source: { in: { go: ['out'] } }, config: {} } },
    });
    await page.goto(page.url() + `flows/${flowId}`);
    await page.locator('.card.error').waitFor();
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.locator('.card.is-failed').waitFor();
    await page.getByRole('button', { name: 'Runs', exact: true }).click();
    await page.getByRole('heading', { name: 'Given up, waiting for you' }).waitFor();
    await at.shot('06-given-up');
    expect(await at.axe()).toEqual([]);
    const asked = page.waitForResponse((response) => response.request().method() === 'POST' && response.url().includes('/unprocessed-messages/'));
    await page.getByRole('button', { name: 'Retry the message at Set Variable' }).click();
    expect((await asked).ok()).toBe(true);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('with hostile texts everywhere shows them as texts', async () => {
    const at = await visit(browser);
    const { page } = at;
    const bad = `<img src=x onerror="document.title='hit'"><script>document.title='hit'</script>{{constructor}}`;
    const { flow } = TEMPLATES.find((each) => each.id === 'greeting')!;
    const nodes = Object.fromEntries(Object.entries(flow).map(([id, node]) => [id, { ...node, label: `${bad} ${id}` }]));
    const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: bad, flow: nodes });
    await page.reload();
    await page.getByRole('link', { name: /onerror/ }).first().waitFor();
    await page.goto(page.url() + `flows/${flowId}`);
    await page.locator('[data-component-id="answer"]').click();
    await page.getByRole('textbox', { name: 'Body' }).fill(bad);
    await page.getByRole('button', { name: 'Show as a list' }).click();
    expect(await page.locator('hr-designer img[src="x"], hr-designer script').count()).toBe(0);
    expect(await page.title()).not.toBe('hit');
    await at.api('DELETE', `/flows/${flowId}`);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('of 2,000 steps is there within seconds and stays light', async () => {
    const at = await visit(browser);
    const { page } = at;
    const flow = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`n${n}`, {
      type: n ? 'headrace.utils.controls.SetVariable' : 'headrace.utils.controls.OnStart', x: (n % 50) * 192, y: Math.floor(n / 50) * 96, source: n ? { in: { [`n${n - 1}`]: ['out'] } } : {},
    }]));
    const { flowId } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Large', flow });
    await page.goto(page.url() + `flows/${flowId}`);
    await page.locator('.canvas.far').waitFor();
    expect(await page.locator('.card').count()).toBeLessThan(200);
    await at.shot('05-large');
    const canvas = (await page.locator('.canvas').boundingBox())!;
    await page.mouse.move(canvas.x + canvas.width / 2, canvas.y + canvas.height / 2);
    await page.keyboard.down('Control');
    for (let turn = 0; turn < 40 && (await page.locator('.canvas.far').count()); turn += 1) await page.mouse.wheel(0, -240);
    await page.keyboard.up('Control');
    const shown = await page.locator('.card').evaluateAll((cards) => cards.map((card) => ({ id: (card as HTMLElement).dataset['componentId'], box: card.getBoundingClientRect() })));
    const far = ({ box }: (typeof shown)[number]): number => Math.hypot(box.x + box.width / 2 - canvas.x - canvas.width / 2, box.y + box.height / 2 - canvas.y - canvas.height / 2);
    const middle = page.locator(`[data-component-id="${shown.sort((a, b) => far(a) - far(b))[0]!.id}"]`);
    const box = (await middle.boundingBox())!;
    const engine = await page.context().newCDPSession(page);
    await engine.send('Performance.enable', { timeDomain: 'threadTicks' });
    const spent = async (): Promise<number> => (await engine.send('Performance.getMetrics')).metrics.find((each) => each.name === 'TaskDuration')!.value * 1000;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 8, box.y + box.height / 2);
    const before = await spent();
    for (let step = 0; step < DRAGGED; step += 1) {
      await page.mouse.move(box.x + box.width / 2 + 8 + step * 2, box.y + box.height / 2 + step);
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    const each = (await spent() - before) / DRAGGED;
    await page.mouse.up();
    expect((await middle.boundingBox())!.x - box.x).toBeGreaterThan(DRAGGED);
    console.log(`A move among 2,000 steps costs ${each.toFixed(1)} ms of the page's thread.`);
    expect(each).toBeLessThan(MOST_MS_A_MOVE);
    await page.context().close();
  });
});

describe('every template', () => {
  it.each(TEMPLATES.map((each) => each.id))('%s starts and has no problems', async (id) => {
    const at = await visit(browser);
    const flowId = await made(at, id);
    expect(await at.api('GET', `/flows/${flowId}/validate`)).toEqual({ errors: [], warnings: [] });
    const { stage } = await at.api<{ stage: string }>('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
    expect(stage).toBe('running');
    await at.page.goto(at.page.url() + `flows/${flowId}`);
    await at.page.getByRole('button', { name: 'No problems' }).waitFor();
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'stop' });
    await at.page.context().close();
  });
});

describe.each([{ dark: false }, { dark: true }])('screens, dark: $dark', ({ dark }) => {
  it('are clean for axe, wide and narrow', async () => {
    for (const narrow of [false, true]) {
      const at = await visit(browser, '/', { dark, narrow, touch: narrow });
      const { page } = at;
      await page.getByRole('button', { name: 'New flow', exact: true }).first().click();
      await page.getByRole('heading', { name: 'Begin with a template' }).waitFor();
      await page.locator('.template .icon').first().waitFor();
      await at.shot('10-begin');
      expect(await at.axe()).toEqual([]);
      await page.keyboard.press('Escape');
      const flowId = await made(at, 'branches');
      await page.goto(page.url() + `flows/${flowId}`);
      await page.locator(narrow ? '[data-step="big"]' : '[data-component-id="big"]').click();
      await page.getByRole('textbox', { name: 'Value', exact: true }).waitFor();
      await at.shot('11-designer');
      expect(await at.axe()).toEqual([]);
      await page.getByRole('button', { name: 'Close settings' }).click();
      await page.getByRole('button', { name: 'Logs', exact: true }).click();
      await at.shot('12-dock');
      expect(await at.axe()).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      await page.getByRole('button', { name: 'Search steps and commands' }).click();
      await page.getByRole('combobox').waitFor();
      await at.shot('13-commands');
      expect(await at.axe()).toEqual([]);
      expect(at.complaints).toEqual([]);
      await page.context().close();
    }
  });
});

describe('the SDK', () => {
  it('opens and closes six times and leaves nothing in the page', async () => {
    const at = await visit(browser);
    const flowId = await made(at, 'greeting');
    // As text: the test runner would rewrite the import of a function.
    const left = await at.page.evaluate(`(async () => {
      const { Headrace } = await import(location.origin + '/sdk/headrace.mjs');
      let asked = 0;
      const headrace = new Headrace({ baseUrl: location.origin, tokenProvider: async () => ((asked += 1), ${JSON.stringify(at.token)}) });
      await headrace.ready;
      const host = document.body.appendChild(document.createElement('div'));
      host.style.height = '500px';
      for (let round = 0; round < 6; round += 1) {
        const designer = headrace.ui.Designer({ el: host, flowId: ${JSON.stringify(flowId)} });
        await designer.open();
        if (!host.querySelector('hr-designer').shadowRoot.querySelector('.designer')) throw new Error('It is not there.');
        await designer.close();
      }
      await headrace.destroy();
      return { children: host.childElementCount, asked };
    })()`);
    expect(left).toEqual({ children: 0, asked: 1 });
    expect(at.complaints).toEqual([]);
    await at.page.context().close();
  });
});

