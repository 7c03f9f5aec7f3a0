/** The log of flows: how much over time, which records, all of one; searched, narrowed down, followed as it grows. */
import chart from '../../kit/chart/chart.css?inline';
import type { Act } from '../../kit/events.ts';
import type { JsonObject } from '../../kit/types.ts';
import { view } from '../../kit/view.ts';
import css from './logs.css?inline';
import Root from './InsightsLogs.svelte';
import { STRINGS } from './strings.ts';

/** `flowId` and `componentId` of the configuration hold it to one flow, or one step. */
export interface InsightsLogsOptions {
  showHeader?: boolean;
  /** How many records over time; a bar narrows the time down to it */
  showHistogram?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface InsightsLogsEvents {
  'log:open': Act<{ id: string; flowId: string; record: JsonObject }>;
  /** Opens the flow of a record in the designer */
  'flow:open': Act<{ flowId: string }>;
}

/** What it shows just now, by path. */
export interface InsightsLogsState {
  /** What is searched for, in the language of the log */
  'query/text': string;
  /** `15m`, `1h`, `24h`, `7d`, `30d`, or `custom` between `query/from` and `query/to` */
  'query/range': string;
  'query/from': string;
  'query/to': string;
  /** Such as `['error']` */
  'query/severities': readonly string[];
  'query/flowIds': readonly string[];
  /** Only flows of this type, such as `integration-instance` */
  'query/flowType': string;
  /** Only this run */
  'query/correlationId': string;
  /** Of another user, for administrators */
  'query/userId': string;
}

export default view(Root, { css: chart + css, strings: STRINGS, defaults: { showHeader: true, showHistogram: true } satisfies InsightsLogsOptions });
