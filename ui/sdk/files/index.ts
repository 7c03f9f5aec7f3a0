/** Files of a user: uploaded in parts, found, downloaded, deleted. */
import { view } from '../../kit/view.ts';
import css from './files.css?inline';
import Root from './Files.svelte';
import { STRINGS } from './strings.ts';

export interface FilesOptions {
  showHeader?: boolean;
}

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface FilesEvents {
  /** `files`; `file:upload-after` comes with `fileId` and `filename` for each that is there */
  'file:upload': object;
  /** `fileId`, `filename` */
  'file:download': object;
  /** `fileId`, `fileIds` */
  'file:remove': object;
}

/** What it shows just now, by path. */
export interface FilesState {
  /** Text that names have */
  'query/pattern': string;
  /** Such as `length:-1` */
  'query/sort': string;
}

export default view(Root, { css, strings: STRINGS, defaults: { showHeader: true } satisfies FilesOptions });
