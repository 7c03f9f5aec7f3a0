/** The life of an integration in a page of another origin, under a strict policy: published, installed, changed, rolled out, removed. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, launch, visit } from './page.ts';
import type { Visit } from './page.ts';

const FOREIGN = process.env['HEADRACE_FOREIGN'] ?? '';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());

type Nodes = Record<string, { type: string; config?: { properties?: Record<string, unknown> } }>;

/** The API for somebody of the page's, which signed them up. */
async function asked<T>(who: string, method: string, path: string, data?: unknown): Promise<T> {
  const name = `${who}@acme.example`;
  const { token } = await call<{ token: string }>('', 'POST', '/user/auth', { username: name, password: `the secret of ${name}` });
  return call<T>(token, method, path, data);
}

async function clean(at: Visit, name: string): Promise<void> {
  await at.shot(`60-integration-${name}`);
  expect(await at.axe(), name).toEqual([]);
}

it('an integration is published, installed, changed, rolled out with a preview, and removed', async () => {
  const maker = await visit(browser, `${FOREIGN}/?user=maker#Integrations`);
  await maker.page.getByRole('heading', { name: 'No integrations yet' }).waitFor();
  await clean(maker, '01-none');
  const flow = {
    clock: { type: 'headrace.utils.timers.Timer', label: 'Every so often', x: 64, y: 64, source: {}, config: { properties: { interval: 60 } } },
    work: { type: 'vault.oauth.core.Work', label: 'Do the work', x: 256, y: 64, source: { in: { clock: ['out'] } }, config: {} },
  };
  const { flowId: draft } = await asked<{ flowId: string }>('maker', 'POST', '/flows', { name: 'Work by the clock', flow });

  // The maker chooses what the wizard asks for, and publishes.
  const { page: making } = maker;
  await making.evaluate((id) => (location.hash = `#Designer/${id}`), draft);
  await making.getByRole('button', { name: 'Publish as an integration' }).click();
  const publishing = making.getByRole('dialog', { name: 'Publish as an integration' });
  await publishing.getByLabel('What it does').fill('Does the work for you, as often as you like.');
  await publishing.getByLabel('Minutes', { exact: true }).check();
  await publishing.getByLabel('Label of Minutes').fill('How often, in minutes');
  await publishing.getByRole('combobox', { name: 'Kind' }).selectOption({ label: 'Domain' });
  await publishing.getByRole('textbox', { name: 'Domain' }).fill('acme.example');
  await publishing.getByRole('button', { name: 'Add', exact: true }).click();
  await clean(maker, '02-publish');
  await publishing.getByRole('button', { name: 'Publish', exact: true }).click();
  await publishing.getByRole('heading', { name: 'Version 1 is published' }).waitFor();
  await clean(maker, '03-published');
  await publishing.getByRole('button', { name: 'Done' }).click();

  // Somebody installs it by the wizard, connects an account in a window of the service, and starts it.
  const user = await visit(browser, `${FOREIGN}/?user=ada#Integrations`);
  const { page } = user;
  await page.getByRole('button', { name: 'Install Work by the clock' }).waitFor();
  await clean(user, '04-offered');
  await page.getByRole('button', { name: 'Install Work by the clock' }).click();
  await page.getByRole('button', { name: 'Install', exact: true }).waitFor();
  await clean(user, '05-about');
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  await page.getByRole('heading', { name: 'Connect your accounts' }).waitFor();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('alert').filter({ hasText: 'Connect an account of' }).waitFor();
  await clean(user, '06-accounts');
  const [window] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect', exact: true }).click()]);
  await Promise.all([window.waitForEvent('close'), window.getByRole('button').first().click()]);
  await page.getByText('Connected', { exact: true }).waitFor();
  await clean(user, '07-connected');
  await page.getByRole('button', { name: 'Continue' }).click();
  const minutes = page.getByLabel('How often, in minutes');
  await minutes.fill('');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('How often, in minutes is missing.').waitFor();
  await minutes.fill('15');
  await clean(user, '08-settings');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('heading', { name: 'All set' }).waitFor();
  await page.getByLabel('Name').fill('My work');
  await clean(user, '09-ready');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.getByRole('heading', { name: 'It is running' }).waitFor();
  await clean(user, '10-running');
  await page.getByRole('button', { name: 'Done' }).click();
  const mine = page.locator('.installed li').filter({ hasText: 'My work' });
  await mine.getByText('Running').waitFor();
  const INSTANCES = '/flows?filter=type:integration-instance';
  const instance = (await asked<{ flowId: string }[]>('ada', 'GET', INSTANCES))[0]!.flowId;

  // They change it while it runs, pause it, start it again.
  await mine.getByRole('button', { name: /^My work/ }).click();
  await minutes.fill('20');
  await clean(user, '11-change');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Changes saved').waitFor();
  await page.locator('hr-wizard .wizard-head').getByRole('button', { name: 'Close' }).click();
  await mine.getByRole('button', { name: 'Pause My work' }).click();
  await mine.getByText('Paused').waitFor();
  await clean(user, '12-paused');
  await mine.getByRole('button', { name: 'Start My work' }).click();
  await mine.getByText('Running').waitFor();

  // The maker publishes a next version, sees what it changes in copies of others, and rolls it out.
  const more = { ...flow, clock: { ...flow.clock, config: { properties: { interval: 30 } } }, note: { type: 'headrace.utils.controls.SetVariable', label: 'Note it', x: 448, y: 64, source: { in: { work: ['out'] } }, config: { transform: { in: { work: { out: { type: 'json2new', modifiers: {}, lambda: { variables: { ADD: [{ name: 'seen', type: 'text', text: 'yes' }] } } } } } } } } };
  await asked('maker', 'PUT', `/flows/${draft}`, { flow: more });
  await making.reload();
  await making.getByRole('button', { name: 'Publish as an integration' }).click();
  await making.getByRole('dialog').getByRole('button', { name: 'Publish', exact: true }).click();
  await making.getByRole('heading', { name: 'Version 2 is published' }).waitFor();
  await making.getByRole('button', { name: 'See what would change' }).click();
  const rollout = making.getByRole('dialog', { name: 'Update instances of Work by the clock' });
  await rollout.getByRole('heading', { name: /Will be updated/ }).waitFor();
  await rollout.locator('summary').click();
  await rollout.getByText('Note it').waitFor();
  await rollout.getByText('stays as filled in: interval').waitFor();
  await clean(maker, '13-preview');
  await rollout.getByRole('button', { name: 'Update 1 instance' }).click();
  await rollout.getByText('The instance has the newest version.').waitFor();
  await clean(maker, '14-rolled-out');

  const { flow: now, stage, templateVersion } = await asked<{ flow: Nodes; stage: string; templateVersion: number }>('ada', 'GET', `/flows/${instance}`);
  expect([stage, templateVersion, Object.keys(now).length]).toEqual(['running', 2, 3]);
  expect(Object.values(now).find((each) => each.type.endsWith('.Timer'))?.config?.properties).toEqual({ interval: 20 });

  // The next version brings a step of a service they know, and one of a service they do not: it waits for its account.
  const later = { ...more, again: { type: 'vault.oauth.core.Work', label: 'Do it again', x: 640, y: 64, source: { in: { note: ['out'] } }, config: {} }, file: { type: 'vault.key.core.Work', label: 'File it', x: 832, y: 64, source: { in: { again: ['out'] } }, config: {} } };
  await asked('maker', 'PUT', `/flows/${draft}`, { flow: later });
  await making.reload();
  await making.getByRole('button', { name: 'Publish as an integration' }).click();
  await making.getByRole('dialog').getByRole('button', { name: 'Publish', exact: true }).click();
  await making.getByRole('heading', { name: 'Version 3 is published' }).waitFor();
  await making.getByRole('button', { name: 'See what would change' }).click();
  await rollout.getByText('1 instance needs an account first').waitFor();
  await rollout.locator('summary').click();
  await rollout.getByText('Its owner has to connect an account of key first.').waitFor();
  await clean(maker, '15-preview-needs');
  await rollout.getByRole('button', { name: 'Update 1 instance' }).click();
  await rollout.getByText('The instance waits for an account').waitFor();
  await clean(maker, '15-rolled-out-needs');
  interface Waiting { needsAccounts?: string[]; stage: string; version: number; runningVersion: number }
  const waiting = await asked<Waiting>('ada', 'GET', `/flows/${instance}`);
  expect([waiting.needsAccounts, waiting.stage, waiting.version - waiting.runningVersion]).toEqual([['vault:key'], 'running', 1]);
  await page.reload();
  await mine.getByText('Needs an account').waitFor();
  await clean(user, '16-needs');
  await page.setViewportSize({ width: 390, height: 844 });
  await clean(user, '17-needs-phone');
  await mine.getByRole('button', { name: 'Connect the accounts of My work' }).click();
  await page.getByText('There is a newer version of this integration.').waitFor();
  await page.locator('[data-service="vault:key"]').getByText('No account yet').waitFor();
  await clean(user, '18-waits-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.locator('[data-service="vault:key"]').getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByLabel('API key').fill(process.env['HEADRACE_SERVICE_KEY'] ?? '');
  await page.locator('[data-service="vault:key"]').getByRole('button', { name: 'Connect', exact: true }).click();
  await page.locator('[data-service="vault:key"]').getByText('Connected', { exact: true }).waitFor();
  await clean(user, '19-connected');
  await page.getByText('It is the newest version now.').waitFor();
  expect(await page.getByText('There is a newer version of this integration.').count()).toBe(0);
  const caught = await asked<Waiting>('ada', 'GET', `/flows/${instance}`);
  expect([caught.needsAccounts, caught.stage, caught.version]).toEqual([undefined, 'running', caught.runningVersion]);
  const { components } = await asked<{ components: Record<string, { accountId?: string }> }>('ada', 'GET', `/accounts/flow/${instance}`);
  expect(Object.values(components).filter((each) => each.accountId).length).toBe(3);
  await page.locator('hr-wizard .wizard-head').getByRole('button', { name: 'Close' }).click();
  await expect.poll(() => mine.getByText('Needs an account').count()).toBe(0);

  // They have had enough of it.
  await mine.getByRole('button', { name: 'What to do with My work' }).click();
  await page.getByRole('menuitem', { name: 'Remove' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText('My work is removed').waitFor();
  await expect.poll(() => mine.count()).toBe(0);
  await clean(user, '20-removed');
  expect(await asked('ada', 'GET', INSTANCES)).toEqual([]);
  expect([...maker.complaints, ...user.complaints]).toEqual([]);
  await making.context().close();
  await page.context().close();
}, 120_000);

it('in the hub, connecting the account that an integration waits for lets it run its newest version', async () => {
  const user = await visit(browser, `${FOREIGN}/?user=bea#AutomationHub`);
  const { page } = user;
  await page.getByRole('heading', { name: 'No integrations yet' }).or(page.getByRole('heading', { name: 'Ready to use' })).waitFor();
  const owner = await visit(browser, `${FOREIGN}/?user=mara#AutomationHub`);
  await owner.page.getByRole('heading', { name: 'Automation hub' }).waitFor();
  const flow = { clock: { type: 'headrace.utils.timers.Timer', x: 64, y: 64, source: {}, config: { properties: { interval: 60 } } } };
  const offer = { name: 'File by the clock', type: 'integration-template', flow, sharedWith: [{ domain: 'acme.example', permissions: ['read'] }] };
  const { flowId: template } = await asked<{ flowId: string }>('mara', 'POST', '/flows', offer);
  const { cloneId } = await asked<{ cloneId: string }>('bea', 'POST', `/flows/${template}/clone`, { isTemplateInstance: true, setComponentIdMap: true, projection: '-sharedWith' });
  await asked('bea', 'POST', `/flows/${cloneId}/coordinator`, { command: 'start' });
  await asked('mara', 'PUT', `/flows/${template}`, { flow: { ...flow, file: { type: 'vault.key.core.Work', label: 'File it', x: 256, y: 64, source: { in: { clock: ['out'] } }, config: {} } } });
  const { ticket } = await asked<{ ticket: string }>('mara', 'POST', `/integrations/${template}/update-integration-instances`);
  await expect.poll(async () => (await asked<{ stepsWaiting: number }>('mara', 'GET', `/integrations/status/${ticket}`)).stepsWaiting).toBe(1);

  await page.reload();
  const mine = page.locator('.installed li').filter({ hasText: 'File by the clock' });
  await mine.getByText('Needs an account').waitFor();
  await mine.getByText('Running').waitFor();
  await clean(user, '21-hub-needs');
  await page.setViewportSize({ width: 390, height: 844 });
  await clean(user, '22-hub-needs-phone');
  await mine.getByRole('button', { name: 'Connect the accounts of File by the clock' }).click();
  const service = page.locator('[data-service="vault:key"]');
  await service.getByText('No account yet').waitFor();
  await clean(user, '23-hub-waits-phone');
  await service.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByLabel('API key').fill(process.env['HEADRACE_SERVICE_KEY'] ?? '');
  await service.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('It is the newest version now.').waitFor();
  await clean(user, '24-hub-connected-phone');
  await page.locator('hr-wizard .wizard-head').getByRole('button', { name: 'Close' }).click();
  await expect.poll(() => mine.getByText('Needs an account').count()).toBe(0);
  expect(await mine.getByRole('button', { name: 'Connect the accounts of File by the clock' }).count()).toBe(0);
  await mine.getByText('Running').waitFor();
  await clean(user, '25-hub-runs-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
  await clean(user, '26-hub-runs');
  const runs = await asked<{ needsAccounts?: string[]; stage: string; version: number; runningVersion: number }>('bea', 'GET', `/flows/${cloneId}`);
  expect([runs.needsAccounts, runs.stage, runs.version, runs.runningVersion]).toEqual([undefined, 'running', 2, 2]);
  expect([...owner.complaints, ...user.complaints]).toEqual([]);
  await owner.page.context().close();
  await page.context().close();
}, 60_000);
