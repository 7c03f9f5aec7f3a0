/** Tasks that flows put before people, who approve or reject. */
import { view } from '../../kit/view.ts';
import css from './people-tasks.css?inline';
import Root from './PeopleTasks.svelte';
import { STRINGS } from './strings.ts';

/** `secret` of the configuration lets in who has no account; `role` is `approver` or `requester`; `taskId` shows one task. */
export interface PeopleTasksOptions {
  showHeader?: boolean;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies PeopleTasksOptions });
