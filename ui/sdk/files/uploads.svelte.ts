/** Uploads under way: each file in parts, one part after the other, two files at a time. */
import type { Api } from '../../kit/api.ts';

export const PART_BYTES = 1024 * 1024;
const AT_ONCE = 2;
/** As many parts as the API takes. */
const MOST_PARTS = 10_000;

export class Upload {
  readonly id = crypto.randomUUID();
  readonly file: File;
  sent = $state(0);
  wrong = $state('');
  readonly end = new AbortController();

  constructor(file: File) {
    this.file = file;
  }
}

export class Uploads {
  all = $state.raw<readonly Upload[]>([]);
  readonly #api: () => Api;
  readonly #say: { done(upload: Upload): void; wrong(error: unknown): string };
  #running = 0;

  constructor(api: () => Api, say: { done(upload: Upload): void; wrong(error: unknown): string }) {
    this.#api = api;
    this.#say = say;
  }

  add(files: Iterable<File>): void {
    this.all = [...this.all, ...[...files].map((file) => new Upload(file))];
    this.#next();
  }

  cancel(upload: Upload): void {
    upload.end.abort();
    this.all = this.all.filter((each) => each !== upload);
  }

  /** Begin again; under another id, since the API may have parts of it already. */
  again(upload: Upload): void {
    this.cancel(upload);
    this.add([upload.file]);
  }

  close(): void {
    for (const upload of this.all) upload.end.abort();
  }

  readonly #begun = new Set<Upload>();

  #next(): void {
    for (const upload of this.all) {
      if (this.#running >= AT_ONCE) return;
      if (this.#begun.has(upload)) continue;
      this.#begun.add(upload);
      this.#running += 1;
      void this.#send(upload).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #send(upload: Upload): Promise<void> {
    const { file } = upload;
    const size = Math.max(PART_BYTES, Math.ceil(file.size / MOST_PARTS));
    const total = Math.max(1, Math.ceil(file.size / size));
    try {
      for (let number = 1; number <= total; number += 1) {
        const content = file.slice((number - 1) * size, number * size, file.type);
        await this.#api().uploadChunk(content, { fileId: upload.id, name: file.name, size, number, total, signal: upload.end.signal });
        upload.sent = Math.min(file.size, number * size);
      }
      this.all = this.all.filter((each) => each !== upload);
      this.#say.done(upload);
    } catch (error) {
      if (!upload.end.signal.aborted) upload.wrong = this.#say.wrong(error);
    }
  }
}
