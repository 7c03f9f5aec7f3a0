/** What states, waits and roles are called, and how they look. */
import type { BadgeKind } from '../kit/kinds.ts';
import type { JsonObject } from '../kit/types.ts';

export const STAGES = ['running', 'stopped', 'starting', 'stopping'] as const;
export const RUN_STATES = ['ready', 'running', 'waiting', 'done', 'failed', 'cancelled', 'quarantined'] as const;

const KINDS: Readonly<Record<string, BadgeKind>> = {
  running: 'active', starting: 'active', stopping: 'warning', stopped: 'plain', ready: 'plain', waiting: 'warning', done: 'done', failed: 'error', cancelled: 'plain', quarantined: 'error',
  serving: 'done', held: 'warning', away: 'error', ok: 'done', warning: 'warning', error: 'error',
};
export const kindOf = (state: unknown): BadgeKind => KINDS[String(state)] ?? 'plain';
export const named = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
export const choices = (values: readonly string[]): { value: string; label: string }[] => values.map((value) => ({ value, label: named(value) }));

const WAITS: Readonly<Record<string, string>> = {
  retry: 'It failed and is tried again',
  timeout: 'It waits for a moment that the flow itself set',
  quota: 'The other side’s limit is used up; it goes on when there is room again',
  account: 'Its account is not accepted any more; somebody has to connect it again',
  call: 'It waits for an answer from outside: a person, another flow, a service',
  join: 'It waits for the other branches to arrive',
  in_doubt: 'Nobody knows whether its effect happened; a person decides',
  stopped: 'Its flow is stopped; it goes on when the flow is started',
};

/** Why a run stands still, in one sentence. */
export function why(wait: JsonObject, when: (time: string) => string): string {
  const due = wait['due'] ? `, ${when(String(wait['due']))}` : '';
  const reason = wait['reason'] ? ` (${String(wait['reason'])})` : '';
  return `${WAITS[String(wait['kind'])] ?? `It waits: ${String(wait['kind'])}`}${due}${reason}.`;
}
