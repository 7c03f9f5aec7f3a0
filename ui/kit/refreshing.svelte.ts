/** What every list of a widget does: it tells the host how it stands, and is read again where it was. */
import { untrack } from 'svelte';
import type { Context } from './context.svelte.ts';
import type { Pages } from './pages.svelte.ts';
import { refreshed } from './refresh.ts';

const GATHERED_MS = 700;
/** Even what a stream tells of is looked at now and then. */
const ANYWAY_MS = 120_000;

export interface Followed {
  /** How often to look while no stream tells. */
  everyMs: number;
  /** Whether something that happened is of what is shown. */
  isOf?: (happening: Readonly<Record<string, unknown>>) => boolean;
}

/**
 * Look again when something happens in one of these flows, told by the live stream; by the clock while it does not tell of all
 * of them, or there are none. Nothing is looked at while the page is hidden. For the script of a component: until that is gone.
 */
export function followed(w: Context<any>, flowIds: () => readonly string[], look: () => void, { everyMs, isOf = () => true }: Followed): void {
  const asked = $derived(flowIds().join(' '));
  $effect(() => {
    const topics = asked.split(' ').filter(Boolean).map((id) => `flow:${id}`);
    const connected = new Set<string>();
    let gathering: ReturnType<typeof setTimeout> | undefined;
    const stir = (): void => {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        if (!document.hidden) look();
      }, GATHERED_MS);
    };
    const leave = topics.map((topic) => w.widget.home.streams.listen(topic, {
      onEvent: ({ event, data }) => {
        if (event === 'refused') connected.delete(topic);
        else if (event === 'dropped' || (event === 'happening' && isOf(data as Readonly<Record<string, unknown>>))) stir();
      },
      onState: (is) => {
        if (!is) connected.delete(topic);
        else if (!connected.has(topic)) {
          connected.add(topic);
          stir(); // what happened before is not told
        }
      },
    }));
    const stop = refreshed(look, everyMs, () => !topics.length || connected.size < topics.length);
    const timer = setInterval(stir, ANYWAY_MS);
    return () => {
      for (const each of [...leave, stop]) each();
      clearInterval(timer);
      clearTimeout(gathering);
    };
  });
}

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
