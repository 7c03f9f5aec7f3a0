import { view } from '../../kit/view.ts';
import integrations from '../integrations/integrations.css?inline';
import Root from './AutomationHub.svelte';
import css from './hub.css?inline';
import { STRINGS } from './strings.ts';

export default view(Root, { css: integrations + css, strings: STRINGS, defaults: { showHeader: true } });
