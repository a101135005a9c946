// What is typed in a terminal, on its way: in order, a piece at a time. What is typed while a piece is under way goes with the next one, so
// a slow line sends fewer and larger pieces.

/** Characters in a piece: at four bytes each as many as an event may carry. */
const PIECE = 4_096;

/** Sends text by `send`, which is done when the service has it. */
export class Typing {
  #waiting: string[] = [];
  #busy = false;

  constructor(private readonly send: (data: string) => Promise<void>) {}

  /** Takes what was typed. */
  add(text: string): void {
    this.#waiting.push(...text);
    if (!this.#busy) {
      void this.#run();
    }
  }

  /** Forgets what has not been sent. */
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
