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

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies AccountsOptions });
