/** All charts, arranged, and kept fresh. */
import chart from '../../kit/chart/chart.css?inline';
import { view } from '../../kit/view.ts';
import css from './dashboard.css?inline';
import Root from './InsightsDashboard.svelte';
import { STRINGS } from './strings.ts';

export interface InsightsDashboardOptions {
  showHeader?: boolean;
  /** Seconds after which charts are asked for anew; 0 for never */
  refresh?: number;
}

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface InsightsDashboardEvents {
  /** `chartId`; opens the editor */
  'chart:open': object;
  /** Opens the editor */
  'chart:create': object;
  /** `chartId`; after it `cloneId` */
  'chart:clone': object;
  /** `chartId` */
  'chart:remove': object;
}

/** What it shows just now, by path. */
export interface InsightsDashboardState {
  /** Such as `now-7d`, in place of what each chart says */
  'query/from': string;
  /** As the option */
  'refresh': number;
}

export default view(Root, { css: chart + css, strings: STRINGS, defaults: { showHeader: true, refresh: 60 } satisfies InsightsDashboardOptions });
