/** Tasks that flows put before people, who approve or reject. */
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './people-tasks.css?inline';
import Root from './PeopleTasks.svelte';
import { STRINGS } from './strings.ts';

/** `secret` of the configuration lets in who has no account; `role` is `approver` or `requester`; `taskId` shows one task. */
export interface PeopleTasksOptions {
  showHeader?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface PeopleTasksEvents {
  'task:open': Act<{ taskId: string }>;
  'task:approve': Act<{ taskId: string }>;
  'task:reject': Act<{ taskId: string }>;
}

/** What it shows just now, by path. */
export interface PeopleTasksState {
  /** `pending`, `decided` or `asked` */
  'tab': string;
  /** The task that is shown */
  'taskId': string;
  /** Text that titles have */
  'query/pattern': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies PeopleTasksOptions });
