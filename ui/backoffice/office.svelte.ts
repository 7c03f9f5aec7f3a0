/** What the pages of the Backoffice share: the address, the API, who is who, and long work with its progress. */
import { getContext, setContext } from 'svelte';
import type { Api } from '../kit/api.ts';
import type { Context } from '../kit/context.svelte.ts';
import type { Load } from '../kit/pages.svelte.ts';
import type { JsonObject } from '../kit/types.ts';
import { Router } from './router.svelte.ts';

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Work that takes a while: how far it is, and what went wrong in it. */
export interface Work {
  title: string;
  done: number;
  total: number;
  failures: readonly string[];
  isOver: boolean;
  stop(): void;
}

const KEY = Symbol('office');
const AT_ONCE = 4;
const MOST_NAMES = 5000;

export class Office {
  readonly router: Router;
  readonly w: Context;
  work = $state.raw<Work | undefined>();
  /** What users sign in by, by their ids. */
  names = $state.raw<ReadonlyMap<string, string>>(new Map());
  #naming: Promise<void> | undefined;

  constructor(context: Context) {
    this.w = context;
    this.router = new Router(context.widget.signal);
  }

  get api(): Api {
    return this.w.api;
  }

  get<T>(url: string, query: Query = {}): Promise<T> {
    return this.api.request<T>({ url: url + asked(query) });
  }

  send<T>(method: 'POST' | 'PUT' | 'DELETE', url: string, data?: unknown, headers: Record<string, string> = {}): Promise<T> {
    return this.api.request<T>({ method, url, headers, ...(data === undefined ? {} : { data }) });
  }

  /** A list of the API as the table loads it, page by page. */
  list<R>(url: string, query: Query = {}): Load<R> {
    return async ({ offset, limit }) => {
      const response = await this.api.raw({ url: url + asked({ ...query, offset: String(offset), limit: String(Math.min(limit, 1000)) }) });
      const said = (await response.json()) as R[] | { items: R[]; totalCount: number };
      if (!Array.isArray(said)) return { items: said.items, total: said.totalCount };
      const total = response.headers.get('x-total-count');
      return total === null ? { items: said } : { items: said, total: Number(total) };
    };
  }

  /** Learn what users are called; those of a larger platform are called by their ids. */
  learn(): Promise<void> {
    this.#naming ??= (async () => {
      const found = new Map<string, string>();
      for (let offset = 0; offset < MOST_NAMES; offset += 1000) {
        const users = await this.get<JsonObject[]>('/users', { projection: 'id,email,username', limit: '1000', offset: String(offset) });
        for (const user of users) found.set(String(user['id']), String(user['email'] || user['username'] || user['id']));
        if (users.length < 1000) break;
      }
      this.names = found;
    })().catch(() => { this.#naming = undefined; });
    return this.#naming;
  }

  nameOf(userId: unknown): string {
    return this.names.get(String(userId)) ?? String(userId ?? '');
  }

  /** Do something for each, a few at a time. What fails is told with its name, and the rest goes on. */
  async each<R>(title: string, items: readonly R[], name: (item: R) => string, act: (item: R) => Promise<unknown>): Promise<void> {
    const waiting = [...items];
    let isStopped = false;
    const failures: string[] = [];
    let done = 0;
    const tell = (isOver = false): void => { this.work = { title, done, total: items.length, failures: [...failures], isOver, stop: () => (isStopped = true) }; };
    tell();
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let item = waiting.shift(); item !== undefined && !isStopped; item = waiting.shift()) {
        const mine = item;
        await act(mine).catch((error: unknown) => failures.push(`${name(mine)}: ${this.w.reason(error)}`));
        done += 1;
        tell();
      }
    }));
    this.#end(tell, failures);
  }

  /** Ask again and again until nothing is left. */
  async until(title: string, total: number, act: () => Promise<{ settled: number; left: number }>): Promise<void> {
    let isStopped = false;
    let done = 0;
    const failures: string[] = [];
    const tell = (isOver = false): void => { this.work = { title, done, total: Math.max(total, done), failures: [...failures], isOver, stop: () => (isStopped = true) }; };
    tell();
    while (!isStopped) {
      try {
        const { settled, left } = await act();
        done += settled;
        tell();
        if (!left || !settled || done >= total) break;
      } catch (error) {
        failures.push(this.w.reason(error));
        break;
      }
    }
    this.#end(tell, failures);
  }

  /** Save a text as a file. */
  save(name: string, text: string, type = 'application/json'): void {
    this.#keep(name, new Blob([text], { type }));
  }

  #keep(name: string, blob: Blob): void {
    const url = URL.createObjectURL(blob);
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  /** Download what an address answers with. */
  async download(url: string, name: string): Promise<void> {
    const response = await this.api.raw({ url, headers: { accept: '*/*' } });
    this.#keep(name, await response.blob());
  }

  #end(tell: (isOver: boolean) => void, failures: readonly string[]): void {
    tell(true);
    if (!failures.length) this.work = undefined;
    this.w.reload();
  }
}

export function asked(query: Query): string {
  const pairs = Object.entries(query).flatMap(([key, value]) => (value === undefined || value === '' ? [] : [value].flat().map((each): [string, string] => [key, String(each)])));
  return pairs.length ? `?${new URLSearchParams(pairs)}` : '';
}

export function provideOffice(office: Office): void {
  setContext(KEY, office);
}

export function useOffice(): Office {
  const found = getContext<Office | undefined>(KEY);
  if (!found) throw new Error('This component stands in no office.');
  return found;
}
