/** Tasks that flows put before people, who approve or reject. */
import { view } from '../../kit/view.ts';
import css from './people-tasks.css?inline';
import Root from './PeopleTasks.svelte';
import { STRINGS } from './strings.ts';

/** `secret` of the configuration lets in who has no account; `role` is `approver` or `requester`; `taskId` shows one task. */
export interface PeopleTasksOptions {
  showHeader?: boolean;
}

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface PeopleTasksEvents {
  /** `taskId` */
  'task:open': object;
  /** `taskId` */
  'task:approve': object;
  /** `taskId` */
  'task:reject': object;
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
