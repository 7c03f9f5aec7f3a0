/** An integration that somebody makes their own: of a template, or one that is theirs already. */
import { apply } from '../../flow/ops.ts';
import { equal } from '../../flow/model.ts';
import type { Catalog, Flow, Json, JsonObject } from '../../flow/model.ts';
import { askedBy, filled, missing, servicesOf, wizardOf } from '../../flow/wizard.ts';
import type { Asked, WizardField } from '../../flow/wizard.ts';
import type { Api, FlowRecord } from '../../kit/api.ts';

/** The account that all steps of one service act with; nothing while they have none, or several. */
export interface Held {
  accountId: string;
  isValid: boolean;
}

export class WizardSession {
  readonly #api: () => Api;
  record = $state.raw<FlowRecord | undefined>();
  catalog = $state.raw<Catalog>(new Map());
  flow = $state.raw<Flow>({});
  name = $state('');
  accounts = $state.raw<ReadonlyMap<string, Held>>(new Map());
  apps = $state.raw<Record<string, { label: string; icon?: string }>>({});
  /** Whether fields were tried to be left that miss something. */
  hasTried = $state(false);
  /** Made by this wizard and not finished yet: it goes again when nobody finishes it. */
  isFresh = $state(false);

  wizard = $derived(wizardOf(this.record?.['wizard']));
  asked: Asked[] = $derived(askedBy(this.wizard, this.flow, this.catalog));
  shown: Asked[] = $derived(this.asked.filter((each) => each.isShown));
  missing: Asked[] = $derived(missing(this.asked));
  services = $derived(servicesOf(this.flow, this.catalog));
  isTemplate = $derived(this.record?.['type'] === 'integration-template' || this.record?.['type'] === 'integration-draft');
  isRunning = $derived(this.record?.stage === 'running' || this.record?.stage === 'starting');
  isChanged = $derived(this.record !== undefined && !this.isTemplate && (this.name !== this.record.name || !equal(this.flow, this.record.flow)));
  hasAccounts = $derived(this.services.every((each) => this.accounts.get(each.service)?.isValid));

  /** Services whose accounts its newest version waits for. */
  waitsFor: string[] = $derived(this.isTemplate ? [] : (this.record?.needsAccounts ?? []));

  /** Whether it runs an older version than its newest. */
  isBehind = $derived(this.isRunning && this.record?.runningVersion !== this.record?.version);

  constructor(api: () => Api) {
    this.#api = api;
  }

  get flowId(): string {
    return this.record?.flowId ?? '';
  }

  async load(flowId: string): Promise<void> {
    const api = this.#api();
    const [record, components, apps] = await Promise.all([api.getFlow(flowId), api.getComponents(), api.getApps()]);
    this.catalog = new Map(components.map((each) => [each.name, each]));
    this.apps = apps;
    this.#take(record);
    await this.refreshAccounts();
  }

  async refreshAccounts(): Promise<void> {
    if (this.isTemplate || !this.services.length) return;
    const { components } = await this.#api().getAccountsOfFlow(this.flowId);
    this.accounts = new Map(this.services.flatMap(({ service, steps }): [string, Held][] => {
      const ids = new Set(steps.map((each) => components[each.id]?.accountId ?? ''));
      const [only] = ids;
      return ids.size === 1 && only ? [[service, { accountId: only, isValid: steps.every((each) => components[each.id]?.accessTokenValid === true) }]] : [];
    }));
  }

  /** Make a copy of the template that is this person's own. */
  async install(): Promise<void> {
    const api = this.#api();
    const made = await api.createInstance(this.flowId, { name: this.name });
    this.isFresh = true;
    this.#take(await api.getFlow(made));
    await this.refreshAccounts();
  }

  fill(field: WizardField, value: Json | undefined): void {
    this.flow = apply(this.flow, filled(this.flow, field, value));
  }

  async save(): Promise<void> {
    if (!this.isChanged) return;
    const { name, flow } = this;
    await this.#api().updateFlow(this.flowId, { name: name.trim() || this.record!.name, ...(equal(flow, this.record!.flow) ? {} : { flow: flow as unknown as JsonObject }) }, 0, true);
    this.#take(await this.#api().getFlow(this.flowId));
  }

  /** Let the steps of a service act with the account; whether the newest version waited for this one and runs now. */
  async assign(service: string, accountId: string): Promise<boolean> {
    const api = this.#api();
    const steps = this.services.find((each) => each.service === service)?.steps ?? [];
    for (const { id } of steps) await (accountId ? api.assignAccount(this.flowId, id, accountId) : api.unassignAccount(this.flowId, id));
    await this.refreshAccounts();
    if (!this.waitsFor.length) return false;
    this.record = await api.getFlow(this.flowId); // what somebody fills in stays
    return !this.waitsFor.length && !this.isBehind;
  }

  /** Let the newest version run; what is filled in is saved with it. */
  async catchUp(): Promise<void> {
    const { name, flow } = this;
    await this.#api().updateFlow(this.flowId, { name: name.trim() || this.record!.name, flow: flow as unknown as JsonObject }, 0, true);
    this.#take(await this.#api().getFlow(this.flowId));
  }

  async start(): Promise<void> {
    await this.#api().startFlow(this.flowId);
    this.isFresh = false;
    this.#take(await this.#api().getFlow(this.flowId));
  }

  async stop(): Promise<void> {
    await this.#api().stopFlow(this.flowId);
    this.#take(await this.#api().getFlow(this.flowId));
  }

  async remove(): Promise<void> {
    await this.#api().deleteFlow(this.flowId);
    this.isFresh = false;
  }

  serviceName(service: string): string {
    return this.apps[service]?.label ?? service.split(':').at(-1) ?? service;
  }

  #take(record: FlowRecord): void {
    this.record = record;
    this.flow = record.flow;
    this.name = record.name;
  }
}
