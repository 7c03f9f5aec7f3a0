/** Headrace in a page: the API by name, and widgets as elements that touch nothing around them. */
import { createApi } from '../kit/api.ts';
import type { Api } from '../kit/api.ts';
import type { Strings } from '../kit/l10n.ts';
import { Streams, companyOf } from '../kit/live.ts';
import type { Theme } from '../kit/theme.ts';
import { Widget, defineElement } from '../kit/widget.ts';
import type { Home, Mounted, WidgetConfig, WidgetElement } from '../kit/widget.ts';
import type { AccountsEvents, AccountsOptions } from './accounts/index.ts';
import type { AutomationHubEvents, AutomationHubOptions } from './automation-hub/index.ts';
import type { ConnectorsEvents, ConnectorsOptions } from './connectors/index.ts';
import type { DesignerEvents, DesignerOptions } from './designer/widget.ts';
import type { FilesEvents, FilesOptions } from './files/index.ts';
import type { FlowManagerEvents, FlowManagerOptions } from './flow-manager/index.ts';
import type { FieldDefinition, FieldOptions, RegisteredField } from './fields.ts';
import type { InsightsChartEditorEvents, InsightsChartEditorOptions } from './insights-chart-editor/index.ts';
import type { InsightsDashboardEvents, InsightsDashboardOptions } from './insights-dashboard/index.ts';
import type { InsightsLogsEvents, InsightsLogsOptions } from './insights-logs/index.ts';
import type { IntegrationsEvents, IntegrationsOptions } from './integrations/index.ts';
import type { PeopleTasksEvents, PeopleTasksOptions } from './people-tasks/index.ts';
import type { RunsEvents, RunsOptions } from './runs/index.ts';
import type { StorageEvents, StorageOptions } from './storage/index.ts';
import type { WizardEvents, WizardOptions } from './wizard/index.ts';
import { WIDGETS } from './widgets.ts';
import type { WidgetName } from './widgets.ts';

export { ApiError } from '../kit/api.ts';
export type { Api } from '../kit/api.ts';
export type { Act, EventData, EventName, Told, WidgetEvent } from '../kit/events.ts';
export type { FieldContext, FieldDefinition, FieldOptions } from './fields.ts';
export type { Strings } from '../kit/l10n.ts';
export type { Theme } from '../kit/theme.ts';
export type { Widget, WidgetConfig } from '../kit/widget.ts';
export type { DesignerEvents, DesignerOptions } from './designer/widget.ts';
export type { AccountsEvents, AccountsOptions } from './accounts/index.ts';
export type { AutomationHubEvents, AutomationHubOptions } from './automation-hub/index.ts';
export type { ConnectorsEvents, ConnectorsOptions } from './connectors/index.ts';
export type { FilesEvents, FilesOptions } from './files/index.ts';
export type { FlowManagerEvents, FlowManagerOptions } from './flow-manager/index.ts';
export type { InsightsChartEditorEvents, InsightsChartEditorOptions } from './insights-chart-editor/index.ts';
export type { InsightsDashboardEvents, InsightsDashboardOptions } from './insights-dashboard/index.ts';
export type { InsightsLogsEvents, InsightsLogsOptions } from './insights-logs/index.ts';
export type { IntegrationsEvents, IntegrationsOptions } from './integrations/index.ts';
export type { PeopleTasksEvents, PeopleTasksOptions } from './people-tasks/index.ts';
export type { RunsEvents, RunsOptions } from './runs/index.ts';
export type { StorageEvents, StorageOptions } from './storage/index.ts';
export type { WizardEvents, WizardOptions } from './wizard/index.ts';

export interface DesignerConfig extends WidgetConfig<DesignerOptions> {
  flowId?: string;
  runId?: string;
}

/** The inside of the designer can show a run, too. */
export interface Showing extends Mounted {
  showRun(runId: string): Promise<void>;
}

export class Designer extends Widget<DesignerOptions, DesignerEvents & OwnEvents> {
  async showRun(runId: string): Promise<void> {
    await (this.inside as Showing | undefined)?.showRun(runId);
  }
}

/** Made with `new` or without. */
export interface Maker<W, C> {
  new (config?: C): W;
  (config?: C): W;
}

/**
 * Events of a host's own, as entries of its menus tell them. A host adds its names:
 * `declare module '@headrace/sdk' { interface OwnEvents { 'my-own': Act<{ flowId: string }> } }`.
 */
export interface OwnEvents {}

/** The options and the events of each widget but the designer. */
interface Kinds {
  FlowManager: [FlowManagerOptions, FlowManagerEvents];
  Wizard: [WizardOptions, WizardEvents];
  Integrations: [IntegrationsOptions, IntegrationsEvents];
  AutomationHub: [AutomationHubOptions, AutomationHubEvents];
  InsightsLogs: [InsightsLogsOptions, InsightsLogsEvents];
  InsightsChartEditor: [InsightsChartEditorOptions, InsightsChartEditorEvents];
  InsightsDashboard: [InsightsDashboardOptions, InsightsDashboardEvents];
  Runs: [RunsOptions, RunsEvents];
  Accounts: [AccountsOptions, AccountsEvents];
  Storage: [StorageOptions, StorageEvents];
  Files: [FilesOptions, FilesEvents];
  PeopleTasks: [PeopleTasksOptions, PeopleTasksEvents];
  Connectors: [ConnectorsOptions, ConnectorsEvents];
}

export type Widgets = { readonly [Name in keyof Kinds]: Maker<Widget<Kinds[Name][0], Kinds[Name][1] & OwnEvents>, WidgetConfig<Kinds[Name][0]>> } & { readonly Designer: Maker<Designer, DesignerConfig> };

export interface Config {
  baseUrl: string;
  accessToken?: string;
  /** Called when there is no token, and once more when the API refused the last one. */
  tokenProvider?: () => Promise<string>;
  theme?: Theme;
  /** The words of all widgets in another language. */
  l10n?: Strings;
  /** The older name of `l10n`. */
  strings?: Strings;
  lang?: string;
  api?: Partial<Api>;
  /** For administrators: what is followed live may be of any tenant. */
  allTenants?: boolean;
  /** Say in the console what is most likely a mistake of the host. */
  debug?: boolean;
}

type Listener = (event: { type: string; data: unknown }) => void;

export class Headrace implements Home {
  static readonly version = '0.1.0';
  /** The instance that elements in markup belong to, such as `<hr-flow-manager>`: the first one, unless a host says another. */
  static default: Headrace | undefined;
  /** Elements that stood in a page before there was an instance. */
  static readonly #waiting: (() => void)[] = [];
  readonly api: Api;
  readonly ui: Widgets;
  /** Resolves when the token was accepted; rejects with what the API said. */
  readonly ready: Promise<void>;
  readonly #config: Config;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #widgets = new Set<Widget>();
  /** What happens, as it happens: one connection for all widgets, and for all tabs of this user. */
  readonly streams: Streams;
  readonly #fields = new Map<string, RegisteredField>();
  #user: unknown;

  constructor(config: Config) {
    this.#config = { ...config, baseUrl: config.baseUrl.replace(/\/+$/, '') };
    this.api = { ...this.#connected(), ...config.api };
    const live = (topics: readonly string[]): string => `/live?${topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&')}${config.allTenants ? '&allTenants=true' : ''}`;
    this.streams = new Streams((topics, signal) => this.api.stream(live(topics), undefined, signal), async () => {
      await this.ready;
      const { id } = (this.#user ?? {}) as { id?: string };
      return id && !config.api?.stream ? companyOf(`headrace ${this.#config.baseUrl} ${id}${config.allTenants ? ' all' : ''}`) : undefined;
    });
    this.ui = Object.fromEntries((Object.keys(WIDGETS) as WidgetName[]).map((name) => [name, this.#maker(name)])) as unknown as Widgets;
    Headrace.default ??= this;
    for (const begin of Headrace.#waiting.splice(0)) queueMicrotask(begin);
    this.ready = this.#begin();
    this.ready.catch(() => undefined); // whoever waits for it hears of it
  }

  set(key: string, value: unknown): this {
    if (key === 'user') this.#user = value;
    else (this.#config as unknown as Record<string, unknown>)[key] = value;
    for (const widget of this.#widgets) {
      if (key === 'theme' || key === 'lang') widget.paint();
      widget.notify();
    }
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

  connect(signal: AbortSignal, overrides: Partial<Api>, track: (call: Promise<unknown>) => void): Api {
    const api = { ...this.#connected(signal), ...this.#config.api, ...overrides };
    const tracked = Object.entries(api).map(([name, call]) => {
      if (typeof call !== 'function' || name === 'stream') return [name, call];
      return [name, (...given: unknown[]): unknown => {
        const answer = (call as (...given: unknown[]) => unknown).apply(api, given);
        if (answer instanceof Promise) track(answer);
        return answer;
      }];
    });
    return Object.fromEntries(tracked) as Api;
  }

  /** Close every widget and its streams. Twice is as once. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#widgets].map((widget) => widget.destroy()));
    this.#widgets.clear();
    this.streams.close();
    this.#listeners.clear();
    if (Headrace.default === this) Headrace.default = undefined;
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

  #connected(signal?: AbortSignal): Api {
    return createApi({
      baseUrl: this.#config.baseUrl,
      token: (isStale) => this.#token(isStale),
      onUnauthorized: () => this.#emit('token:expired', undefined),
      ...(signal ? { signal } : {}),
    });
  }

  #maker(name: WidgetName): Maker<Widget, WidgetConfig> {
    const make = (config?: WidgetConfig): Widget => this.#make(name, config);
    return function (config?: WidgetConfig) {
      return make(config);
    } as unknown as Maker<Widget, WidgetConfig>;
  }

  /** The widget of an element in markup, of the instance that it names as `sdk` or of the default one. */
  static ofElement(name: WidgetName, element: WidgetElement, config: WidgetConfig): Widget | { later(again: () => void): void } {
    const sdk = (element as WidgetElement & { sdk?: Headrace }).sdk ?? Headrace.default;
    return sdk ? sdk.#make(name, config, element) : { later: (again) => void Headrace.#waiting.push(again) };
  }

  /** A widget by name, if there is one; `element` is one that stands in a page's markup. */
  make(name: string, config: WidgetConfig = {}, element?: WidgetElement): Widget | undefined {
    if (!Object.hasOwn(WIDGETS, name)) return undefined;
    return this.#make(name as WidgetName, config, element);
  }

  #make(name: WidgetName, config: WidgetConfig = {}, element?: WidgetElement): Widget {
    const of = (name === 'Designer' ? Designer : Widget) as typeof Widget; // all are kept alike, whatever they tell
    const widget: Widget = new of(this, WIDGETS[name], config, element);
    this.#widgets.add(widget);
    widget.whenDestroyed(() => this.#widgets.delete(widget));
    return widget;
  }

  #emit(type: string, data: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ type, data });
  }
}

for (const name of Object.keys(WIDGETS) as WidgetName[]) {
  defineElement(WIDGETS[name], (element, config) => Headrace.ofElement(name, element, config));
}
