// Sends terminal input in order, one chunk at a time. Input that arrives while a chunk is in flight is added to the next chunk, so a slow
// connection sends fewer and larger chunks.

/** Maximum number of characters in a chunk. UTF-8 needs at most four bytes for each, and an event may contain 16 KiB. */
const PIECE = 4_096;

/** Sends text through `send`, which resolves when the service has acknowledged or refused it, or after a timeout. */
export class Typing {
  #waiting: string[] = [];
  #busy = false;

  constructor(private readonly send: (data: string) => Promise<void>) {}

  /** Queues input. */
  add(text: string): void {
    this.#waiting.push(...text);
    if (!this.#busy) {
      void this.#run();
    }
  }

  /** Discards unsent input. */
  clear(): void {
    this.#waiting = [];
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      await this.send(this.#waiting.splice(0, PIECE).join(''));
    }
    this.#busy = false;
  }
}
