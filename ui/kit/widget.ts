/** What every widget of the SDK is: an element with a shadow root, opened and closed by its host. Free of any framework. */
import type { Api } from './api.ts';
import { Events } from './events.ts';
import type { AnyEvents, CommonEvents, EventData, EventName, Listener } from './events.ts';
import type { Strings, Tree } from './l10n.ts';
import { loadWords, ownWords } from './languages.ts';
import type { Streams } from './live.ts';
import css from './style.css?inline';
import { properties } from './theme.ts';
import type { Theme } from './theme.ts';

export interface WidgetConfig<O = object> {
  /** Where it stands. Without it the widget opens above the page, as a dialog. */
  el?: string | HTMLElement;
  theme?: Theme;
  l10n?: Strings;
  /** The language, such as `de`: of our words where we have them, of dates and numbers, and from which side it is read. */
  lang?: string;
  api?: Partial<Api>;
  options?: O;
  state?: Record<string, unknown>;
  [key: string]: unknown;
}

/** The instance that a widget belongs to. */
export interface Home {
  readonly streams: Streams;
  get(key: string): unknown;
  /** The API by name: reads end with the signal, and `track` hears of every call. */
  connect(signal: AbortSignal, overrides: Partial<Api>, track: (call: Promise<unknown>) => void): Api;
  /** Another widget by its name, or nothing where there is none of it. */
  make(name: string, config: WidgetConfig): Widget | undefined;
}

export interface Mounted {
  close(): Promise<void>;
  /** Load anew in place. Without it the widget is closed and opened. */
  reload?(): Promise<void>;
}

/** The inside of a widget, which comes when it is first opened. */
export interface View {
  readonly css: string;
  readonly defaults?: Record<string, unknown>;
  mount(target: HTMLElement | ShadowRoot, widget: Widget): Promise<Mounted> | Mounted;
}

export interface Definition {
  /** The name of its words: `l10n.ui.<name>`. */
  readonly name: string;
  readonly tag: string;
  load(): Promise<View>;
}

const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|ha|he|khw|ks|ps|sd|ug|ur|yi)\b/i;
const NONE = {};
const sheets = new Map<string, CSSStyleSheet>();

/** One sheet for each text, shared by all that need it. */
export function sheetOf(text: string): CSSStyleSheet {
  let sheet = sheets.get(text);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    sheets.set(text, sheet);
  }
  return sheet;
}

export class WidgetElement extends HTMLElement {
  readonly root = this.attachShadow({ mode: 'open' });
}

export class Widget<O extends object = object, E = AnyEvents> {
  readonly element: WidgetElement;
  /** Resolves when it was opened and shows its data. */
  readonly ready: Promise<void>;
  readonly home: Home;
  readonly definition: Definition;
  protected readonly config: WidgetConfig<O>;
  protected readonly events = new Events(() => this.element);
  readonly #isOwn: boolean;
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  readonly #changed = new Set<() => void>();
  readonly #destroyed = new Set<() => void>();
  readonly #calls = new Set<Promise<unknown>>();
  readonly #first: Tree;
  #state: Record<string, unknown>;
  #defaults: Record<string, unknown> = {};
  #merged: { given: object; defaults: object; options: Record<string, unknown> } | undefined;
  #painted: string[] = [];
  #opening: Promise<void> | undefined;
  #mounted: Mounted | undefined;
  #end = new AbortController();
  #api: Api | undefined;
  #guard: (() => Promise<boolean>) | undefined;
  #settle!: { resolve(): void; reject(error: unknown): void };

  /** `element` is one that stands in the page already, in markup. */
  constructor(home: Home, definition: Definition, config: WidgetConfig<O> = {}, element?: WidgetElement) {
    this.home = home;
    this.definition = definition;
    this.config = { ...config };
    this.#first = structuredClone(config.state ?? {}) as Tree;
    this.#state = structuredClone(config.state ?? {});
    this.#isOwn = !element;
    this.element = element ?? (document.createElement(definition.tag) as WidgetElement);
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.ready.catch(() => undefined);
  }

  /** What it was mounted as, while it is open. */
  protected get inside(): Mounted | undefined {
    return this.#mounted;
  }

  get isOpen(): boolean {
    return this.#mounted !== undefined;
  }

  /** Whether it stands above the page, as a dialog. */
  get isModal(): boolean {
    return 'modal' in this.element.dataset;
  }

  /** Ends when the widget is closed. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  get api(): Api {
    this.#api ??= this.home.connect(this.#end.signal, this.config.api ?? {}, (call) => this.#track(call));
    return this.#api;
  }

  /** The host's options over the defaults: the same object until one of them changes. */
  get options(): Record<string, unknown> & O {
    const given = (this.config.options ?? NONE) as Record<string, unknown>;
    if (this.#merged?.given !== given || this.#merged.defaults !== this.#defaults) this.#merged = { given, defaults: this.#defaults, options: merged(this.#defaults, given) };
    return this.#merged.options as Record<string, unknown> & O;
  }

  get l10n(): Strings | undefined {
    return this.config.l10n ?? (this.home.get('l10n') as Strings | undefined) ?? (this.home.get('strings') as Strings | undefined);
  }

  /** Our own words in its language, where it is not English. */
  get own(): Tree | undefined {
    return ownWords(this.lang);
  }

  get lang(): string {
    const asked = this.config.lang ?? this.home.get('lang') ?? (document.documentElement.lang || navigator.language);
    return Intl.PluralRules.supportedLocalesOf(String(asked).replace('_', '-'))[0] ?? 'en';
  }

  /** Show it. Resolves when its first data is on the screen; opening what is open changes nothing. */
  open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      this.#settle.reject(error);
      throw error;
    });
    return this.#opening;
  }

  /** Leave the page. Resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const mounted = this.#mounted;
    if (!mounted) return;
    this.#mounted = undefined;
    this.#opening = undefined;
    this.#scheme.removeEventListener('change', this.paint);
    await mounted.close();
    this.#end.abort();
    await this.idle();
    this.#end = new AbortController();
    this.#api = undefined;
    this.element.root.replaceChildren();
    if (this.#isOwn) this.element.remove();
    this.events.emit('close');
  }

  /** A person wants it away: it closes, unless its inside asks and is told to stay. Whether it closed. */
  async leave(): Promise<boolean> {
    if (this.#guard && !(await this.#guard())) return false;
    await this.close();
    return true;
  }

  /** Ask this before a person leaves. What is answered takes it back. */
  guard(ask: () => Promise<boolean>): () => void {
    this.#guard = ask;
    return () => {
      if (this.#guard === ask) this.#guard = undefined;
    };
  }

  /** Show what is now. */
  async reload(): Promise<void> {
    if (this.#mounted?.reload) return this.#mounted.reload();
    await this.close();
    await this.open();
  }

  /** Back to the state that it was made with. */
  async reset(): Promise<void> {
    this.#state = structuredClone(this.#first) as Record<string, unknown>;
    this.notify();
    if (this.isOpen) await this.reload();
  }

  async destroy(): Promise<void> {
    await this.close();
    this.events.off();
    this.#changed.clear();
    for (const listener of this.#destroyed) listener();
    this.#destroyed.clear();
  }

  whenDestroyed(listener: () => void): void {
    this.#destroyed.add(listener);
  }

  set(key: string, value: unknown): this {
    (this.config as Record<string, unknown>)[key] = value;
    if (key === 'api') this.#api = undefined;
    if (key === 'theme' || key === 'lang') this.paint();
    if (key === 'theme') this.events.emit('theme', { mode: this.element.dataset['mode'] });
    this.notify();
    return this;
  }

  get(key: string): unknown {
    return key in this.config ? this.config[key] : this.home.get(key);
  }

  /** What the widget shows just now, by a path such as `query/userId`; with a value it is changed. */
  state(path: string): unknown;
  state(path: string, value: unknown): this;
  state(path: string, ...given: unknown[]): unknown {
    const parts = path.split('/').filter(Boolean);
    if (!given.length) return parts.reduce<unknown>((found, part) => (found !== null && typeof found === 'object' ? (found as Record<string, unknown>)[part] : undefined), this.#state);
    if (Object.is(this.state(path), given[0])) return this;
    this.#state = put(this.#state, parts, given[0]);
    this.notify();
    return this;
  }

  on<Name extends EventName<E & CommonEvents>>(event: Name, listener: Listener<EventData<E & CommonEvents, Name>>): this {
    this.events.on(event, listener as unknown as Listener);
    return this;
  }

  off<Name extends EventName<E & CommonEvents>>(event?: Name, listener?: Listener<EventData<E & CommonEvents, Name>>): this {
    this.events.off(event, listener as unknown as Listener | undefined);
    return this;
  }

  emit(type: string, data: Record<string, unknown> = {}): void {
    this.events.emit(type, data);
  }

  /** See `Events.intercept`. */
  intercept(type: string, data: Record<string, unknown>, act: () => Promise<unknown>): Promise<void> {
    return this.events.intercept(type, data, act);
  }

  /** Hear of every change of configuration and state. What is answered stops it. */
  subscribe(listener: () => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  notify(): void {
    for (const listener of [...this.#changed]) listener();
  }

  /** Resolves when no call of the API is under way. */
  async idle(): Promise<void> {
    while (this.#calls.size) await Promise.allSettled([...this.#calls]);
  }

  readonly paint = (): void => {
    const theme = merged((this.home.get('theme') ?? {}) as Record<string, unknown>, (this.config.theme ?? {}) as Record<string, unknown>) as Theme;
    const { mode = 'auto' } = theme;
    const { element } = this;
    const isDark = mode === 'dark' || (mode === 'auto' && this.#scheme.matches);
    element.dataset['mode'] = isDark ? 'dark' : 'light';
    element.lang = this.lang;
    void loadWords(this.lang)?.then(() => this.notify());
    if (RIGHT_TO_LEFT.test(this.lang)) element.dir = 'rtl';
    else if (this.config.lang ?? this.home.get('lang')) element.dir = 'ltr';
    for (const name of this.#painted) element.style.removeProperty(name);
    const found = properties(theme, isDark);
    this.#painted = Object.keys(found);
    for (const [name, value] of Object.entries(found)) element.style.setProperty(name, value);
  };

  async #open(): Promise<void> {
    const host = this.#host();
    const [view] = await Promise.all([this.definition.load(), loadWords(this.lang)]);
    this.#defaults = view.defaults ?? {};
    const { element } = this;
    element.root.adoptedStyleSheets = [sheetOf(css), sheetOf(view.css)];
    this.paint();
    this.#scheme.addEventListener('change', this.paint);
    const target = host || !this.#isOwn ? element.root : this.#dialog();
    if (this.#isOwn) (host ?? document.body).append(element);
    if (target instanceof HTMLDialogElement) target.showModal();
    try {
      this.#mounted = await view.mount(target, this);
    } catch (error) {
      this.#scheme.removeEventListener('change', this.paint);
      element.root.replaceChildren();
      if (this.#isOwn) element.remove();
      throw error;
    }
    await this.idle();
    this.#settle.resolve();
  }

  #host(): HTMLElement | undefined {
    const { el } = this.config;
    if (!this.#isOwn || el === undefined) return undefined;
    const host = typeof el === 'string' ? document.querySelector<HTMLElement>(el) : el;
    if (!host) throw new Error(`There is no element '${String(el)}' in this page. Give the widget one that is.`);
    return host;
  }

  #dialog(): HTMLDialogElement {
    const dialog = document.createElement('dialog');
    dialog.className = 'modal';
    dialog.addEventListener('cancel', (event) => {
      if (event.target !== dialog) return;
      event.preventDefault();
      void this.leave();
    });
    dialog.addEventListener('close', (event) => {
      if (event.target !== dialog || !this.isOpen) return;
      dialog.showModal(); // browsers let a second Escape through that follows no other key
      void this.leave();
    });
    this.element.dataset['modal'] = '';
    this.element.root.append(dialog);
    return dialog;
  }

  #track(call: Promise<unknown>): void {
    this.#calls.add(call);
    const over = (): void => void this.#calls.delete(call);
    call.then(over, over);
  }
}

/**
 * An element for hosts that prefer markup: its attributes are its configuration, and it opens when it is in a page.
 * `make` may be asked before there is an instance to belong to; it is asked again by what it answers then.
 */
export function defineElement(definition: Definition, make: (element: WidgetElement, config: WidgetConfig) => Widget | { later(again: () => void): void }): void {
  if (customElements.get(definition.tag)) return;
  class Markup extends WidgetElement {
    #widget: Widget | undefined;
    sdk: unknown;

    connectedCallback(): void {
      if (this.#widget || this.hasAttribute('data-mode')) return; // a widget of a script, which opens and closes it itself
      queueMicrotask(this.#begin);
    }

    readonly #begin = (): void => {
      if (!this.isConnected || this.#widget) return;
      const made = make(this, attributes(this));
      if ('later' in made) return made.later(this.#begin);
      this.#widget = made;
      made.open().catch((error: unknown) => reportError(error));
    };

    disconnectedCallback(): void {
      queueMicrotask(() => {
        if (this.isConnected) return;
        const widget = this.#widget;
        this.#widget = undefined;
        void widget?.destroy().then(() => delete this.dataset['mode']);
      });
    }

    get widget(): Widget | undefined {
      return this.#widget;
    }
  }
  customElements.define(definition.tag, Markup);
}

function attributes(element: HTMLElement): WidgetConfig {
  const found: WidgetConfig = {};
  for (const { name, value } of element.attributes) {
    const key = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (key === 'options' || key === 'state') found[key] = JSON.parse(value) as Record<string, unknown>;
    else if (!['class', 'id', 'style', 'slot', 'dir'].includes(name)) found[key] = value;
  }
  return found;
}

function put(tree: Record<string, unknown>, [first, ...rest]: string[], value: unknown): Record<string, unknown> {
  if (first === undefined || first === '__proto__') return tree;
  const below = tree[first];
  return { ...tree, [first]: rest.length ? put(below !== null && typeof below === 'object' ? (below as Record<string, unknown>) : {}, rest, value) : value };
}

/** The second over the first, plain objects within them too; lists are replaced. */
export function merged(first: Record<string, unknown>, second: Record<string, unknown>): Record<string, unknown> {
  const isPlain = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
  const found = { ...first };
  for (const [key, value] of Object.entries(second)) if (value !== undefined) found[key] = isPlain(value) && isPlain(found[key]) ? merged(found[key], value) : value;
  return found;
}
