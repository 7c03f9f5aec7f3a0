/** What is drawn around a flow and done with parts of it: notes, groups, copies, pictures, sharing, versions, trials. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FlowRecord } from '../../kit/api.ts';
import { card, drag, isSaved, launch, made, visit } from './page.ts';
import type { Visit } from './page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

interface Stored extends FlowRecord {
  customFields?: { designer?: { sheets?: Record<string, { type: string; text: string; x: number; y: number; width: number; colour: string }> } };
  sharedWith?: unknown[];
}
const read = (at: Visit, flowId: string): Promise<Stored> => at.api<Stored>('GET', `/flows/${flowId}`);
const sheets = async (at: Visit, flowId: string) => Object.values((await read(at, flowId)).customFields?.designer?.sheets ?? {});

async function opened(template: string): Promise<{ at: Visit; page: Page; flowId: string }> {
  const at = await visit(browser);
  const flowId = await made(at, template);
  await at.page.goto(at.page.url() + `flows/${flowId}`);
  await at.page.locator('.card').first().waitFor();
  return { at, page: at.page, flowId };
}

async function command(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill(name);
  await page.keyboard.press('Enter');
}

describe('notes and groups', () => {
  it('are written, coloured, moved with what they hold, undone, and change nothing that runs', async () => {
    const { at, page, flowId } = await opened('branches');
    await at.api('POST', `/flows/${flowId}/coordinator`, { command: 'start' });
    await page.reload();
    await card(page, 'Take it').waitFor();
    const before = await read(at, flowId);
    await page.getByRole('button', { name: 'Add a note' }).click();
    await page.getByLabel('Text').fill('Orders of the shop');
    await page.getByRole('radio', { name: 'green' }).check();
    await page.locator('.sheet.note.green', { hasText: 'Orders of the shop' }).waitFor();
    await page.getByRole('button', { name: 'Close settings' }).click();
    await drag(page, page.locator('.sheet.note .words'), { x: 300, y: 160 });
    await isSaved(page);
    const { stage, version } = await read(at, flowId);
    expect({ stage, version }).toEqual({ stage: 'running', version: before.version });

    await card(page, 'Ask for approval').click();
    await card(page, 'Answer 202').click({ modifiers: ['Shift'] });
    await page.getByRole('button', { name: 'Group', exact: true }).click();
    await page.getByLabel('Name', { exact: true }).fill('Approval');
    await page.getByRole('button', { name: 'Close settings' }).click();
    await drag(page, page.locator('.sheet.frame .words'), { x: 720, y: 220 });
    await isSaved(page);
    await at.shot('24-notes');
    expect(await at.axe()).toEqual([]);

    const after = await read(at, flowId);
    expect(after.stage).toBe('running');
    expect(Object.keys(after.flow)).toEqual(Object.keys(before.flow));
    const [note, frame] = await sheets(at, flowId);
    expect(note).toMatchObject({ type: '@note', text: 'Orders of the shop', colour: 'green' });
    expect(frame).toMatchObject({ type: '@frame', text: 'Approval' });
    const shift = (id: string): number => after.flow[id]!.y! - before.flow[id]!.y!;
    expect(shift('approve')).toBe(shift('approved'));
    expect([shift('approve') !== 0, shift('take')]).toEqual([true, 0]);

    await page.locator('.canvas').focus();
    await page.keyboard.press('Control+z');
    await isSaved(page);
    expect((await read(at, flowId)).flow).toEqual(before.flow);
    await page.reload();
    await page.locator('.sheet.note', { hasText: 'Orders of the shop' }).waitFor();
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('keep what others put into the custom fields', async () => {
    const { at, page, flowId } = await opened('greeting');
    await at.api('PUT', `/flows/${flowId}`, { customFields: { theirs: { a: 1 } } });
    await page.reload();
    await card(page, 'Answer').waitFor();
    await page.locator('.canvas').focus();
    await page.keyboard.press('n');
    await page.getByLabel('Text').fill('x');
    await isSaved(page);
    expect((await read(at, flowId)).customFields).toMatchObject({ theirs: { a: 1 }, designer: { sheets: {} } });
    await page.context().close();
  });
});

describe('parts of a flow', () => {
  it('are copied and pasted with the links among them, here and in another flow', async () => {
    const { at, page, flowId } = await opened('greeting');
    await card(page, 'Make the greeting').click();
    await card(page, 'Answer').click({ modifiers: ['Shift'] });
    await page.keyboard.press('Control+c');
    await page.keyboard.press('Control+v');
    await expect.poll(() => page.locator('.card').count()).toBe(5);
    await isSaved(page);
    const { flow } = await read(at, flowId);
    const [set, answer] = Object.keys(flow).filter((id) => !['hook', 'greet', 'answer'].includes(id)) as [string, string];
    expect(flow[answer]!.source).toEqual({ in: { [set]: ['out'] } });
    expect(Object.values(flow[answer]!.config!.transform!['in']![set]!['out']!.modifiers!['body']!)[0]!.variable).toBe(`$.${set}.out.greeting`);
    await page.keyboard.press('Control+z');
    await expect.poll(() => page.locator('.card').count()).toBe(3);

    const { flowId: other } = await at.api<{ flowId: string }>('POST', '/flows', { name: 'Other', flow: {} });
    await page.goto(new URL(`/flows/${other}`, page.url()).href);
    await page.locator('.canvas').focus();
    await page.keyboard.press('Control+v');
    await expect.poll(() => page.locator('.card').count()).toBe(2);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('are tried with a message, and their results show in place', async () => {
    const { page, at } = await opened('filter');
    await card(page, 'Is it urgent?').click();
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    const message = page.locator('.cm-content[aria-label="Message for Is it urgent?"]');
    await message.click();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('{"expression": {"AND": [{"OR": [{"input": "urgent", "operator": "contains", "value": "urgent"}]}]}}');
    await at.shot('25-test');
    await page.getByRole('button', { name: 'Run from here' }).click();
    await page.locator('.dock').getByText('Say now').first().waitFor();
    await at.shot('26-tested');
    expect(await at.axe()).toEqual([]);
    await page.context().close();
  });
});

describe('a flow', () => {
  it('is saved as a picture', async () => {
    const { page, at } = await opened('branches');
    await page.locator('.canvas').focus();
    await page.keyboard.press('n');
    await page.getByLabel('Text').fill('<b>no markup</b> & "quotes"');
    const saved = async (kind: string): Promise<Buffer> => {
      const [download] = await Promise.all([page.waitForEvent('download'), command(page, `picture as ${kind}`)]);
      expect(download.suggestedFilename()).toBe(`Decide by amount.${kind.toLowerCase()}`);
      return readFileSync(await download.path());
    };
    const svg = (await saved('SVG')).toString();
    expect(svg).toContain('&lt;b&gt;no markup&lt;/b&gt;');
    expect(svg).toContain('More than 100?');
    expect(svg.match(/<path d="M/g)!.length).toBe(5);
    const png = await saved('PNG');
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.length).toBeGreaterThan(10_000);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('is shared, and no longer', async () => {
    const { page, at, flowId } = await opened('greeting');
    await page.getByRole('button', { name: 'Share this flow' }).click();
    await page.getByRole('textbox', { name: 'Email' }).fill('bob@example.com');
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    await page.getByRole('checkbox', { name: 'bob@example.com: Start' }).check();
    await expect.poll(async () => (await read(at, flowId)).sharedWith).toEqual([{ email: 'bob@example.com', permissions: ['read', 'start'] }]);
    await at.shot('27-share');
    expect(await at.axe()).toEqual([]);
    await page.getByRole('button', { name: 'Stop sharing with bob@example.com' }).click();
    await page.getByText('Nobody else sees this flow.').waitFor();
    expect((await read(at, flowId)).sharedWith).toEqual([]);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });

  it('shows what lies between two versions and goes back to one', async () => {
    const { page, at, flowId } = await opened('greeting');
    const before = (await read(at, flowId)).flow;
    await card(page, 'Answer').click();
    await page.getByLabel('Name of this step').fill('Say it');
    await isSaved(page);
    await card(page, 'Make the greeting').click();
    await page.keyboard.press('Delete');
    await isSaved(page);
    await page.getByRole('button', { name: 'Versions', exact: true }).click();
    await page.getByRole('button', { name: 'Compare', exact: true }).last().click();
    await page.locator('.card.mark-removed').filter({ hasText: 'Make the greeting' }).waitFor();
    await page.locator('.card.mark-changed').filter({ hasText: 'Say it' }).waitFor();
    await at.shot('28-versions');
    expect(await at.axe()).toEqual([]);
    await page.getByRole('button', { name: 'Restore', exact: true }).last().click();
    await card(page, 'Make the greeting').waitFor();
    await expect.poll(async () => (await read(at, flowId)).flow).toEqual(before);
    expect(at.complaints).toEqual([]);
    await page.context().close();
  });
});
