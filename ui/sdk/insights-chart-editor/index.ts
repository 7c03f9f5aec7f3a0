/** One chart, made or changed beside what it draws. */
import chart from '../../kit/chart/chart.css?inline';
import { view } from '../../kit/view.ts';
import css from './editor.css?inline';
import Root from './InsightsChartEditor.svelte';
import { STRINGS } from './strings.ts';

/** `chartId` of the configuration is the chart; without one a new one begins, of the flow `flowId` where that is given. */
export interface InsightsChartEditorOptions {
  showHeader?: boolean;
}

/** What it tells, and with what data. */
export interface InsightsChartEditorEvents {
  /** `chartId`, empty for a new one; after it the one that was saved. The host's to do once it listens */
  'chart:save': object;
  /** It has left the page */
  'close': object;
}

export default view(Root, { css: chart + css, strings: STRINGS });
