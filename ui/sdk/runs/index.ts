/** Runs of flows: what came of each event, why one waits, and what a person can do about it. */
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './runs.css?inline';
import Root from './Runs.svelte';
import { STRINGS } from './strings.ts';

/** `flowId` and `runId` of the configuration choose what is shown first. */
export interface RunsOptions {
  showHeader?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface RunsEvents {
  'run:open': Act<{ runId: string; flowId: string }>;
  'run:cancel': Act<{ runId: string; flowId: string }>;
  /** A new run begins with the event of this one */
  'run:replay': Act<{ runId: string; flowId: string }>;
  /** What the run is given up for is tried again */
  'run:retry': Act<{ runId: string }>;
  'flow:open': Act<{ flowId: string; runId: string }>;
}

/** What it shows just now, by path. */
export interface RunsState {
  /** Such as `waiting` */
  'query/state': string;
  /** Only this flow's runs */
  'query/flowId': string;
  /** The run that is shown */
  'runId': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies RunsOptions });
