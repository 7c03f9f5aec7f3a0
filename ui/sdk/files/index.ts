/** Files of a user: uploaded in parts, found, downloaded, deleted. */
import { view } from '../../kit/view.ts';
import css from './files.css?inline';
import Root from './Files.svelte';
import { STRINGS } from './strings.ts';

export interface FilesOptions {
  showHeader?: boolean;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies FilesOptions });
