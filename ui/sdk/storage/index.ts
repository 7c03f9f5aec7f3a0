/** Data stores and their records: made, searched, edited, imported, exported, cleared. */
import { view } from '../../kit/view.ts';
import css from './storage.css?inline';
import Root from './Storage.svelte';
import { STRINGS } from './strings.ts';

/** `storeId` of the configuration chooses the store that is shown first. */
export interface StorageOptions {
  showHeader?: boolean;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies StorageOptions });
