/** All charts, arranged, and kept fresh. */
import chart from '../../kit/chart/chart.css?inline';
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './dashboard.css?inline';
import Root from './InsightsDashboard.svelte';
import { STRINGS } from './strings.ts';

export interface InsightsDashboardOptions {
  showHeader?: boolean;
  /** Seconds after which charts are asked for anew; 0 for never */
  refresh?: number;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface InsightsDashboardEvents {
  /** Opens the editor */
  'chart:open': Act<{ chartId: string }>;
  /** Opens the editor, or makes one of those to begin with */
  'chart:create': Act<{ chartId?: string }>;
  'chart:clone': Act<{ chartId: string }, { cloneId: string }>;
  'chart:remove': Act<{ chartId: string }>;
}

/** What it shows just now, by path. */
export interface InsightsDashboardState {
  /** Such as `now-7d`, in place of what each chart says */
  'query/from': string;
  /** As the option */
  'refresh': number;
}

export default view(Root, { css: chart + css, strings: STRINGS, defaults: { showHeader: true, refresh: 60 } satisfies InsightsDashboardOptions });
