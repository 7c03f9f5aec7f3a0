/** What an administrator does with a run of somebody. */
import type { Run } from '../kit/api.ts';
import type { Office } from './office.svelte.ts';

export interface OfficeRun extends Run {
  userId: string;
  correlationId?: string;
}

/** Begin another run with its event; its id, or none where it was called off. */
export async function replayRun(office: Office, run: OfficeRun): Promise<string> {
  const { w } = office;
  let begun = '';
  if (!(await w.confirm({ title: 'Run the flow again with this event?', text: `It is a flow of ${office.nameOf(run.userId)}. A new run begins with the event as it came. What this run did outside is done again.`, yes: 'Run again', no: 'Leave it' }))) return '';
  await w.act('run:replay', { runId: run.runId }, async () => {
    begun = (await office.send<{ runId: string }>('POST', `/runs/${encodeURIComponent(run.runId)}/replay?onBehalfOf=${encodeURIComponent(run.userId)}`, { eventId: crypto.randomUUID() })).runId;
  }, 'A new run has begun.');
  return begun;
}

export async function cancelRun(office: Office, run: OfficeRun): Promise<void> {
  const { w } = office;
  if (!(await w.confirm({ title: 'Cancel this run?', text: `It is of a flow of ${office.nameOf(run.userId)}. Steps under way come to their end, and nothing after them is done. This cannot be undone.`, yes: 'Cancel the run', no: 'Keep it', isDangerous: true }))) return;
  await w.act('run:cancel', { runId: run.runId }, () => office.send('POST', `/runs/${encodeURIComponent(run.runId)}/cancel?onBehalfOf=${encodeURIComponent(run.userId)}`, { reason: 'Cancelled by an administrator.' }), 'The run is cancelled.');
  w.reload();
}
