/** Connectors and their components: found, read about, published and removed by those who may. */
import { view } from '../../kit/view.ts';
import css from './connectors.css?inline';
import Root from './Connectors.svelte';
import { STRINGS } from './strings.ts';

export interface ConnectorsOptions {
  showHeader?: boolean;
  /** Whether connectors can be published and removed here; it is so for users with a vendor of their own. */
  canPublish?: boolean;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies ConnectorsOptions });
