import { view } from '../../kit/view.ts';
import css from './wizard.css?inline';
import { STRINGS } from './strings.ts';
import Root from './Wizard.svelte';

export default view(Root, { css, strings: STRINGS });
