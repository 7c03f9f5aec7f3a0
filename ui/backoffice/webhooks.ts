/** System webhooks as the API has them. */
import type { JsonObject } from '../kit/types.ts';

export interface Webhook {
  id: string;
  url: string;
  events: string[];
  description: string;
  users: string[];
  active: boolean;
  /** A key of the system configuration sets it. */
  isConfigured: boolean;
  mtime: string | null;
}

export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;

export interface Delivery {
  id: string;
  webhookId: string;
  event: string;
  userId: string | null;
  at: string;
  state: (typeof DELIVERY_STATES)[number];
  nextTry: string | null;
  attempts: number;
  status: number | null;
  answer: string | null;
  error: string | null;
  created: string;
  ended: string | null;
  body?: JsonObject;
}

/** What came of it, in one sentence. */
export function outcome(delivery: Delivery): string {
  const tries = `${delivery.attempts} ${delivery.attempts === 1 ? 'try' : 'tries'}`;
  if (delivery.state === 'delivered') return `It was taken, with ${String(delivery.status)}, after ${tries}.`;
  const why = delivery.error ? ` ${delivery.error}` : '';
  if (delivery.state === 'failed') return delivery.attempts ? `It was not taken after ${tries}.${why}` : `It was not sent.${why}`;
  return delivery.attempts ? `It was not taken after ${tries}, and is tried again by itself.${why}` : 'It is about to be sent.';
}
