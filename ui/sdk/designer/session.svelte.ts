/** One flow that is being worked on: its history, its saving, and what happens in it while it runs. */
import { differs, difference } from '../../flow/diff.ts';
import type { Difference } from '../../flow/diff.ts';
import { begin, follow as followed, perform, redo, refused, saved, sending, undo } from '../../flow/history.ts';
import type { History } from '../../flow/history.ts';
import { layout } from '../../flow/layout.ts';
import { equal, inPorts, isObject, linkId, linksOf, manifestOf, outPorts, titleOf } from '../../flow/model.ts';
import type { Catalog, Flow, FlowNode, Link, Manifest } from '../../flow/model.ts';
import { sheetNode, sheetOf, sheetsOf, stepsOf, together, withSheets } from '../../flow/sheets.ts';
import type { Sheet, SheetKind } from '../../flow/sheets.ts';
import { apply, change, connect, disconnect, moveNodes, reconnect, removeNodes } from '../../flow/ops.ts';
import type { Op } from '../../flow/ops.ts';
import { problemsOf } from '../../flow/validate.ts';
import type { Bound, Problem } from '../../flow/validate.ts';
import { ApiError } from '../../kit/api.ts';
import type { Api, Failed, FlowRecord, Run, Share, Step, Version } from '../../kit/api.ts';
import { translator } from '../../kit/l10n.ts';
import type { Translate } from '../../kit/l10n.ts';
import { events } from '../../kit/live.ts';
import type { LiveEvent, Streams } from '../../kit/live.ts';
import type { JsonObject } from '../../kit/types.ts';
import type { RegisteredField } from '../fields.ts';
import type { Card, Paper, Wire } from './canvas.ts';
import { Overlay, countsOf } from './overlay.svelte.ts';
import { CARD_WIDTH, SCALE, SPACING, around, cardHeight, toFlow, toWorld } from './geometry.ts';
import type { Point } from './geometry.ts';

export type SaveState = 'saved' | 'saving' | 'draft' | 'failed';

const SAVE_AFTER_MS = 400;
const POLLED_AFTER_MS = 4000;
const RUNS_SEARCHED = 5;

/** Runs of which is asked what they wait for when a flow is opened. */
const MOST_WAITING = 100;

export class Session {
  readonly api: Api;
  readonly flowId: string;
  /** Words in the host's language. */
  readonly t: Translate;
  /** Fields of the host, by the type that manifests give them. */
  readonly fields: ReadonlyMap<string, RegisteredField>;
  record = $state.raw<FlowRecord | undefined>();
  catalog = $state.raw<Catalog>(new Map());
  history = $state.raw<History>(begin({}));
  selection = $state.raw<readonly string[]>([]);
  wire = $state('');
  saveState = $state<SaveState>('saved');
  notice = $state('');
  isLive = $state(false);
  isBusy = $state(false);
  runs = $state.raw<readonly Run[]>([]);
  /** Messages that were given up, and wait for a person. */
  failed = $state.raw<readonly Failed[]>([]);
  versions = $state.raw<readonly Version[]>([]);
  /** What happens in the flow now. */
  readonly overlay = new Overlay(() => this.history.flow);
  /** The run that is looked at, and how many of its steps are done at that moment. */
  run = $state.raw<Run | undefined>();
  moment = $state(0);
  /** An older version beside which the flow is shown. */
  compared = $state.raw<Version | undefined>();
  /** The accounts of the saved steps that need one; nothing until they are known. */
  accounts = $state.raw<ReadonlyMap<string, Bound> | undefined>();
  trial = $state.raw<{ node: string; steps: Step[]; status: string } | undefined>();

  /** What runs, without the notes and frames around it. */
  steps: Flow = $derived(stepsOf(this.history.flow));
  flow: Flow = $derived(this.compared ? this.#union(this.compared.flow) : this.steps);
  papers: Paper[] = $derived(papersOf(this.history.flow));
  problems: Problem[] = $derived(this.catalog.size ? problemsOf(this.steps, this.catalog, this.accounts) : []);
  isRunning = $derived(this.record?.stage === 'running' || this.record?.stage === 'starting');
  /** Somebody may look and change nothing: the flow is another's. */
  isLocked = $state(false);
  isReadOnly = $derived(this.isLocked || this.run !== undefined || this.compared !== undefined);
  selected = $derived(this.selection.length === 1 ? this.selection[0] : undefined);
  cards: Card[] = $derived(this.#cards());
  wires: Wire[] = $derived(this.#wires());
  shownCounts = $derived(this.run ? countsOf(this.run, this.moment, this.history.flow) : this.overlay);

  readonly #streams: Streams;
  #leave: (() => void) | undefined;
  #polling: ReturnType<typeof setInterval> | undefined;
  #base: Flow = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> | undefined;

  constructor(api: Api, flowId: string, fields: ReadonlyMap<string, RegisteredField>, streams: Streams, t: Translate = translator(undefined)) {
    this.t = t;
    this.#streams = streams;
    this.api = api;
    this.flowId = flowId;
    this.fields = fields;
  }

  async load(): Promise<void> {
    const [record, components] = await Promise.all([this.api.getFlow(this.flowId), this.api.getComponents()]);
    this.catalog = new Map(components.map((each) => [each.name, each]));
    this.#take(record);
    this.history = begin(this.#base);
    void this.refreshRuns();
    void this.#loadLogs();
    void this.#loadWaits();
    void this.refreshAccounts().catch(() => undefined);
    this.#leave = this.#streams.listen(`flow:${this.flowId}`, {
      onEvent: (event) => this.#happened(event),
      onState: (isLive) => this.#connected(isLive),
    });
  }

  /** Without a stream, as behind a proxy that holds answers back, ask every few seconds. */
  #connected(isLive: boolean): void {
    this.isLive = isLive;
    if (isLive && this.#polling !== undefined) {
      clearInterval(this.#polling);
      this.#polling = undefined;
      this.#catchUp();
    } else if (!isLive) this.#polling ??= setInterval(() => this.#catchUp(), POLLED_AFTER_MS);
  }

  /** Ask for what was missed, and count it. */
  #catchUp(): void {
    void Promise.all([this.refreshRuns(), this.#loadLogs(true), this.#loadWaits()]).catch(() => undefined);
  }

  /** End what goes on, and save what is not saved. */
  async close(): Promise<void> {
    this.#leave?.();
    clearInterval(this.#polling);
    clearTimeout(this.#timer);
    if (this.history.unsaved.length && !this.#isHeld()) await this.save().catch(() => undefined);
  }

  manifest(id: string): Manifest | undefined {
    return manifestOf(this.catalog, this.flow[id]?.type ?? '');
  }

  title(id: string): string {
    const node = this.flow[id];
    return node ? titleOf(node, this.manifest(id)) : id;
  }

  perform(ops: readonly Op[], gesture = ''): void {
    if (this.isReadOnly || !ops.length) return;
    this.history = perform(this.history, ops, gesture);
    this.#changed();
  }

  undo(): void {
    if (!this.isReadOnly) this.history = undo(this.history);
    this.#changed();
  }

  redo(): void {
    if (!this.isReadOnly) this.history = redo(this.history);
    this.#changed();
  }

  select(ids: readonly string[], wire = ''): void {
    this.selection = ids;
    this.wire = wire;
  }

  /** A step of this component, at a place of the world, behind an output where one is given. */
  add(manifest: Manifest, at: Point, behind?: { source: string; outPort: string }): string {
    const id = crypto.randomUUID();
    const place = this.#free(toFlow({ x: at.x, y: at.y }));
    const properties = defaults(manifest);
    const node: FlowNode = {
      type: manifest.name,
      ...place,
      source: {},
      ...(manifest.version ? { version: manifest.version } : {}),
      config: properties ? { properties } : {},
    };
    const ops: Op[] = [{ op: 'add', id, node }];
    const into = inPorts(manifest)[0];
    if (behind && into) ops.push(...connect(apply(this.history.flow, ops), { ...behind, target: id, inPort: into.name }));
    this.perform(ops);
    this.select([id]);
    return id;
  }

  connect(link: Link): void {
    const port = inPorts(this.manifest(link.target)).find((each) => each.name === link.inPort);
    const there = linksOf(this.history.flow).filter((each) => each.target === link.target && each.inPort === link.inPort);
    if (port?.maxConnections && there.length >= port.maxConnections) {
      this.notice = this.t("'{0}' takes {1} link at most. Remove the other one first.", link.inPort, port.maxConnections);
      return;
    }
    this.perform(connect(this.history.flow, link));
  }

  reconnect(wire: string, target: string, inPort: string): void {
    const link = this.linkOf(wire);
    if (link && (link.target !== target || link.inPort !== inPort)) {
      this.perform(reconnect(this.history.flow, link, { ...link, target, inPort }));
    }
  }

  disconnect(wire: string): void {
    const link = this.linkOf(wire);
    if (link) this.perform(disconnect(this.history.flow, link));
    this.wire = '';
  }

  linkOf(wire: string): Link | undefined {
    return linksOf(this.history.flow).find((link) => linkId(link) === wire);
  }

  remove(): void {
    if (this.wire) return this.disconnect(this.wire);
    this.perform(removeNodes(this.history.flow, this.selection));
    this.select([]);
  }

  move(places: ReadonlyMap<string, Point>, gesture: string): void {
    this.perform(moveNodes(this.history.flow, new Map([...places].map(([id, place]) => [id, toFlow(place)]))), gesture);
  }

  /** A note at a place of the world, or a frame around what is chosen. */
  addSheet(kind: SheetKind, at: Point): string {
    const id = crypto.randomUUID();
    const chosen = kind === 'frame' ? this.cards.filter((card) => this.selection.includes(card.id)) : [];
    const inner = around(chosen.map((card) => ({ x: card.x, y: card.y, width: CARD_WIDTH, height: cardHeight(card.ins.length, card.outs.length) })));
    const size = kind === 'note' ? { width: 224, height: 112 } : { width: 480, height: 280 };
    const box = chosen.length ? { x: inner.x - 36, y: inner.y - 60, width: inner.width + 72, height: inner.height + 96 } : { ...at, ...size };
    const sheet: Sheet = { kind, ...toFlow(box), width: box.width, height: box.height, text: '', colour: kind === 'note' ? 'yellow' : 'grey' };
    this.perform([{ op: 'add', id, node: sheetNode(sheet) }]);
    this.select([id]);
    return id;
  }

  /** The note or frame of this id. */
  sheet(id: string): Sheet | undefined {
    const node = this.history.flow[id];
    return node && sheetOf(node);
  }

  changeSheet(id: string, to: Partial<Sheet>, gesture: string): void {
    this.perform(Object.entries(to).flatMap(([key, value]) => change(this.history.flow, id, [key], value)), gesture);
  }

  arrange(): void {
    const height = (id: string): number => {
      const manifest = this.manifest(id);
      return Math.ceil((cardHeight(inPorts(manifest).length, outPorts(manifest, this.flow[id]).length) + 44) / (SPACING.y * 1.25));
    };
    this.perform(moveNodes(this.history.flow, layout(this.steps, SPACING, height)));
  }

  copy(): string {
    const flow = Object.fromEntries(this.selection.flatMap((id) => (this.history.flow[id] ? [[id, this.history.flow[id]]] : [])));
    return JSON.stringify({ headrace: 1, flow }, null, 2);
  }

  /** Steps from a text, with new ids; links among them stay, others are kept only where their source is here. */
  paste(text: string): string[] {
    let given: unknown;
    try {
      given = JSON.parse(text);
    } catch {
      return [];
    }
    const found = isObject(given) && isObject(given['flow']) ? given['flow'] : given;
    if (!isObject(found)) return [];
    const nodes = Object.entries(found).filter((each): each is [string, FlowNode] => isObject(each[1]) && typeof each[1]['type'] === 'string');
    const ids = new Map(nodes.map(([id]) => [id, crypto.randomUUID() as string]));
    const renamed = [...ids].reduce((json, [from, to]) => json.replaceAll(JSON.stringify(from), JSON.stringify(to)).replaceAll(`$.${from}.`, `$.${to}.`), JSON.stringify(nodes));
    const ops = (JSON.parse(renamed) as [string, FlowNode][]).map(
      ([id, node]): Op => ({ op: 'add', id, node: { ...node, x: (node.x ?? 0) + 32, y: (node.y ?? 0) + 48 } }),
    );
    this.perform(ops);
    this.select([...ids.values()]);
    return [...ids.values()];
  }

  async rename(name: string): Promise<void> {
    if (!name.trim() || name === this.record?.name) return;
    await this.#guarded(async () => {
      await this.api.updateFlow(this.flowId, { name: name.trim() });
      this.#take(await this.api.getFlow(this.flowId));
    });
  }

  /** Let others see the flow, and do what each may. Raises what the API says. */
  async share(sharedWith: readonly Share[]): Promise<void> {
    await this.amend({ sharedWith } as unknown as JsonObject);
  }

  /** Change what the flow says of itself beside its drawing. Raises what the API says. */
  async amend(changes: JsonObject): Promise<void> {
    await this.api.updateFlow(this.flowId, changes);
    const now = await this.api.getFlow(this.flowId);
    if (this.record) this.record = { ...this.record, ...Object.fromEntries(Object.keys(changes).map((name) => [name, now[name]])), revision: now.revision };
  }

  /** Start or stop, saving first. */
  async toggle(): Promise<void> {
    await this.#guarded(async () => {
      if (this.isRunning) await this.api.stopFlow(this.flowId);
      else {
        await this.save(true);
        this.overlay.clear();
        await this.api.startFlow(this.flowId);
      }
      const record = await this.api.getFlow(this.flowId);
      this.#take(record);
    });
  }

  /** Send what is not saved. A running flow takes it only when that is asked for. */
  async save(isForced = false): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#saving) await this.#saving;
    if (!this.history.unsaved.length) return;
    this.#saving = this.#send(isForced).finally(() => (this.#saving = undefined));
    await this.#saving;
  }

  async #send(isForced: boolean): Promise<void> {
    this.saveState = 'saving';
    for (let attempt = 0; attempt < 5; attempt += 1) {
      this.history = sending(this.history);
      const flow = this.history.flow;
      try {
        const drawn = equal(sheetsOf(this.#base), sheetsOf(flow)) ? {} : { customFields: withSheets(this.record?.['customFields'], flow) };
        const revision = await this.api.updateFlow(this.flowId, { flow: stepsOf(flow), ...drawn } as unknown as JsonObject, this.record?.revision, isForced || !this.#isHeld());
        this.#base = flow;
        this.history = saved(this.history);
        if (this.record) this.record = { ...this.record, ...drawn, revision };
        this.saveState = this.history.unsaved.length ? 'draft' : 'saved';
        void this.refreshAccounts().catch(() => undefined);
        return;
      } catch (error) {
        this.history = refused(this.history);
        if (!(error instanceof ApiError) || error.status !== 409) {
          this.saveState = 'failed';
          this.notice = error instanceof Error ? error.message : String(error);
          throw error;
        }
        await this.#rebase();
      }
    }
    this.saveState = 'failed';
    this.notice = this.t('Somebody else changes this flow all the time. Your changes are kept here; try again.');
  }

  async #rebase(): Promise<void> {
    const record = await this.api.getFlow(this.flowId);
    const { history, clashes } = followed(this.history, together(record.flow, record['customFields']));
    this.#take(record);
    this.history = history;
    this.notice = clashes
      ? this.t('Somebody else changed this flow. Yours is on top; {0} of your changes met theirs.', clashes)
      : this.t('Somebody else changed this flow. Both changes are here now.');
  }

  /** Whether changes wait for a person's word, because the flow runs and they would change what it does. */
  #isHeld(): boolean {
    return this.isRunning && differs(stepsOf(this.#base), this.steps);
  }

  #changed(): void {
    clearTimeout(this.#timer);
    if (!this.history.unsaved.length) {
      this.saveState = 'saved';
      return;
    }
    this.saveState = 'draft';
    if (!this.#isHeld()) this.#timer = setTimeout(() => void this.save().catch(() => undefined), SAVE_AFTER_MS);
  }

  get isHeld(): boolean {
    return this.saveState === 'draft' && this.#isHeld();
  }

  #take(record: FlowRecord): void {
    this.record = record;
    this.#base = together(record.flow, record['customFields']);
  }

  async #guarded(act: () => Promise<void>): Promise<void> {
    this.isBusy = true;
    this.notice = '';
    try {
      await act();
    } catch (error) {
      const found = error instanceof ApiError && error.problems.length ? ` ${String(error.problems[0]?.['message'] ?? '')}` : '';
      this.notice = (error instanceof Error ? error.message : String(error)) + found;
    } finally {
      this.isBusy = false;
    }
  }

  /** Ask which accounts the steps have, where one needs any. */
  async refreshAccounts(): Promise<void> {
    if (!Object.keys(this.flow).some((id) => this.manifest(id)?.auth?.service)) {
      this.accounts ??= new Map();
      return;
    }
    const { components } = await this.api.getAccountsOfFlow(this.flowId);
    this.accounts = new Map(
      Object.entries(components).flatMap(([id, each]): [string, Bound][] =>
        each.accountId ? [[id, { isValid: each.accessTokenValid, reason: each.account?.reason ?? '' }]] : [],
      ),
    );
  }

  /** Let a step act with an account, or with none. The flow is saved first: the account belongs to a step that is there. */
  async assign(id: string, accountId: string): Promise<void> {
    await this.#guarded(async () => {
      await this.saveFor(id);
      if (accountId) await this.api.assignAccount(this.flowId, id, accountId);
      else await this.api.unassignAccount(this.flowId, id);
      await this.refreshAccounts();
    });
  }

  /** Save so that the platform knows a step. Raises where only a person may say so. */
  async saveFor(id: string): Promise<void> {
    if (Object.hasOwn(this.#base, id)) return;
    if (this.#isHeld()) throw new Error(this.t('This step is not applied yet. Apply the changes first, then choose its account.'));
    await this.save();
  }

  async refreshRuns(): Promise<void> {
    const [runs, failed] = await Promise.all([this.api.getRuns(this.flowId), this.api.getUnprocessed(this.flowId)]);
    this.runs = runs.items;
    this.failed = failed;
  }

  async retry(messageId: string): Promise<void> {
    await this.#guarded(async () => {
      await this.api.retryUnprocessed(messageId);
      await this.refreshRuns();
    });
  }

  async refreshVersions(): Promise<void> {
    this.versions = (await this.api.getVersions(this.flowId)).items;
  }

  async restore(version: Version): Promise<void> {
    await this.#guarded(async () => {
      await this.api.restoreVersion(this.flowId, version.version);
      const record = await this.api.getFlow(this.flowId);
      this.#take(record);
      this.history = begin(this.#base);
      this.compared = undefined;
      await this.refreshVersions();
    });
  }

  async showRun(runId: string): Promise<void> {
    await this.#guarded(async () => {
      const run = await this.api.getRun(runId);
      this.run = { ...run, steps: [...(run.steps ?? [])].sort((a, b) => String(a.finished ?? '9').localeCompare(String(b.finished ?? '9'))) };
      this.moment = this.run.steps?.length ?? 0;
    });
  }

  leaveRun(): void {
    this.run = undefined;
  }

  /** What a step got last, as its run recorded it; nothing where no recent run came by. */
  async lastInput(id: string): Promise<unknown> {
    for (const { runId } of (await this.api.getRuns(this.flowId)).items.slice(0, RUNS_SEARCHED)) {
      const found = (await this.api.getRun(runId)).steps?.find((step) => step.componentId === id);
      if (found) return found.input;
    }
    return undefined;
  }

  /** Try the flow from a step on, with this message. */
  async test(node: string, input: unknown): Promise<void> {
    await this.#guarded(async () => {
      await this.save(true);
      const isStart = !inPorts(this.manifest(node)).length || this.manifest(node)?.trigger;
      this.trial = { node, steps: [], status: 'running' };
      const data = { componentId: node, ...(isStart ? { payload: input } : { inputData: input }), options: { timeout: 30_000 } };
      const response = await this.api.stream(`/flows/${encodeURIComponent(this.flowId)}/test`, data, AbortSignal.timeout(60_000));
      for await (const event of events(response)) this.#tried(event);
      if (this.trial?.status === 'running') this.trial = { ...this.trial, status: 'ended' };
    });
  }

  #tried({ event, data }: LiveEvent): void {
    if (!this.trial || !isObject(data)) return;
    const steps = [...this.trial.steps];
    const last = steps.findLast((step) => step.componentId === data['componentId']);
    if (event === 'component:start') {
      steps.push({ stepId: String(data['stepId']), componentId: String(data['componentId']), componentType: '', port: '', outcome: 'done', attempts: 1, input: undefined, outputs: [], error: null, started: null, finished: null });
    } else if (event === 'component:output' && last) {
      steps[steps.indexOf(last)] = { ...last, outputs: [...last.outputs, { port: String(data['port']), content: data['data'] }] };
    } else if (event === 'component:error' && last) {
      steps[steps.indexOf(last)] = { ...last, outcome: 'failed', error: String(data['message']) };
    }
    const status = event === 'test:done' ? String(data['status']) : event === 'test:error' ? String(data['message']) : this.trial.status;
    this.trial = { ...this.trial, steps, status };
  }

  #happened({ event, data }: LiveEvent): void {
    if (!isObject(data)) return;
    if (event === 'log') this.overlay.logged([data]);
    else if (event === 'dropped') this.#catchUp();
    if (event !== 'happening') return;
    if (data['type'] === 'step') this.overlay.stepped(data);
    else if (data['type'] === 'wait') this.overlay.waits(data);
    else if (data['type'] === 'run') {
      if (data['state'] !== 'waiting') this.overlay.ended(String(data['runId']));
      void this.refreshRuns().catch(() => undefined);
    }
    const isOfAccount = data['kind'] === 'account' || (data['error'] && this.manifest(String(data['componentId']))?.auth);
    if (isOfAccount) void this.refreshAccounts().catch(() => undefined); // perhaps it was revoked
  }

  async #loadLogs(isCounted = false): Promise<void> {
    const found = await this.api.getLogs({ flowId: this.flowId, limit: '100' }).catch(() => ({ hits: [] }));
    this.overlay.logged([...found.hits].reverse(), isCounted);
  }

  /** What waits already, of the newest runs that do. */
  async #loadWaits(): Promise<void> {
    const { items } = await this.api.getRuns({ flowId: this.flowId, state: 'waiting', waits: true, limit: MOST_WAITING }).catch(() => ({ items: [] }));
    for (const { runId, waits } of items) for (const wait of waits ?? []) this.overlay.foundWaiting({ ...wait, runId });
  }

  #union(older: Flow): Flow {
    return { ...older, ...this.steps };
  }

  #cards(): Card[] {
    const problems = new Map<string, Problem[]>();
    if (!this.isReadOnly) for (const each of this.problems) problems.set(each.node, [...(problems.get(each.node) ?? []), each]);
    const found = this.compared ? difference(this.compared.flow, this.steps) : undefined;
    return Object.keys(this.flow).map((id) => this.#card(id, problems.get(id) ?? [], found));
  }

  #card(id: string, own: readonly Problem[], found: Difference | undefined): Card {
    const node = this.flow[id] as FlowNode;
    const manifest = manifestOf(this.catalog, node.type);
    const ins = inPorts(manifest).map((port) => port.name);
    const outs = outPorts(manifest, node).map((port) => port.name);
    if (!manifest) {
      const links = linksOf(this.flow);
      ins.push(...new Set(links.filter((link) => link.target === id).map((link) => link.inPort)));
      outs.push(...new Set(links.filter((link) => link.source === id).map((link) => link.outPort)));
    }
    const world = toWorld({ x: Number(node.x) || 0, y: Number(node.y) || 0 });
    return {
      id,
      ...world,
      title: titleOf(node, manifest),
      kind: node.label && manifest?.label ? manifest.label : (manifest?.name ?? node.type).split('.').slice(-2, -1)[0] ?? '',
      icon: manifest?.icon ?? '',
      ins,
      outs,
      problem: own.some((each) => each.severity === 'error') ? 'error' : own.length ? 'warning' : '',
      problems: own.map((each) => this.t(...each.words)).join(' '),
      trouble: this.#inShort(own.find((each) => each.severity === 'error') ?? own[0]),
      mark: found?.added.has(id) ? 'mark-added' : found?.removed.has(id) ? 'mark-removed' : found?.changed.has(id) ? 'mark-changed' : '',
    };
  }

  /** The first words of a problem: a card has no room for more. */
  #inShort(problem: Problem | undefined): string {
    return problem ? this.t(...problem.words).replace(/[.:,] .*$/, '') : '';
  }

  #wires(): Wire[] {
    const found = this.compared ? difference(this.compared.flow, this.steps) : undefined;
    const own = linksOf(this.history.flow);
    const gone = this.compared ? linksOf(this.compared.flow).filter((link) => found?.linksRemoved.has(linkId(link))) : [];
    return [...own, ...gone].map((link) => {
      const id = linkId(link);
      return { id, ...link, mark: found?.linksAdded.has(id) ? 'mark-added' : found?.linksRemoved.has(id) ? 'mark-removed' : '' };
    });
  }

  #free(place: Point): Point {
    const taken = (x: number, y: number): boolean =>
      Object.values(this.steps).some((node) => Math.abs((node.x ?? 0) - x) < 150 && Math.abs((node.y ?? 0) - y) < 64);
    let { x, y } = place;
    for (let attempt = 0; attempt < 40 && taken(x, y); attempt += 1) y += 96;
    return { x, y };
  }
}

function papersOf(flow: Flow): Paper[] {
  return Object.entries(flow).flatMap(([id, node]): Paper[] => {
    const sheet = sheetOf(node);
    return sheet ? [{ id, ...sheet, x: sheet.x * SCALE.x, y: sheet.y * SCALE.y }] : [];
  });
}

function defaults(manifest: Manifest): JsonObject | undefined {
  const found = Object.entries(manifest.properties?.inspector?.inputs ?? {}).flatMap(([name, input]) =>
    input.defaultValue === undefined ? [] : [[name, input.defaultValue] as const],
  );
  return found.length ? Object.fromEntries(found) : undefined;
}


