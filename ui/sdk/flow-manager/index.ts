/** Flows of a user: found, opened, started, stopped, copied, shared, renamed, removed. */
import type { SharePermission, ShareType } from '../../kit/api.ts';
import type { IconName } from '../../kit/icons.ts';
import { view } from '../../kit/view.ts';
import css from './flow-manager.css?inline';
import Root from './FlowManager.svelte';
import { STRINGS } from './strings.ts';

export interface FlowManagerOptions {
  /** The entries of each flow's menu; an entry of your own is an event of its name. */
  menu?: readonly { event: string; label?: string; icon?: IconName }[];
  showHeader?: boolean;
  /** Flows that are shown at all: a field, dotted where it lies deeper, and its value; `!` is empty, `>0` more than. */
  customFilter?: Readonly<Record<string, string | number | boolean>>;
  sorting?: readonly { label: string; property: string; value: 1 | -1 }[];
  filters?: readonly { label: string; property: string; value: string }[];
  layout?: 'list' | 'grid' | 'thumbnail';
  shareTypes?: readonly ShareType[];
  sharePermissions?: readonly SharePermission[];
}

export default view(Root, {
  css,
  strings: STRINGS,
  defaults: {
    showHeader: true,
    layout: 'list',
    menu: ['open', 'start', 'stop', 'rename', 'clone', 'share', 'insights', 'remove'].map((each) => ({ event: `flow:${each}` })),
  } satisfies FlowManagerOptions,
});
