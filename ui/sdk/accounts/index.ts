/** Accounts at other services: connected, tested, renamed, shared, removed, and where they are used. */
import type { ShareType } from '../../kit/api.ts';
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './accounts.css?inline';
import Root from './Accounts.svelte';
import { STRINGS } from './strings.ts';

export interface AccountsOptions {
  showHeader?: boolean;
  /** Accounts that are shown at all: a field and its value. */
  customFilter?: Readonly<Record<string, string | number | boolean>>;
  shareTypes?: readonly ShareType[];
}

/** What it tells, with what data, and what comes with `-after`. */
export interface AccountsEvents {
  /** An account is to be connected; with `accountId` again */
  'account:connect': Act<{ service: string; accountId?: string }, { accountId: string }>;
  'account:test': Act<{ accountId: string }, { isValid: boolean }>;
  'account:rename': Act<{ accountId: string; name: string }>;
  'account:share': Act<{ accountId: string }>;
  'account:remove': Act<{ accountId: string }>;
  /** A flow that uses an account */
  'flow:open': Act<{ flowId: string }>;
}

/** What it shows just now, by path. */
export interface AccountsState {
  /** Text that names have */
  'query/pattern': string;
  /** Such as `service:1` */
  'query/sort': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies AccountsOptions });
