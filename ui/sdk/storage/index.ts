/** Data stores and their records: made, searched, edited, imported, exported, cleared. */
import { view } from '../../kit/view.ts';
import css from './storage.css?inline';
import Root from './Storage.svelte';
import { STRINGS } from './strings.ts';

/** `storeId` of the configuration chooses the store that is shown first. */
export interface StorageOptions {
  showHeader?: boolean;
}

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface StorageEvents {
  /** `storeId` */
  'store:open': object;
  /** `name`; after it `storeId` */
  'store:create': object;
  /** `storeId`, `name` */
  'store:rename': object;
  /** `storeId`; after it `deletedCount` */
  'store:clear': object;
  /** `storeId` */
  'store:remove': object;
  /** `storeId`, `filename`; after it `count` */
  'store:import': object;
  /** `storeId`, `format` */
  'store:export': object;
  /** `storeId`, `key` */
  'record:create': object;
  /** `storeId`, `key` */
  'record:update': object;
  /** `storeId`, `key`, `keys` */
  'record:remove': object;
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
