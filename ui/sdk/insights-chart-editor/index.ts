/** One chart, made or changed beside what it draws. */
import chart from '../../kit/chart/chart.css?inline';
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './editor.css?inline';
import Root from './InsightsChartEditor.svelte';
import { STRINGS } from './strings.ts';

/** `chartId` of the configuration is the chart; without one a new one begins, of the flow `flowId` where that is given. */
export interface InsightsChartEditorOptions {
  showHeader?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface InsightsChartEditorEvents {
  /** `chartId` is empty for a new one, and the one that was saved after it */
  'chart:save': Act<{ chartId: string }>;
}

export default view(Root, { css: chart + css, strings: STRINGS });
