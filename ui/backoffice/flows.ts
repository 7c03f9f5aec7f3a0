/** What an administrator does with a flow of somebody: always on record, and with the owner's name in the question. */
import type { FlowRecord } from '../kit/api.ts';
import type { Office } from './office.svelte.ts';

export const stageOf = (flow: FlowRecord): string => flow.stage ?? 'stopped';
export const placeOf = (flow: FlowRecord): string => `/flows/${encodeURIComponent(flow.flowId)}`;
export const forOwner = (flow: FlowRecord): string => `?onBehalfOf=${encodeURIComponent(String(flow['userId']))}`;

export async function order(office: Office, flow: FlowRecord, command: 'start' | 'stop'): Promise<void> {
  const { w } = office;
  const owner = office.nameOf(flow['userId']);
  if (command === 'stop' && !(await w.confirm({ title: `Stop ‘${flow.name}’?`, text: `It belongs to ${owner}. It takes no events any more; runs that wait are put aside until it is started again.`, yes: 'Stop', isDangerous: true }))) return;
  await w.act(`flow:${command}`, { flowId: flow.flowId }, () => office.send('POST', `${placeOf(flow)}/coordinator${forOwner(flow)}`, { command }), command === 'start' ? `‘${flow.name}’ runs.` : `‘${flow.name}’ is stopped.`);
  w.reload();
}

export async function removeFlow(office: Office, flow: FlowRecord): Promise<boolean> {
  const { w } = office;
  const owner = office.nameOf(flow['userId']);
  if (!(await w.confirm({ title: `Delete ‘${flow.name}’?`, text: `It belongs to ${owner}. Its runs, unprocessed messages and states go with it. This cannot be undone.`, yes: 'Delete', isDangerous: true }))) return false;
  const isDone = await w.act('flow:remove', { flowId: flow.flowId }, () => office.send('DELETE', placeOf(flow) + forOwner(flow)), `‘${flow.name}’ is deleted.`);
  if (isDone) w.reload();
  return isDone;
}

export async function exported(office: Office, flow: FlowRecord): Promise<void> {
  await office.w.act('flow:export', { flowId: flow.flowId }, async () => {
    const whole = await office.get<FlowRecord>(placeOf(flow), { allTenants: 'true' });
    office.save(`${flow.flowId}.json`, JSON.stringify(whole, null, 2));
  });
}
