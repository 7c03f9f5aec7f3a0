/** What every list of a widget does: it tells the host how it stands, and is read again where it was. */
import { untrack } from 'svelte';
import type { Context } from './context.svelte.ts';
import type { Pages } from './pages.svelte.ts';

/** For the script of a component: until that is gone. */
export function standing<R>(w: Context<any>, pages: Pages<R>): void {
  $effect(() => {
    if (w.turn) untrack(() => void pages.restart(undefined, { keep: true }));
  });
  $effect(() => {
    w.change('loader', pages.standing === 'loading');
    w.change('error', pages.error === undefined ? null : w.failed(pages.error));
  });
}
