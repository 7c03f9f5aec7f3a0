/** Accounts at other services: connected, tested, renamed, shared, removed, and where they are used. */
import type { ShareType } from '../../kit/api.ts';
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

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface AccountsEvents {
  /** `service`; again: `accountId`; after it `accountId` */
  'account:connect': object;
  /** `accountId`; after it `isValid` */
  'account:test': object;
  /** `accountId`, `name` */
  'account:rename': object;
  /** `accountId` */
  'account:share': object;
  /** `accountId` */
  'account:remove': object;
  /** `flowId` */
  'flow:open': object;
}

/** What it shows just now, by path. */
export interface AccountsState {
  /** Text that names have */
  'query/pattern': string;
  /** Such as `service:1` */
  'query/sort': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies AccountsOptions });
