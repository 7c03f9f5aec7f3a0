/** Flows of a user: found, opened, started, stopped, copied, shared, renamed, removed. */
import type { FlowRecord, SharePermission, ShareType } from '../../kit/api.ts';
import type { Act, Nothing } from '../../kit/events.ts';
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

/** What it tells, with what data, and what comes with `-after`. */
export interface FlowManagerEvents {
  /** A flow is to be made */
  'flow:create': Act<Nothing, { flowId: string }>;
  /** A flow is to be opened; one that was just made comes without `flow` */
  'flow:open': Act<{ flowId: string; flow?: FlowRecord }>;
  'flow:start': Act<{ flowId: string; flow: FlowRecord }>;
  'flow:stop': Act<{ flowId: string; flow: FlowRecord }>;
  'flow:rename': Act<{ flowId: string; flow: FlowRecord }, { name: string }>;
  'flow:clone': Act<{ flowId: string; flow: FlowRecord }, { cloneId: string }>;
  'flow:share': Act<{ flowId: string; flow: FlowRecord }>;
  /** Opens the runs of the flow */
  'flow:runs': Act<{ flowId: string; flow: FlowRecord }>;
  /** Opens the log of the flow */
  'flow:insights': Act<{ flowId: string; flow: FlowRecord }>;
  'flow:remove': Act<{ flowId: string; flow: FlowRecord }>;
}

/** What it shows just now, by path. */
export interface FlowManagerState {
  /** Text that names have */
  'query/pattern': string;
  /** Such as `stage:running`, or `shared` */
  'query/filter': string;
  /** Such as `name:1` */
  'query/sort': string;
  /** `list`, `grid` or `thumbnail` */
  'layout': string;
}

export default view(Root, {
  css,
  strings: STRINGS,
  defaults: {
    showHeader: true,
    layout: 'list',
    menu: ['open', 'start', 'stop', 'rename', 'clone', 'share', 'runs', 'insights', 'remove'].map((each) => ({ event: `flow:${each}` })),
  } satisfies FlowManagerOptions,
});
