/** A live stream over fetch, since an EventSource cannot send a token. It comes back by itself until it is ended. */

export interface LiveEvent {
  event: string;
  data: unknown;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/** The events of a response's body, one after the other. */
export async function* events(response: Response): AsyncGenerator<LiveEvent> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const found = parse(block);
        if (found) yield found;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

export function parse(block: string): LiveEvent | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim();
    else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
  }
  if (!data.length) return undefined;
  try {
    return { event, data: JSON.parse(data.join('\n')) as unknown };
  } catch {
    return undefined;
  }
}

/** Follow until the signal ends it. `onState` says whether it is connected. */
export async function follow(
  open: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
  onEvent: (event: LiveEvent) => void,
  onState: (isConnected: boolean) => void,
): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const response = await open(signal);
      onState(true);
      pause = FIRST_PAUSE_MS;
      for await (const event of events(response)) onEvent(event);
    } catch (error) {
      if (signal.aborted) return;
      void error; // whatever it was: say that we are not connected, and come back later
    }
    onState(false);
    await waited(pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

function waited(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

export interface Listener {
  onEvent(event: LiveEvent): void;
  onState(isConnected: boolean): void;
}

/** Opens one stream for all of these topics. */
type Open = (topics: readonly string[], signal: AbortSignal) => Promise<Response>;

/** What a tab needs of its browser to share a stream with the others. */
export interface Company {
  channel: Pick<BroadcastChannel, 'postMessage' | 'close'> & { onmessage: ((message: MessageEvent) => void) | null };
  /** Runs the work while no other tab of the company does; until the signal ends it. */
  alone(work: () => Promise<void>, signal: AbortSignal): Promise<void>;
}

type Said =
  | { kind: 'want'; tab: string; topics: string[] }
  | { kind: 'who' }
  | { kind: 'event'; event: LiveEvent }
  | { kind: 'state'; topics: string[] };

/** How many the API follows in one stream; who comes later asks every few seconds. */
const MOST_TOPICS = 50;
const OVERLAP_MS = 250;
const SETTLE_MS = 30;
const REPEAT_MS = 20_000;
/** A tab that is not seen is given timers once a minute at least. */
const FORGOTTEN_MS = 150_000;

/**
 * The streams of one SDK instance over one connection, which the tabs of a user share: one of them holds it and tells the
 * others; when it is closed the next one goes on. An event of no topic, as `dropped`, goes to everybody.
 */
export class Streams {
  readonly #open: Open;
  readonly #company: () => Promise<Company | undefined>;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #others = new Map<string, { topics: readonly string[]; at: number }>();
  readonly #tab = crypto.randomUUID();
  readonly #end = new AbortController();
  #with: Company | undefined;
  #joining: Promise<void> | undefined;
  #repeat: ReturnType<typeof setInterval> | undefined;
  #connected: ReadonlySet<string> = new Set();
  #asked: readonly string[] = [];
  #connection: AbortController | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;
  #isLeader = false;

  constructor(open: Open, company: () => Promise<Company | undefined> = async () => undefined) {
    this.#open = open;
    this.#company = company;
  }

  /** Listen to a topic. What is answered stops it. */
  listen(topic: string, listener: Listener): () => void {
    const there = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, there.add(listener));
    this.#joining ??= this.#join();
    if (this.#connected.has(topic)) listener.onState(true);
    this.#wanted();
    return () => {
      if (!there.delete(listener) || there.size || this.#listeners.get(topic) !== there) return;
      this.#listeners.delete(topic);
      this.#wanted();
    };
  }

  /** How many topics are listened to. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Whether this tab holds the connection. */
  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** End them all. Twice is as once. */
  close(): void {
    this.#listeners.clear();
    this.#say({ kind: 'want', tab: this.#tab, topics: [] });
    clearInterval(this.#repeat);
    clearTimeout(this.#settling);
    this.#end.abort();
    this.#connection?.abort();
    this.#with?.channel.close();
    this.#with = undefined;
  }

  async #join(): Promise<void> {
    const company = await this.#company().catch(() => undefined);
    if (this.#end.signal.aborted) return company?.channel.close();
    this.#with = company;
    if (!company) return this.#lead();
    company.channel.onmessage = ({ data }) => this.#heard(data as Said);
    this.#repeat = setInterval(() => this.#wanted(), REPEAT_MS);
    this.#wanted();
    void company.alone(() => this.#lead(), this.#end.signal).catch(() => undefined); // ended before its turn came
  }

  /** Hold the connection until the end. */
  #lead(): Promise<void> {
    this.#isLeader = true;
    if (this.#connected.size) this.#announce([]); // who held the connection is gone, and what happened since is missed
    this.#say({ kind: 'who' });
    this.#wanted();
    return new Promise((resolve) => this.#end.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  #say(said: Said): void {
    this.#with?.channel.postMessage(said);
  }

  #heard(said: Said): void {
    if (said.kind === 'event') this.#happened(said.event);
    else if (said.kind === 'state') this.#state(said.topics);
    else if (said.kind === 'who') this.#wanted();
    else if (this.#isLeader) {
      this.#others.set(said.tab, { topics: said.topics, at: Date.now() });
      this.#say({ kind: 'state', topics: [...this.#connected] });
      this.#settle();
    }
  }

  #wanted(): void {
    if (this.#isLeader) this.#settle();
    else this.#say({ kind: 'want', tab: this.#tab, topics: [...this.#listeners.keys()] });
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#connect();
    }, SETTLE_MS);
  }

  /** Connect for what is wanted now. The connection before stays until the new one is there. */
  #connect(): void {
    for (const [tab, { at }] of this.#others) if (Date.now() - at > FORGOTTEN_MS) this.#others.delete(tab);
    const topics = [...new Set([...this.#listeners.keys(), ...[...this.#others.values()].flatMap((each) => each.topics)])].slice(0, MOST_TOPICS).sort();
    if (topics.join(' ') === this.#asked.join(' ')) return;
    this.#asked = topics;
    const before = this.#connection;
    const connection = (this.#connection = new AbortController());
    if (!topics.length) {
      before?.abort();
      this.#announce([]);
      return;
    }
    let isFirst = true;
    let isHeard = false;
    void follow(
      (signal) => this.#open(topics, signal),
      connection.signal,
      (event) => {
        if (!isHeard) return; // it comes over the connection before, still
        this.#happened(event);
        this.#say({ kind: 'event', event });
      },
      (isConnected) => {
        if (connection.signal.aborted || this.#connection !== connection) return;
        if (isConnected && isFirst && before && !before.signal.aborted && this.#connected.size) {
          setTimeout(() => {
            before.abort();
            isHeard = true;
            if (this.#connection === connection) this.#announce(topics);
          }, OVERLAP_MS);
        } else {
          before?.abort();
          isHeard = true;
          this.#announce(isConnected ? topics : []);
        }
        isFirst = false;
      },
    );
  }

  #announce(topics: readonly string[]): void {
    this.#state(topics);
    this.#say({ kind: 'state', topics: [...topics] });
  }

  #state(topics: readonly string[]): void {
    const before = this.#connected;
    this.#connected = new Set(topics);
    for (const [topic, listeners] of this.#listeners) {
      const isConnected = this.#connected.has(topic);
      // A topic that is not in a connection yet waits for the next one; that there is none for it is told every time.
      if (isConnected !== before.has(topic) || !topics.length || topics.length >= MOST_TOPICS) for (const each of [...listeners]) each.onState(isConnected);
    }
  }

  #happened(event: LiveEvent): void {
    const topic = (event.data as { topic?: unknown } | null)?.topic;
    const found = typeof topic === 'string' ? [this.#listeners.get(topic)] : [...this.#listeners.values()];
    for (const listeners of found) for (const each of [...(listeners ?? [])]) each.onEvent(event);
  }
}

/** The other tabs of this origin that go by the same name; nobody where the browser cannot bring them together. */
export function companyOf(name: string): Company | undefined {
  if (typeof BroadcastChannel === 'undefined' || !globalThis.navigator?.locks) return undefined;
  return {
    channel: new BroadcastChannel(name),
    alone: (work, signal) => navigator.locks.request(name, { signal }, work),
  };
}
