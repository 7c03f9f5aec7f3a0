/** Events of widgets, which a host may take over. */

/** Nothing comes along. */
export type Nothing = Record<never, never>;

/** Something that the host may do in a widget's place, and what it is about; `<name>-after` tells what came of it, too. */
export interface Act<Data extends object = Nothing, After extends object = Nothing> {
  readonly data: Readonly<Data>;
  readonly after: Readonly<Data & After>;
}

/** Something that has happened. */
export interface Told<Data extends object = Nothing> {
  readonly data: Readonly<Data>;
}

/** What every widget tells. */
export interface CommonEvents {
  /** It has left the page */
  close: Told;
  /** It wears another theme */
  theme: Told<{ mode: 'light' | 'dark' }>;
}

/** Events of which only the names are known when they come: a widget of any kind takes every name. */
export type AnyEvents = any;
type IsAny<E> = 0 extends 1 & E ? true : false;

type Acts<E> = { [Name in keyof E & string]: E[Name] extends { readonly after: object } ? Name : never }[keyof E & string];

/** The names of events, those with `-after` among them. */
export type EventName<E> = IsAny<E> extends true ? string : (keyof E & string) | `${Acts<E>}-after`;

/** What comes with an event of this name. */
export type EventData<E, Name> = IsAny<E> extends true ? Readonly<Record<string, unknown>> : Name extends keyof E
  ? E[Name] extends { readonly data: infer Data extends object } ? Data : never
  : Name extends `${infer Base}-after` ? (Base extends keyof E ? (E[Base] extends { readonly after: infer After extends object } ? After : never) : never) : never;

export interface WidgetEvent<Data extends object = Readonly<Record<string, unknown>>> {
  readonly type: string;
  readonly data: Data;
  /** Do what is built in. Without a listener it is done anyway. Twice is as once. */
  next(): Promise<void>;
  /** Leave what is built in undone, though nobody listens by `on`. */
  preventDefault(): void;
  /** The main id of what happened, so that an event can stand where an id is wanted. */
  toString(): string;
}

export type Listener<Data extends object = Readonly<Record<string, unknown>>> = (event: WidgetEvent<Data>) => unknown;

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
