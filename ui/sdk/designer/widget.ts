/** The designer as a widget: an element with a shadow root, opened and closed by its host. */
import { mount, unmount } from 'svelte';
import type { Flow } from '../../flow/model.ts';
import css from '../../kit/style.css?inline';
import { translator } from '../../kit/l10n.ts';
import type { Strings } from '../../kit/l10n.ts';
import type { Headrace, Theme } from '../headrace.ts';
import Root from './Designer.svelte';
import { Session } from './session.svelte.ts';

export interface DesignerConfig {
  el: string | HTMLElement;
  flowId?: string;
  runId?: string;
  theme?: Theme;
  options?: DesignerOptions;
  /** Words in another language, in place of the instance's. */
  l10n?: Strings;
}

export interface DesignerOptions {
  showHeader?: boolean;
  showButtonHome?: boolean;
  minimap?: boolean;
  /** With whom a flow can be shared, and what for. */
  shareTypes?: { label: string; value: string; placeholder?: string }[];
  sharePermissions?: { label: string; value: string }[];
}

export interface WidgetEvent {
  type: string;
  data: Record<string, unknown>;
  /** Do what is built in. Without a listener it is done anyway. */
  next(): Promise<void>;
}

type Listener = (event: WidgetEvent) => void;

export interface Designer {
  readonly ready: Promise<void>;
  readonly element: HTMLElement | undefined;
  open(): Promise<void>;
  close(): Promise<void>;
  reload(): Promise<void>;
  destroy(): Promise<void>;
  showRun(runId: string): Promise<void>;
  set(key: string, value: unknown): this;
  get(key: string): unknown;
  on(event: string, listener: Listener): this;
  off(event: string, listener?: Listener): this;
}

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

/** What is in the host's page: `flow` reads the flow as it is drawn now. */
export class DesignerElement extends HTMLElement {
  session: Session | undefined;
  readonly root = this.attachShadow({ mode: 'open' });

  constructor() {
    super();
    this.root.adoptedStyleSheets = [sheet];
  }

  get flow(): Flow | undefined {
    return this.session?.steps;
  }
}

if (!customElements.get('hr-designer')) customElements.define('hr-designer', DesignerElement);

export class DesignerWidget implements Designer {
  readonly element: DesignerElement;
  readonly ready: Promise<void>;
  readonly #headrace: Headrace;
  readonly #config: DesignerConfig;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;
  #mounted: Record<string, unknown> | undefined;

  constructor(headrace: Headrace, config: DesignerConfig) {
    this.#headrace = headrace;
    this.#config = { ...config };
    this.element = document.createElement('hr-designer') as DesignerElement;
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.ready.catch(() => undefined);
  }

  /** Show the flow. Resolves when it is on the screen; opening what is open changes nothing. */
  async open(): Promise<void> {
    if (this.#mounted) return;
    const { el, flowId, runId, options, l10n } = this.#config;
    const host = typeof el === 'string' ? document.querySelector<HTMLElement>(el) : el;
    if (!host) throw new Error(`There is no element '${String(el)}' in this page. Give the designer one that is.`);
    if (!flowId) throw new Error('The designer needs the id of a flow, as flowId.');
    const session = new Session(this.#headrace.api, flowId, this.#headrace.fields, this.#headrace.streams, translator(l10n ?? (this.#headrace.get('l10n') as Strings | undefined)));
    try {
      await session.load();
      if (runId) await session.showRun(runId);
    } catch (error) {
      await session.close();
      this.#settle?.reject(error);
      throw error;
    }
    this.element.session = session;
    this.#paint();
    this.#scheme.addEventListener('change', this.#paint);
    host.append(this.element);
    this.#mounted = mount(Root, {
      target: this.element.root,
      props: {
        session,
        baseUrl: String(this.#headrace.get('baseUrl')),
        options: options ?? {},
        onhome: () => this.#emit('navigate:flows', { flowId }),
        onmode: () => this.set('theme', { ...this.#config.theme, mode: this.element.dataset['mode'] === 'dark' ? 'light' : 'dark' }),
        onchange: () => this.#emit('change', { flowId }),
        onevent: (type: string, act: () => Promise<void>) => this.#intercept(type, { flowId }, act),
        onrun: (id: string) => this.#emit('run:select', { flowId, runId: id }),
      },
    });
    this.#settle?.resolve();
  }

  /** Save what is not saved, end the streams and leave the page. */
  async close(): Promise<void> {
    if (!this.#mounted) return;
    const mounted = this.#mounted;
    this.#mounted = undefined;
    this.#scheme.removeEventListener('change', this.#paint);
    await this.element.session?.close();
    await unmount(mounted);
    this.element.session = undefined;
    this.element.remove();
    this.#emit('close', {});
  }

  async reload(): Promise<void> {
    await this.close();
    await this.open();
  }

  async destroy(): Promise<void> {
    await this.close();
    this.#listeners.clear();
  }

  async showRun(runId: string): Promise<void> {
    await this.element.session?.showRun(runId);
  }

  set(key: string, value: unknown): this {
    (this.#config as unknown as Record<string, unknown>)[key] = value;
    if (key === 'theme') {
      this.#paint();
      this.#emit('theme', { mode: this.element.dataset['mode'] });
    }
    return this;
  }

  get(key: string): unknown {
    return (this.#config as unknown as Record<string, unknown>)[key];
  }

  on(event: string, listener: Listener): this {
    const known = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, known.add(listener));
    return this;
  }

  off(event: string, listener?: Listener): this {
    if (listener) this.#listeners.get(event)?.delete(listener);
    else this.#listeners.delete(event);
    return this;
  }

  #emit(type: string, data: Record<string, unknown>): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ type, data, next: async () => undefined });
    this.element.dispatchEvent(new CustomEvent(type, { detail: data, composed: true, bubbles: true }));
  }

  /** Something that the host may do in our place: its listeners get `next`, which does what is built in. */
  #intercept(type: string, data: Record<string, unknown>, act: () => Promise<void>): void {
    const listeners = this.#listeners.get(type);
    if (!listeners?.size) void act();
    for (const listener of listeners ?? []) listener({ type, data, next: act });
    this.element.dispatchEvent(new CustomEvent(type, { detail: data, composed: true, bubbles: true }));
  }

  #paint = (): void => {
    const { mode = 'auto', variables } = this.#config.theme ?? {};
    this.element.dataset['mode'] = mode === 'auto' ? (this.#scheme.matches ? 'dark' : 'light') : mode;
    for (const [name, colour] of Object.entries(variables?.colors ?? {})) {
      const dashed = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      this.element.style.setProperty(`--hr-${dashed}`, colour);
    }
  };
}
