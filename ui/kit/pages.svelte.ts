/** Rows of a long list, of which only the pages are loaded that somebody looks at. */
import { untrack } from 'svelte';

export interface Asked {
  offset: number;
  limit: number;
}

export interface Page<R> {
  items: readonly R[];
  /** How many there are in all; absent where the API cannot say: a full page then means that there may be more. */
  total?: number;
}

export type Load<R> = (asked: Asked) => Promise<Page<R>>;
export type Standing = 'loading' | 'ready' | 'failed';

/** A page and how many there are in all, which is asked for only where the page does not say so by itself. */
export async function counted<R>({ offset, limit }: Asked, page: Promise<readonly R[]>, count: () => Promise<number>): Promise<Page<R> & { total: number }> {
  const items = await page;
  const isLast = items.length < limit && (items.length > 0 || offset === 0);
  return { items, total: isLast ? offset + items.length : await count() };
}

export class Pages<R> {
  readonly size: number;
  standing = $state<Standing>('loading');
  total = $state(0);
  error = $state.raw<unknown>();
  #load: Load<R>;
  #rows = $state.raw<readonly (R | undefined)[]>([]);
  #turn = 0;
  readonly #asked = new Set<number>();
  #range: [number, number] = [0, 0];

  constructor(load: Load<R>, size = 100) {
    this.#load = load;
    this.size = size;
  }

  /** Rows that are all here. */
  static of<R>(load: () => Promise<readonly R[]>): Pages<R> {
    return new Pages(async () => {
      const items = await load();
      return { items, total: items.length };
    }, Number.MAX_SAFE_INTEGER);
  }

  get rows(): readonly (R | undefined)[] {
    return this.#rows;
  }

  row(at: number): R | undefined {
    return this.#rows[at];
  }

  /** Load what is asked now, from its first page; the rows that are there stay until the new ones come. */
  async restart(load: Load<R> = this.#load, { keep = false } = {}): Promise<void> {
    this.#load = load;
    this.#turn += 1;
    this.#asked.clear();
    untrack(() => {
      if (!keep) this.standing = 'loading';
    });
    const first = keep ? Math.floor(this.#range[0] / this.size) : 0;
    await this.#page(Number.isFinite(first) ? first : 0, true);
  }

  /** Somebody looks at these. */
  show(from: number, to: number): void {
    this.#range = [from, to];
    if (this.standing !== 'ready') return;
    for (let page = Math.floor(from / this.size); page * this.size < Math.min(to, this.total); page += 1) {
      if (this.#asked.has(page)) continue;
      void this.#page(page, false);
    }
  }

  /** Change the rows that are here, without asking anew; what becomes undefined is gone. */
  change(how: (row: R) => R | undefined): void {
    const changed = Array.from(this.#rows, (row) => (row === undefined ? row : (how(row) ?? null)));
    const left = changed.filter((row) => row !== null);
    this.total -= changed.length - left.length;
    this.#rows = left;
  }

  async #page(page: number, isFirst: boolean): Promise<void> {
    const turn = this.#turn;
    this.#asked.add(page);
    const offset = page * this.size;
    try {
      const found = await this.#load({ offset, limit: this.size });
      if (turn !== this.#turn) return;
      const isFull = found.items.length >= this.size;
      this.total = found.total ?? Math.max(isFirst ? 0 : this.total, offset + found.items.length + (isFull ? 1 : 0));
      const rows = isFirst ? [] : [...this.#rows];
      rows.length = this.total;
      found.items.forEach((item, at) => (rows[offset + at] = item));
      this.#rows = rows;
      this.error = undefined;
      this.standing = 'ready';
      this.show(...this.#range);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#asked.delete(page);
      this.error = error;
      if (isFirst) this.standing = 'failed';
    }
  }
}
