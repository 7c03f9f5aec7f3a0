/** Runs of flows: what came of each event, why one waits, and what a person can do about it. */
import { view } from '../../kit/view.ts';
import css from './runs.css?inline';
import Root from './Runs.svelte';
import { STRINGS } from './strings.ts';

/** `flowId` and `runId` of the configuration choose what is shown first. */
export interface RunsOptions {
  showHeader?: boolean;
}

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface RunsEvents {
  /** `runId`, `flowId` */
  'run:open': object;
  /** `runId`, `flowId` */
  'run:cancel': object;
  /** `runId` */
  'run:retry': object;
  /** `flowId`, `runId` */
  'flow:open': object;
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
