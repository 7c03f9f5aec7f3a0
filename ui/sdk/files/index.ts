/** Files of a user: uploaded in parts, found, downloaded, deleted. */
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './files.css?inline';
import Root from './Files.svelte';
import { STRINGS } from './strings.ts';

export interface FilesOptions {
  showHeader?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface FilesEvents {
  /** Files are to be uploaded; `-after` comes once they are on their way, and with `fileId` and `filename` for each that is there */
  'file:upload': Act<{ files?: readonly File[] }, { fileId?: string; filename?: string }>;
  'file:download': Act<{ fileId: string; filename: string }>;
  /** The first of them, and all */
  'file:remove': Act<{ fileId: string; fileIds: readonly string[] }>;
}

/** What it shows just now, by path. */
export interface FilesState {
  /** Text that names have */
  'query/pattern': string;
  /** Such as `length:-1` */
  'query/sort': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies FilesOptions });
