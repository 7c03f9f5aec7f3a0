/** Data stores and their records: made, searched, edited, imported, exported, cleared. */
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './storage.css?inline';
import Root from './Storage.svelte';
import { STRINGS } from './strings.ts';

/** `storeId` of the configuration chooses the store that is shown first. */
export interface StorageOptions {
  showHeader?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface StorageEvents {
  'store:open': Act<{ storeId: string }>;
  'store:create': Act<{ name: string }, { storeId: string }>;
  'store:rename': Act<{ storeId: string; name: string }>;
  'store:clear': Act<{ storeId: string }, { deletedCount: number }>;
  'store:remove': Act<{ storeId: string }>;
  'store:import': Act<{ storeId: string; filename: string }, { count: number }>;
  'store:export': Act<{ storeId: string; format: 'json' | 'csv' }>;
  'record:create': Act<{ storeId: string; key: string }>;
  'record:update': Act<{ storeId: string; key: string }>;
  /** The first of them, and all */
  'record:remove': Act<{ storeId: string; key: string; keys: readonly string[] }>;
}

/** What it shows just now, by path. */
export interface StorageState {
  /** The store that is shown */
  'storeId': string;
  /** Text that keys have */
  'query/pattern': string;
  /** Such as `key:1` */
  'query/sort': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies StorageOptions });
