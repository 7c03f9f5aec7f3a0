/** Connectors and their components: found, read about, published and removed by those who may. */
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './connectors.css?inline';
import Root from './Connectors.svelte';
import { STRINGS } from './strings.ts';

export interface ConnectorsOptions {
  showHeader?: boolean;
  /** Whether connectors can be published and removed here; it is so for users with a vendor of their own. */
  canPublish?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface ConnectorsEvents {
  'connector:open': Act<{ app: string }>;
  'connector:publish': Act<{ filename: string }, { components: readonly string[] }>;
  'connector:remove': Act<{ app: string }>;
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
