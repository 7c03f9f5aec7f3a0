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

interface Listener {
  onEvent(event: LiveEvent): void;
  onState(isConnected: boolean): void;
}

/** The streams of one SDK instance: whoever listens to the same thing shares one, and the last who leaves ends it. */
export class Streams {
  readonly #open = new Map<string, { listeners: Set<Listener>; end: AbortController; isConnected: boolean }>();

  /** Listen. What is answered stops it. */
  listen(name: string, open: (signal: AbortSignal) => Promise<Response>, listener: Listener): () => void {
    let stream = this.#open.get(name);
    if (!stream) {
      const made = { listeners: new Set<Listener>(), end: new AbortController(), isConnected: false };
      stream = made;
      this.#open.set(name, made);
      void follow(
        open,
        made.end.signal,
        (event) => made.listeners.forEach((each) => each.onEvent(event)),
        (isConnected) => {
          made.isConnected = isConnected;
          made.listeners.forEach((each) => each.onState(isConnected));
        },
      );
    }
    const joined = stream;
    joined.listeners.add(listener);
    if (joined.isConnected) listener.onState(true);
    return () => {
      joined.listeners.delete(listener);
      if (joined.listeners.size || this.#open.get(name) !== joined) return;
      joined.end.abort();
      this.#open.delete(name);
    };
  }

  /** End them all. */
  close(): void {
    for (const { end } of this.#open.values()) end.abort();
    this.#open.clear();
  }

  get size(): number {
    return this.#open.size;
  }
}
