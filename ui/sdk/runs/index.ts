/** Runs of flows: what came of each event, why one waits, and what a person can do about it. */
import { view } from '../../kit/view.ts';
import css from './runs.css?inline';
import Root from './Runs.svelte';
import { STRINGS } from './strings.ts';

/** `flowId` and `runId` of the configuration choose what is shown first. */
export interface RunsOptions {
  showHeader?: boolean;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies RunsOptions });
