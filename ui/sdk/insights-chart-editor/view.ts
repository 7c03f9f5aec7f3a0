import chart from '../../kit/chart/chart.css?inline';
import { view } from '../../kit/view.ts';
import css from './editor.css?inline';
import Root from './InsightsChartEditor.svelte';
import { STRINGS } from './strings.ts';

export default view(Root, { css: chart + css, strings: STRINGS });
