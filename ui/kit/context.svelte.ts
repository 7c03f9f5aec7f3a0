/** What the components of a widget know of it: its words, its API, its options, and how to say and ask something. */
import { getContext } from 'svelte';
import { createSubscriber } from 'svelte/reactivity';
import { ApiError } from './api.ts';
import type { Api } from './api.ts';
import { formats } from './formats.ts';
import { words } from './l10n.ts';
import type { Key, Tree, Values, Words } from './l10n.ts';
import { STRINGS } from './strings.ts';
import type { Widget } from './widget.ts';

export interface Toast {
  id: number;
  text: string;
  kind: 'done' | 'error';
}

export interface Question {
  title: string;
  text?: string;
  /** What the button says that means yes. */
  yes: string;
  no?: string;
  isDangerous?: boolean;
}

const KEY = Symbol('widget');
const TOAST_MS = 6000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

export class Context<T extends Tree = Tree> {
  readonly widget: Widget;
  readonly t: Words<T>;
  /** The words that all widgets share. */
  readonly k: Words<typeof STRINGS>;
  toasts = $state.raw<readonly Toast[]>([]);
  question = $state.raw<(Question & { answer(isYes: boolean): void }) | undefined>();
  /** How many dialogs are open. */
  dialogs = $state(0);
  isOnline = $state(navigator.onLine);
  /** Goes up when all is to be loaded anew. */
  turn = $state(0);
  readonly #subscribe: () => void;
  /** Who depends on the options is not told of every other change. */
  readonly #options: Record<string, any> = $derived.by(() => (this.#subscribe(), this.widget.options));
  #last = 0;
  #isOwed = false;
  #pause = FIRST_PAUSE_MS;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(widget: Widget, strings: T) {
    this.widget = widget;
    this.#subscribe = createSubscriber((update) => widget.subscribe(update));
    const given = (): Widget['l10n'] => (this.#subscribe(), widget.l10n);
    const own = (): Tree | undefined => (this.#subscribe(), widget.own);
    this.t = words(widget.definition.name, strings, given, () => widget.lang, own);
    this.k = words('kit', STRINGS, given, () => widget.lang, own);
  }

  get api(): Api {
    return this.widget.api;
  }

  get options(): Record<string, any> {
    return this.#options;
  }

  get lang(): string {
    this.#subscribe();
    return this.widget.lang;
  }

  /** Dates, numbers and sizes as they are said in the widget's language. */
  get say(): ReturnType<typeof formats> {
    return formats(this.lang);
  }

  /** What the host configured, such as `flowId`. */
  get(key: string): unknown {
    this.#subscribe();
    return this.widget.get(key);
  }

  /** The address of something in the host's page, where the host gave `hrefOf`: rows can then be opened in a tab of their own. */
  href(kind: string, id: string): string | undefined {
    const find = this.get('hrefOf');
    return typeof find === 'function' ? (find as (kind: string, id: string) => string | undefined)(kind, id) : undefined;
  }

  /** Open another widget above the page, where the host has no place of its own for it. */
  async above(name: string, config: Record<string, unknown>, onclose?: () => void): Promise<void> {
    const opened = this.widget.home.make(name, { theme: this.widget.get('theme') as object, ...config });
    opened?.on('navigate:flows', () => void opened.destroy());
    opened?.on('close', () => { onclose?.(); void opened.destroy(); });
    await opened?.open();
  }

  state(path: string): unknown {
    this.#subscribe();
    return this.widget.state(path);
  }

  change(path: string, value: unknown): void {
    this.widget.state(path, value);
  }

  reload(): void {
    clearTimeout(this.#again);
    this.#again = undefined;
    this.turn += 1;
  }

  /** Nothing is to be waited for any more: the network is back. */
  back(): void {
    this.isOnline = true;
    this.#pause = FIRST_PAUSE_MS;
    this.reload();
  }

  /** Somebody looks again. */
  seen(): void {
    if (document.hidden || !this.#isOwed) return;
    this.#isOwed = false;
    this.reload();
  }

  /** Why something could not be loaded. What could not be reached is asked for again by itself: soon, then less often. */
  failed(error: unknown): string {
    if (isUnreachable(error) && this.#again === undefined && !this.widget.signal.aborted) {
      this.#again = setTimeout(() => {
        this.#again = undefined;
        if (document.hidden) this.#isOwed = true;
        else if (navigator.onLine) this.reload();
      }, this.#pause);
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
      this.widget.signal.addEventListener('abort', () => clearTimeout(this.#again), { once: true });
    }
    return this.reason(error);
  }

  /**
   * What a person asked for: the host may do it in our place, what goes wrong is said, and `done` when it went well.
   * Whether it was done here and went well.
   */
  async act(type: string, data: Record<string, unknown>, act: () => Promise<unknown>, done = ''): Promise<boolean> {
    let isDone = false;
    try {
      await this.widget.intercept(type, data, async () => {
        const result = await act().catch((error: unknown) => {
          this.toast(this.reason(error), 'error');
          throw error;
        });
        isDone = result !== false;
        if (done && isDone) this.toast(done);
        return result;
      });
    } catch (error) {
      void error; // said above
    }
    return isDone;
  }

  toast(text: string, kind: Toast['kind'] = 'done'): void {
    const toast = { id: (this.#last += 1), text, kind };
    this.toasts = [...this.toasts.slice(-2), toast];
    const timer = setTimeout(() => this.dismiss(toast.id), TOAST_MS);
    this.widget.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((each) => each.id !== id);
  }

  /** Ask before something is done that cannot be undone. */
  confirm(question: Question): Promise<boolean> {
    this.question?.answer(false);
    return new Promise((resolve) => {
      this.question = {
        ...question,
        answer: (isYes) => {
          this.question = undefined;
          resolve(isYes);
        },
      };
    });
  }

  /** What an error says, in the host's words where it has some. */
  reason(error: unknown): string {
    if (error instanceof ApiError) return [error.message, ...error.problems.slice(0, 1).map((each) => each['message']).filter((each) => typeof each === 'string' && !error.message.includes(each))].join(' ');
    if (isUnreachable(error)) return this.k('error.unreachable');
    return error instanceof Error ? error.message : String(error);
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError');
}

/** For the components below a root: `mount(root, { context: below(context) })`. */
export function below(context: Context): Map<symbol, unknown> {
  return new Map([[KEY, context]]);
}

/** The context of the widget that this component is in; `STRINGS` of the widget gives the keys of `t` their type. */
export function useWidget<T extends Tree = Tree>(): Context<T> {
  const found = getContext<Context<T> | undefined>(KEY);
  if (!found) throw new Error('This component stands in no widget.');
  return found;
}

export type { Key, Values };
