/** What happens in a flow: numbers on cards and wires, and the log. It stands apart from what is drawn, which it never changes. */
import { isObject, linkId, linksOf } from '../../flow/model.ts';
import type { Flow } from '../../flow/model.ts';
import type { Run } from '../../kit/api.ts';
import type { Counts } from './canvas.ts';

export interface LogLine {
  id: string;
  at: string;
  node: string;
  severity: string;
  text: string;
  port: string;
}

/** A step that waits. */
interface Wait {
  node: string;
  run: string;
}

type Passed = ReadonlyMap<string, number>;
type Told = Record<string, unknown>;

const NO_COUNTS: Counts = { done: 0, failed: 0, waiting: 0, state: '' };
const MOST_LOGS = 400;
/** More than come at once when what was missed is asked for. */
const MOST_REMEMBERED = 2000;

export class Overlay {
  counts = $state.raw<ReadonlyMap<string, Counts>>(new Map());
  /** How many messages went over each wire. */
  passed = $state.raw<Passed>(new Map());
  logs = $state.raw<readonly LogLine[]>([]);
  readonly #flow: () => Flow;
  readonly #waiting = new Map<string, Wait>();
  /** Steps of which was told that they go on. */
  readonly #gone = new Set<string>();
  /** Ids of the records that are counted and shown, oldest first. */
  readonly #seen = new Set<string>();

  constructor(flow: () => Flow) {
    this.#flow = flow;
  }

  /** Begin to count anew. */
  clear(): void {
    this.counts = new Map();
    this.passed = new Map();
    this.#waiting.clear();
  }

  /** A step ended; one that is tried again is told of as waiting beside this. */
  stepped(step: Told): void {
    if (step['outcome'] === 'retry') return;
    const id = String(step['componentId']);
    this.#goneOn(String(step['stepId']));
    const state = step['error'] ? 'failed' : 'done';
    this.#change(id, (before) => ({ ...before, [state]: before[state] + 1, state }));
    const outputs = Array.isArray(step['outputs']) ? (step['outputs'] as unknown[]) : [];
    this.passed = withPassed(this.passed, this.#flow(), id, outputs.filter(isObject).map((each) => String(each['port'])));
  }

  /** A step waits now: for a time, its turn, its account, an answer. */
  waits(wait: Told): void {
    const [step, node] = [String(wait['stepId']), String(wait['componentId'])];
    this.#gone.delete(step);
    const more = this.#waiting.has(step) ? 0 : 1;
    this.#waiting.set(step, { node, run: String(wait['runId']) });
    this.#change(node, (before) => ({ ...before, waiting: before.waiting + more, why: String(wait['reason'] ?? ''), state: 'waiting' }));
  }

  /** A step was found waiting, by an answer that may be older than what was told since it was asked for. */
  foundWaiting(wait: Told): void {
    if (!this.#gone.has(String(wait['stepId']))) this.waits(wait);
  }

  /** A run is over: nothing of it waits any more. */
  ended(run: string): void {
    for (const [step, wait] of [...this.#waiting]) if (wait.run === run) this.#goneOn(step);
  }

  /** Records of the log, oldest first. What they tell is counted where nobody told of it as it happened. */
  logged(records: readonly Told[], isCounted = false): void {
    const fresh = records.filter((each) => !this.#seen.has(String(each['_id'])));
    if (isCounted) for (const each of fresh) this.#count(each);
    for (const each of fresh) keep(this.#seen, String(each['_id']));
    if (fresh.length) this.logs = [...this.logs, ...fresh.map(line)].slice(-MOST_LOGS);
  }

  #count({ componentId, portType, port, severity }: Told): void {
    const id = String(componentId ?? '');
    if (!Object.hasOwn(this.#flow(), id)) return;
    if (severity === 'error') this.#change(id, (before) => ({ ...before, failed: before.failed + 1, done: Math.max(0, before.done - 1), state: 'failed' }));
    else if (portType === 'in') this.#change(id, (before) => ({ ...before, done: before.done + 1, state: 'done' }));
    else if (portType === 'out') this.passed = withPassed(this.passed, this.#flow(), id, [String(port)]);
  }

  #goneOn(step: string): void {
    keep(this.#gone, step);
    const wait = this.#waiting.get(step);
    if (!wait) return;
    this.#waiting.delete(step);
    this.#change(wait.node, (before) => ({ ...before, waiting: before.waiting - 1 }));
  }

  #change(node: string, to: (before: Counts) => Counts): void {
    this.counts = new Map(this.counts).set(node, to(this.counts.get(node) ?? NO_COUNTS));
  }
}

/** What a run had counted after so many of its steps. */
export function countsOf(run: Run, moment: number, flow: Flow): { counts: ReadonlyMap<string, Counts>; passed: Passed } {
  const counts = new Map<string, Counts>();
  let passed: Passed = new Map();
  (run.steps ?? []).slice(0, moment).forEach((step, index) => {
    const before = counts.get(step.componentId) ?? NO_COUNTS;
    const kind = step.error ? 'failed' : step.finished ? 'done' : 'waiting';
    counts.set(step.componentId, { ...before, [kind]: before[kind] + 1, state: index === moment - 1 ? 'active' : kind });
    passed = withPassed(passed, flow, step.componentId, step.outputs.map((each) => each.port));
  });
  return { counts, passed };
}

/** The newest of the names are remembered. */
function keep(names: Set<string>, name: string): void {
  names.add(name);
  for (const oldest of names) {
    if (names.size <= MOST_REMEMBERED) break;
    names.delete(oldest);
  }
}

function line(record: Told): LogLine {
  return {
    id: String(record['_id'] ?? crypto.randomUUID()),
    at: String(record['gridTimestamp'] ?? ''),
    node: String(record['componentId'] ?? ''),
    severity: String(record['severity'] ?? 'info'),
    port: record['port'] ? `${String(record['portType'] ?? '')} ${String(record['port'])}` : String(record['type'] ?? ''),
    text: String(record['msg'] ?? ''),
  };
}

function withPassed(passed: Passed, flow: Flow, id: string, ports: readonly string[]): Passed {
  if (!ports.length) return passed;
  const made = new Map(passed);
  for (const link of linksOf(flow)) {
    const times = link.source === id ? ports.filter((port) => port === link.outPort).length : 0;
    if (times) made.set(linkId(link), (made.get(linkId(link)) ?? 0) + times);
  }
  return made;
}
