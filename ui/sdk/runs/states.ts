/** States of runs, and how they look. */
import type { BadgeKind } from '../../kit/kinds.ts';

export const KINDS: Readonly<Record<string, BadgeKind>> = { running: 'active', ready: 'active', waiting: 'warning', done: 'done', failed: 'error', quarantined: 'error' };

const OVER = new Set(['done', 'failed', 'cancelled', 'quarantined']);

export function isOver(state: string): boolean {
  return OVER.has(state);
}
