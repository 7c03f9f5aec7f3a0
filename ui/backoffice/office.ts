import chart from '../kit/chart/chart.css?inline';
import { view } from '../kit/view.ts';
import css from './office.css?inline';
import Root from './Root.svelte';

export default view(Root, { css: chart + css, strings: { title: 'Backoffice' } });
