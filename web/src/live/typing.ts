// Sends terminal input in order, one chunk at a time. Input that arrives while a chunk is in flight joins the next chunk, so a slow
// connection sends fewer and larger chunks.

/** Characters per chunk: at four bytes each, the most that an event may carry. */
const PIECE = 4_096;

/** Sends text through `send`, which resolves when the service has received it. */
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
