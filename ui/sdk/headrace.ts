/** Headrace in a page: the API by name, and the designer as an element that touches nothing around it. */
import { createApi } from '../kit/api.ts';
import type { Api } from '../kit/api.ts';
import type { Strings } from '../kit/l10n.ts';
import { Streams, companyOf } from '../kit/live.ts';
import type { FieldDefinition, FieldOptions, RegisteredField } from './fields.ts';
import type { Designer, DesignerConfig } from './designer/widget.ts';

export { ApiError } from '../kit/api.ts';
export type { Api } from '../kit/api.ts';
export type { FieldContext, FieldDefinition, FieldOptions } from './fields.ts';
export type { Strings } from '../kit/l10n.ts';
export type { Designer, DesignerConfig } from './designer/widget.ts';

export interface Theme {
  mode?: 'light' | 'dark' | 'auto';
  variables?: { colors?: Record<string, string> };
}

export interface Config {
  baseUrl: string;
  accessToken?: string;
  /** Called when there is no token, and once more when the API refused the last one. */
  tokenProvider?: () => Promise<string>;
  theme?: Theme;
  /** The words of all widgets in another language. */
  l10n?: Strings;
  api?: Partial<Api>;
}

type Listener = (event: { type: string; data: unknown }) => void;

export class Headrace {
  static readonly version = '0.1.0';
  readonly api: Api;
  readonly ui: { Designer: (config: DesignerConfig) => Designer };
  /** Resolves when the token was accepted; rejects with what the API said. */
  readonly ready: Promise<void>;
  readonly #config: Config;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #widgets = new Set<Designer>();
  /** What happens, as it happens: one connection for all widgets, and for all tabs of this user. */
  readonly streams: Streams;
  readonly #fields = new Map<string, RegisteredField>();
  #user: unknown;

  constructor(config: Config) {
    this.#config = { ...config, baseUrl: config.baseUrl.replace(/\/+$/, '') };
    const built = createApi({
      baseUrl: this.#config.baseUrl,
      token: (isStale) => this.#token(isStale),
      onUnauthorized: () => this.#emit('token:expired', undefined),
    });
    this.api = { ...built, ...config.api };
    const live = (topics: readonly string[]): string => `/live?${topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&')}`;
    this.streams = new Streams((topics, signal) => this.api.stream(live(topics), undefined, signal), async () => {
      await this.ready;
      const { id } = (this.#user ?? {}) as { id?: string };
      return id && !config.api?.stream ? companyOf(`headrace ${this.#config.baseUrl} ${id}`) : undefined;
    });
    this.ui = { Designer: (of) => this.#designer(of) };
    this.ready = this.#begin();
    this.ready.catch(() => undefined); // whoever waits for it hears of it
  }

  set(key: string, value: unknown): this {
    if (key === 'user') this.#user = value;
    else (this.#config as unknown as Record<string, unknown>)[key] = value;
    if (key === 'theme') for (const widget of this.#widgets) widget.set('theme', value);
    return this;
  }

  get(key: string): unknown {
    return key === 'user' ? this.#user : (this.#config as unknown as Record<string, unknown>)[key];
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

  /** What was registered, by type. */
  get fields(): ReadonlyMap<string, RegisteredField> {
    return this.#fields;
  }

  /** Let the inspector show inputs of this type with a field of the page's own. */
  registerInspectorField(type: string, definition: FieldDefinition, options: FieldOptions = {}): void {
    if (typeof definition?.mount !== 'function') throw new TypeError(`The field '${type}' has no function 'mount'. Give it one: mount(host, field) answers {update, destroy}.`);
    this.#fields.set(type, { definition, options });
  }

  /** Close every widget and its streams. Twice is as once. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#widgets].map((widget) => widget.destroy()));
    this.#widgets.clear();
    this.streams.close();
    this.#listeners.clear();
  }

  async #begin(): Promise<void> {
    if (!this.#config.accessToken && !this.#config.tokenProvider) return;
    this.#user = await this.api.getUser();
  }

  async #token(isStale: boolean): Promise<string> {
    if (this.#config.tokenProvider && (isStale || !this.#config.accessToken)) {
      this.#config.accessToken = await this.#config.tokenProvider();
    }
    return this.#config.accessToken ?? '';
  }

  #designer(config: DesignerConfig): Designer {
    const loading = import('./designer/widget.ts').then((module) => new module.DesignerWidget(this, { ...(this.#config.theme ? { theme: this.#config.theme } : {}), ...config }));
    const made = new Later(loading);
    this.#widgets.add(made);
    return made;
  }

  #emit(type: string, data: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ type, data });
  }
}

/** The designer before its code has come: what is asked of it is done when it is there, in the order it was asked. */
class Later implements Designer {
  readonly #loading: Promise<Designer>;
  #made: Designer | undefined;
  readonly ready: Promise<void>;

  constructor(loading: Promise<Designer>) {
    this.#loading = loading.then((made) => (this.#made = made));
    this.ready = this.#loading.then((made) => made.ready);
    this.ready.catch(() => undefined);
  }

  get element(): HTMLElement | undefined {
    return this.#made?.element;
  }
  open = async (): Promise<void> => (await this.#loading).open();
  close = async (): Promise<void> => (await this.#loading).close();
  reload = async (): Promise<void> => (await this.#loading).reload();
  destroy = async (): Promise<void> => (await this.#loading).destroy();
  showRun = async (runId: string): Promise<void> => (await this.#loading).showRun(runId);
  set(key: string, value: unknown): this {
    void this.#loading.then((made) => made.set(key, value));
    return this;
  }
  get(key: string): unknown {
    return this.#made?.get(key);
  }
  on(event: string, listener: Parameters<Designer['on']>[1]): this {
    void this.#loading.then((made) => made.on(event, listener));
    return this;
  }
  off(event: string, listener?: Parameters<Designer['on']>[1]): this {
    void this.#loading.then((made) => made.off(event, listener));
    return this;
  }
}
