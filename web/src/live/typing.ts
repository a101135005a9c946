// Sends terminal input in order and without gaps, one chunk at a time. Input that arrives while a chunk is in flight is added to the next
// chunk, so a slow connection sends fewer and larger chunks.

/** Maximum number of characters in a chunk. UTF-8 needs at most four bytes for each, and an event may contain 16 KiB. */
const PIECE = 4_096;

/** Pause in milliseconds before a chunk is sent again. */
const PAUSE = 1_000;

/** The outcome of sending a chunk: the terminal has it, it must be sent again, or it is lost and the input after it is discarded. */
export type Outcome = 'sent' | 'repeat' | 'stop';

/** Sends text through `send`, which resolves when the service has acknowledged or refused it, or after a timeout. */
export class Typing {
  #waiting: string[] = [];
  #busy = false;

  constructor(private readonly send: (data: string) => Promise<Outcome>) {}

  /** Queues input. */
  add(text: string): void {
    // Not `push(...text)`: with a long text, the call would have too many arguments.
    for (const character of text) {
      this.#waiting.push(character);
    }
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
      const waiting = this.#waiting;
      const chunk = waiting.slice(0, PIECE);
      const outcome = await this.send(chunk.join(''));
      if (waiting !== this.#waiting) {
        // This input was discarded meanwhile, and the queue may hold other input.
        continue;
      }
      if (outcome === 'sent') {
        // More input may have been added meanwhile.
        waiting.splice(0, chunk.length);
      } else if (outcome === 'repeat') {
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      } else {
        this.clear();
      }
    }
    this.#busy = false;
  }
}
