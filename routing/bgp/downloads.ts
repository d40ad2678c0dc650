/** What goes out of the speaker's thread as bytes, piece by piece, at the pace of who fetches it. */
import type { DownloadQuery } from './bgp.ts';
import type { FromThread } from './protocol.ts';

export interface Source {
  /** Empty: nothing for now; undefined: that was all. */
  fetch(): Uint8Array | undefined;
  /** Nobody fetches from it any more. */
  close(): void;
}

/** When nothing is there, how long until it is looked for again, milliseconds. */
const PAUSE = 100;

export class Downloads {
  readonly #open: (query: DownloadQuery) => Source;
  readonly #say: (message: FromThread) => void;
  readonly #sources = new Map<number, Source>();

  constructor(open: (query: DownloadQuery) => Source, say: (message: FromThread) => void) {
    this.#open = open;
    this.#say = say;
  }

  /** Answers with a piece, or with the refusal of what cannot be had. @param query which the first of them begins */
  pull(id: number, query?: DownloadQuery): void {
    try {
      if (query !== undefined) this.#sources.set(id, this.#open(query));
      const bytes = this.#sources.get(id)?.fetch();
      if (bytes === undefined) this.end(id);
      const answer = (): void => this.#say({ kind: 'chunk', id, bytes });
      if (bytes?.length === 0) setTimeout(answer, PAUSE);
      else answer();
    } catch (error) {
      this.end(id);
      this.#say({ kind: 'refusal', id, message: (error as Error).message });
    }
  }

  end(id: number): void {
    this.#sources.get(id)?.close();
    this.#sources.delete(id);
  }
}
