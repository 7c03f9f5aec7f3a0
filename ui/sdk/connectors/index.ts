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

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface ConnectorsEvents {
  /** `app` */
  'connector:open': object;
  /** `filename`; after it `components` */
  'connector:publish': object;
  /** `app` */
  'connector:remove': object;
}

/** What it shows just now, by path. */
export interface ConnectorsState {
  /** The connector that is shown */
  'app': string;
  /** Text that it has */
  'query/pattern': string;
  /** Only of this category */
  'query/category': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies ConnectorsOptions });
