/** Events of widgets, which a host may take over. */

export interface WidgetEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Do what is built in. Without a listener it is done anyway. Twice is as once. */
  next(): Promise<void>;
  /** Leave what is built in undone, though nobody listens by `on`. */
  preventDefault(): void;
  /** The main id of what happened, so that an event can stand where an id is wanted. */
  toString(): string;
}

export type Listener = (event: WidgetEvent) => unknown;

export class Events {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #element: () => HTMLElement;

  constructor(element: () => HTMLElement) {
    this.#element = element;
  }

  on(type: string, listener: Listener): void {
    this.#listeners.set(type, (this.#listeners.get(type) ?? new Set()).add(listener));
  }

  off(type?: string, listener?: Listener): void {
    if (type === undefined) this.#listeners.clear();
    else if (listener) this.#listeners.get(type)?.delete(listener);
    else this.#listeners.delete(type);
  }

  /** Say what has happened. */
  emit(type: string, data: Record<string, unknown> = {}): void {
    void this.#tell(type, data, async () => undefined);
  }

  /**
   * Something that the host may do in our place: its listeners get `next`, which does `act`; without one it is done at once.
   * When it was done, `<type>-after` tells so, with what came of it; an `act` that answers false was called off by the person.
   * Raises what `act` raised, if it is done meanwhile.
   */
  async intercept(type: string, data: Record<string, unknown>, act: () => Promise<unknown>): Promise<void> {
    let done: Promise<void> | undefined;
    const next = (): Promise<void> => {
      done ??= act().then((result) => (result === false ? undefined : this.emit(`${type}-after`, { ...data, ...(isRecord(result) ? result : {}) })));
      done.catch(() => undefined); // whoever waits for it hears of it
      return done;
    };
    if (!this.#tell(type, data, next)) void next();
    await done;
  }

  /** Whether somebody has taken it over. */
  #tell(type: string, data: Record<string, unknown>, next: () => Promise<void>): boolean {
    const listeners = [...(this.#listeners.get(type) ?? [])];
    let isPrevented = false;
    const event: WidgetEvent = { type, data, next, preventDefault: () => (isPrevented = true), toString: () => String(Object.values(data)[0] ?? '') };
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        reportError(error); // the host's own: it must not end what we do
      }
    }
    const told = new CustomEvent(type, { detail: { ...data, next }, composed: true, bubbles: true, cancelable: true });
    return !this.#element().dispatchEvent(told) || isPrevented || listeners.length > 0;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
