import { view } from '../../kit/view.ts';
import css from './integrations.css?inline';
import Root from './Integrations.svelte';
import rollout from './rollout.css?inline';
import { STRINGS } from './strings.ts';

export default view(Root, { css: css + rollout, strings: STRINGS, defaults: { showHeader: true } });
