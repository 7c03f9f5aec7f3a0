/** Which page is shown and how it is narrowed: all of it stands in the address, so that it can be sent to somebody. */

const HOME = '/backoffice/';

export class Router {
  path = $state('');
  search = $state('');
  readonly query = $derived(new URLSearchParams(this.search));
  readonly parts = $derived(this.path.split('/').filter(Boolean).map(decodeURIComponent));

  constructor(signal: AbortSignal) {
    this.#read();
    addEventListener('popstate', () => this.#read(), { signal });
  }

  /** The address of a page of the office, such as `flows` or `flows/ID`. */
  href(path: string, query: Readonly<Record<string, string | undefined>> = {}): string {
    const asked = new URLSearchParams(Object.entries(query).filter((each): each is [string, string] => Boolean(each[1]))).toString();
    return HOME + path.split('/').map(encodeURIComponent).join('/') + (asked ? `?${asked}` : '');
  }

  go(path: string, query: Readonly<Record<string, string | undefined>> = {}): void {
    this.follow(this.href(path, query));
  }

  follow(href: string): void {
    history.pushState(null, '', href);
    this.#read();
  }

  value(key: string): string {
    return this.query.get(key) ?? '';
  }

  /** Narrow what is shown, without a step to go back over. */
  narrow(key: string, value: string): void {
    const query = new URLSearchParams(this.search);
    if (value) query.set(key, value);
    else query.delete(key);
    const text = query.toString();
    history.replaceState(null, '', location.pathname + (text ? `?${text}` : ''));
    this.#read();
  }

  #read(): void {
    this.path = location.pathname.startsWith(HOME) ? location.pathname.slice(HOME.length) : '';
    this.search = location.search;
  }
}
