import chart from '../../kit/chart/chart.css?inline';
import { view } from '../../kit/view.ts';
import css from './dashboard.css?inline';
import Root from './InsightsDashboard.svelte';
import { STRINGS } from './strings.ts';

export default view(Root, { css: chart + css, strings: STRINGS, defaults: { showHeader: true, refresh: 60 } });
