/**
 * Appmixer's SDK surface over ours: the same constructor, `api`, widgets, options and events.
 *
 * Everything of it answers at once and is done when the SDK has come, in the order it was asked.
 */
import type { Api, Config, Headrace } from '../headrace.ts';
import type { FieldOptions } from '../fields.ts';
import { apiOf } from './api.ts';
import type { Ask } from './api.ts';
import { fieldOf, toolbarOf } from './field.ts';
import type { HostVue } from './field.ts';
import { localized, stringsOf } from './strings.ts';
import type { Nested } from './strings.ts';
import type { Strings } from '../../kit/l10n.ts';
import type { Theme } from '../../kit/theme.ts';

export const WIDGETS = ['FlowManager', 'Designer', 'Wizard', 'Integrations', 'AutomationHub', 'Accounts', 'Storage', 'Files', 'PeopleTasks', 'InsightsLogs', 'InsightsChartEditor', 'InsightsDashboard', 'Connectors', 'Runs'] as const;
/** What older releases call a widget. */
const OLDER: Readonly<Record<string, string>> = { Components: 'Connectors', Insights: 'InsightsLogs', ChartEditor: 'InsightsChartEditor' };

export interface AppmixerConfig {
  baseUrl?: string;
  accessToken?: string;
  theme?: unknown;
  l10n?: Nested;
  strings?: Nested;
  lang?: string;
  api?: Record<string, unknown>;
  debug?: boolean;
}

export interface CompatEvent {
  type: string;
  data: Record<string, unknown>;
  next(): Promise<void>;
  preventDefault(): void;
  toString(): string;
}

export type Handler = (event: CompatEvent) => unknown;
type Made = { [name: string]: unknown };
type Call = (...given: unknown[]) => unknown;
export type Load = () => Promise<{ new (config: Config): Headrace }>;

/** Where the class comes from, and our English strings. */
export interface Source {
  load: Load;
  english(): Promise<Nested>;
}

/** Ids by which an event may stand where older releases gave the id alone. */
const MAIN = ['flowId', 'templateId', 'integrationId', 'componentId', 'chartId', 'storeId', 'accountId', 'taskId', 'runId', 'id'];

/** An instance, as Appmixer's SDK makes it. */
export interface Instance {
  readonly api: Record<string, (...given: any[]) => any>;
  readonly ui: Record<string, (config?: Record<string, unknown>) => CompatWidget>;
  set(key: string, value: unknown): this;
  get(key: string): any;
  on(event: string, handler: (event: any) => void): this;
  off(event: string, handler?: (event: any) => void): this;
  registerInspectorField(type: string, definition: unknown, options?: FieldOptions): void;
  registerCustomComponentShape(name: string, shape: unknown): void;
  destroy(): Promise<void>;
}

const hostVue = (): HostVue | undefined => (globalThis as { Vue?: HostVue }).Vue;

export function appmixerOf(source: Source): new (config?: AppmixerConfig) => Instance {
  return class Appmixer implements Instance {
    readonly api: Record<string, Call>;
    readonly ui: Instance['ui'];
    readonly #config: AppmixerConfig;
    readonly #values = new Map<string, unknown>();
    readonly #later: ((of: Headrace) => void)[] = [];
    #loading: Promise<Headrace> | undefined;
    #made: Headrace | undefined;

    constructor(config: AppmixerConfig = {}) {
      this.#config = { ...config };
      this.api = this.#apiOf(() => this.#loaded());
      const widget = (name: string) => {
        const make = (given: Made = {}): CompatWidget => new CompatWidget(name, given, () => this.#loaded(), (widgetConfig) => this.#widgetConfig(widgetConfig));
        return function (given?: Made) {
          return make(given);
        };
      };
      this.ui = Object.fromEntries([...WIDGETS.map((name) => [name, widget(name)]), ...Object.entries(OLDER).map(([older, name]) => [older, widget(name)])]) as Instance['ui'];
    }

    set(key: string, value: unknown): this {
      if (key === 'user') this.#values.set('user', value);
      else (this.#config as Made)[key] = value;
      void this.#when(async (made) => made.set(...(await this.#translated(key, value))));
      return this;
    }

    get(key: string): unknown {
      return key === 'user' ? (this.#made?.get('user') ?? this.#values.get('user')) : (this.#config as Made)[key];
    }

    on(event: string, handler: (event: unknown) => void): this {
      void this.#when((made) => made.on(event, handler));
      return this;
    }

    off(event: string, handler?: (event: unknown) => void): this {
      void this.#when((made) => made.off(event, handler));
      return this;
    }

    registerInspectorField(type: string, definition: unknown, options: FieldOptions = {}): void {
      const field = fieldOf(definition, hostVue);
      void this.#when((made) => made.registerInspectorField(type, field, options));
    }

    /** Shapes of one's own are kept and not drawn: every card has one form here. */
    registerCustomComponentShape(name: string, shape: unknown): void {
      this.#values.set(`shape/${name}`, shape);
    }

    async destroy(): Promise<void> {
      if (this.#loading) await (await this.#loading).destroy();
    }

    /** Now where the SDK is there, else as soon as it is; what is asked before it is wanted does not fetch it. */
    async #when(act: (made: Headrace) => unknown): Promise<void> {
      if (this.#loading) await act(await this.#loading);
      else this.#later.push(act);
    }

    #loaded(): Promise<Headrace> {
      this.#loading ??= (async () => {
        const Made = await source.load();
        const { baseUrl = '', accessToken, api, theme, lang, debug } = this.#config;
        const l10n = await this.#words(this.#config.l10n ?? this.#config.strings);
        const made = new Made({ baseUrl, ...(accessToken ? { accessToken } : {}), ...(theme ? { theme: theme as Theme } : {}), ...(lang ? { lang } : {}), ...(l10n ? { l10n } : {}), ...(debug ? { debug } : {}) });
        made.set('api', this.#overrides(made.api as unknown as Record<string, Call>, api));
        this.#made = made;
        for (const act of this.#later.splice(0)) act(made);
        return made;
      })();
      return this.#loading;
    }

    /** The host's own functions, and manifests in its words. */
    #overrides(api: Record<string, Call>, own: Record<string, unknown> = {}): Partial<Api> {
      const getComponents: Call = async (...given) => ((await api['getComponents']!(...given)) as Parameters<typeof localized>[0][]).map((each) => localized(each, this.#config.lang, (this.#config.l10n ?? this.#config.strings)?.['components'] as Nested | undefined));
      return { getComponents, ...bound(own, this.api) } as unknown as Partial<Api>;
    }

    /** Any name is a function: those of ours, those of Appmixer, `_request`, `set` and `get` of the instance. */
    #apiOf(loaded: () => Promise<Headrace>): Record<string, Call> {
      const own: Record<string, Call> = {
        set: (key, value) => this.set(String(key), value),
        get: (key) => this.get(String(key)),
        on: (event, handler) => this.on(String(event), handler as Handler as (event: unknown) => void),
        off: (event, handler) => this.off(String(event), handler as (event: unknown) => void),
        _request: (options) => this.api['request']!(options),
      };
      return new Proxy(own, {
        get: (target, name) => {
          if (typeof name !== 'string' || name === 'then') return undefined;
          return target[name] ?? (async (...given: unknown[]) => {
            const made = await loaded();
            const adapted = apiOf((options) => (made.api.request as Ask)(options));
            return called({ ...made.api, ...adapted, ...(made.get('api') as Partial<Api> | undefined) }, name, given.map(plain));
          });
        },
        has: () => true,
      });
    }

    async #widgetConfig(given: Made): Promise<Made> {
      const { l10n, strings, api, ...rest } = given;
      const { toolbar, ...options } = (rest['options'] ?? {}) as { toolbar?: unknown };
      const words = await this.#words((l10n ?? strings) as Nested | undefined);
      return { ...rest, ...(toolbar ? { options: { ...options, toolbar: toolbarOf(toolbar, hostVue) } } : {}), ...(words ? { l10n: words } : {}), ...(api ? { api: bound(api as Record<string, unknown>, this.api) } : {}) };
    }

    /** Our English is asked for only where the designer is to speak otherwise: its words go by it. */
    async #words(given: Nested | undefined): Promise<Strings | undefined> {
      if (!given) return undefined;
      const ui = (given['ui'] ?? given) as Nested;
      return stringsOf(given, ui['designer'] ? await source.english() : {});
    }

    async #translated(key: string, value: unknown): Promise<[string, unknown]> {
      if (key === 'l10n' || key === 'strings') return ['l10n', await this.#words(value as Nested)];
      if (key === 'api') return ['api', this.#overrides((await this.#loaded()).api as unknown as Record<string, Call>, value as Record<string, unknown>)];
      return [key, value];
    }
  };
}

const bound = (api: Record<string, unknown>, to: object): Record<string, unknown> => Object.fromEntries(Object.entries(api).map(([name, act]) => [name, typeof act === 'function' ? (...given: unknown[]) => (act as Call).apply(to, given) : act]));

/** An event where an id is wanted stands for its id. */
const plain = (value: unknown): unknown => (value && typeof value === 'object' && 'next' in value && 'data' in value ? String(value) : value);

/** What the API said, with what it refused also where axios keeps it: hosts look at `error.response.status`. */
async function called(api: object, name: string, given: unknown[]): Promise<unknown> {
  const act = (api as unknown as Record<string, Call | undefined>)[name];
  if (typeof act !== 'function') throw new TypeError(`There is no function '${name}' in this API. The page 'From Appmixer' of the documentation lists what there is.`);
  try {
    return await act(...given);
  } catch (error) {
    const { status, message, code } = error as { status?: number; message: string; code?: string };
    if (status !== undefined) Object.assign(error as object, { response: { status, data: { statusCode: status, error: code ?? '', message } } });
    throw error;
  }
}

/** A widget as Appmixer has it. */
export class CompatWidget {
  readonly #loading: () => Promise<Made>;
  readonly #values: Made;
  readonly #states = new Map<string, unknown>();
  readonly #handlers = new Map<string, Map<Handler, (event: never) => unknown>>();
  readonly #asked: ((made: Made) => unknown)[] = [];
  #making: Promise<Made> | undefined;
  #made: Made | undefined;

  constructor(name: string, given: Made, loaded: () => Promise<Headrace>, adapt: (given: Made) => Promise<Made>) {
    this.#values = { ...given };
    this.#loading = async () => {
      const [headrace, config] = await Promise.all([loaded(), adapt(this.#values)]);
      const make = (headrace.ui as unknown as Record<string, Call | undefined>)[name];
      if (!make) throw new TypeError(`There is no widget '${name}'.`);
      return make(config) as Made;
    };
  }

  open = async (): Promise<void> => {
    await this.#do('open');
  };
  close = async (): Promise<void> => {
    if (this.#making) await this.#do('close');
  };
  reload = async (options?: unknown): Promise<void> => {
    if (this.#making) await this.#do('reload', options);
  };
  reset = async (): Promise<void> => {
    if (this.#making) await this.#do('reset');
  };
  destroy = async (): Promise<void> => {
    if (this.#making) await this.#do('destroy');
  };

  set(key: string, value: unknown): this {
    this.#values[key] = value;
    this.#when((made) => call(made, 'set', key, plain(value)));
    return this;
  }

  get(key: string): unknown {
    return this.#values[key] ?? (this.#made ? call(this.#made, 'get', key) : undefined);
  }

  state(path: string, ...given: unknown[]): unknown {
    if (!given.length) return this.#made ? call(this.#made, 'state', path) : this.#states.get(path);
    this.#states.set(path, given[0]);
    this.#when((made) => call(made, 'state', path, given[0]));
    return this;
  }

  on(event: string, handler: Handler): this {
    const heard = (told: { type: string; data?: Record<string, unknown>; next?: () => Promise<void>; preventDefault?: () => void }): unknown => {
      const data = told.data ?? {};
      const main = MAIN.map((key) => data[key]).find((each) => typeof each === 'string') as string | undefined;
      return handler({ type: told.type ?? event, data, next: told.next ?? (async () => undefined), preventDefault: told.preventDefault ?? (() => undefined), toString: () => main ?? '' });
    };
    const known = this.#handlers.get(event) ?? new Map<Handler, (event: never) => unknown>();
    this.#handlers.set(event, known.set(handler, heard as (event: never) => unknown));
    this.#when((made) => call(made, 'on', event, heard));
    return this;
  }

  off(event?: string, handler?: Handler): this {
    for (const name of event ? [event] : [...this.#handlers.keys()]) {
      const known = this.#handlers.get(name);
      const heard = handler ? known?.get(handler) : undefined;
      if (handler && !heard) continue;
      if (handler) known?.delete(handler);
      else this.#handlers.delete(name);
      this.#when((made) => call(made, 'off', name, heard));
    }
    return this;
  }

  #when(act: (made: Made) => unknown): void {
    if (this.#made) act(this.#made);
    else this.#asked.push(act);
  }

  async #do(name: string, ...given: unknown[]): Promise<void> {
    this.#making ??= this.#loading().then((made) => {
      this.#made = made;
      for (const act of this.#asked.splice(0)) act(made);
      return made;
    });
    await call(await this.#making, name, ...given);
  }
}

function call(made: Made, name: string, ...given: unknown[]): unknown {
  const act = made[name];
  return typeof act === 'function' ? (act as Call).apply(made, given) : undefined;
}
