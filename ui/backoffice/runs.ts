/** What an administrator does with a run of somebody. */
import type { Run } from '../kit/api.ts';
import type { Office } from './office.svelte.ts';

export interface OfficeRun extends Run {
  userId: string;
  correlationId?: string;
}

export async function cancelRun(office: Office, run: OfficeRun): Promise<void> {
  const { w } = office;
  if (!(await w.confirm({ title: 'Cancel this run?', text: `It is of a flow of ${office.nameOf(run.userId)}. Steps under way come to their end, and nothing after them is done. This cannot be undone.`, yes: 'Cancel the run', no: 'Keep it', isDangerous: true }))) return;
  await w.act('run:cancel', { runId: run.runId }, () => office.send('POST', `/runs/${encodeURIComponent(run.runId)}/cancel?onBehalfOf=${encodeURIComponent(run.userId)}`, { reason: 'Cancelled by an administrator.' }), 'The run is cancelled.');
  w.reload();
}
