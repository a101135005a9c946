// The terminal of an environment: creates a session or reopens one, loads xterm, and connects xterm to the session over the
// socket.

import { call } from '../api';
import { all, make } from '../dom';
import { clearProblem, showProblem, type Problem } from '../problem';
import type { Screen } from '../terminal';
import { problemOf } from './protocol';
import type { Live } from './socket';
import { Typing, type Outcome } from './typing';

const ENDPOINT = '/api/environments/{id}/sessions';
/** Time limit for the acknowledgement of an event, in milliseconds. A disconnected socket gets no acknowledgement. */
const PATIENCE = 10_000;

/** The status of temporary refusals: the program does not read its input, or the page sends too many events. */
const TOO_MANY = 429;
const OPEN = 'Open. Press Ctrl + Shift + ↑ to leave the terminal.';

const reasons: Readonly<Record<string, string>> = {
  exited: 'The program has ended.',
  closed: 'The session was closed.',
  stopped: 'The environment has stopped.',
  access_lost: 'You no longer have access to this environment.',
};

/** Wires the buttons that open and close a section's terminal. */
export function startTerminal(socket: Live, section: HTMLElement): void {
  const terminal = new Terminal(socket, section);
  for (const button of all('[data-open-terminal]', section)) {
    button.addEventListener('click', () => void terminal.open(button));
  }
  section.querySelector('[data-close-terminal]')?.addEventListener('click', () => void terminal.close());
}

class Terminal {
  readonly #line: HTMLElement;
  readonly #place: HTMLElement;
  #session: { readonly id: string; readonly type: string } | undefined;
  #screen: Screen | undefined;
  readonly #typing = new Typing((data) => this.#type(data));

  constructor(
    private readonly socket: Live,
    private readonly section: HTMLElement,
  ) {
    this.#line = section.querySelector<HTMLElement>('[data-terminal-line]') ?? make('p', { class: 'muted small', role: 'status' });
    this.#place = section.querySelector<HTMLElement>('[data-terminal-screen]') ?? make('div');
    this.#place.classList.add('screen');
    this.#place.hidden = true;
    section.append(this.#line, this.#place);
    socket.on('session:output', ({ session_id, data }) => {
      if (session_id === this.#session?.id) {
        this.#screen?.write(data);
      }
    });
    socket.on('session:closed', ({ session_id, reason }) => {
      if (session_id === this.#session?.id) {
        this.#end(reasons[reason] ?? 'The terminal was closed.');
      }
    });
    socket.on('disconnect', () => this.#lost());
    socket.on('connect', () => void this.#found());
    this.#showButtons();
  }

  /** Opens a new session, or the one that the button names. */
  async open(button: HTMLElement): Promise<void> {
    const { openTerminal: type = 'shell', session } = button.dataset;
    clearProblem(this.section);
    button.setAttribute('aria-busy', 'true');
    try {
      const id = session ?? (await this.#make(type));
      if (id !== undefined) {
        this.#session = { id, type };
        await this.#show();
      }
    } finally {
      button.removeAttribute('aria-busy');
    }
  }

  /** Closes the session, not just the terminal. */
  async close(): Promise<void> {
    const id = this.#session?.id;
    if (id !== undefined) {
      this.#end('The session was closed.');
      await this.#ask(() => this.socket.timeout(PATIENCE).emitWithAck('session:close', { session_id: id }));
    }
  }

  async #make(type: string): Promise<string | undefined> {
    const path = ENDPOINT.replace('{id}', this.section.dataset['environment'] ?? '');
    const headers = { 'idempotency-key': crypto.randomUUID() };
    const answer = await call<{ readonly id: string }>({ method: 'POST', endpoint: ENDPOINT, path, body: { type }, headers });
    if (answer.problem) {
      showProblem(this.section, answer.problem);
      return undefined;
    }
    return answer.data.id;
  }

  async #show(): Promise<void> {
    this.#place.hidden = false;
    const { openScreen } = await import('../terminal');
    this.#screen?.dispose();
    this.#screen = await openScreen(this.#place, {
      typed: (data) => this.#typing.add(data),
      resized: (cols, rows) => void this.#resize(cols, rows),
      left: () => this.section.querySelector<HTMLElement>('[data-close-terminal]')?.focus(),
    });
    await this.#join();
  }

  /** Attaches the screen to the session's terminal. */
  async #join(): Promise<void> {
    const session = this.#session;
    const screen = this.#screen;
    if (!session || !screen) {
      return;
    }
    const problem = await this.#ask(() =>
      this.socket.timeout(PATIENCE).emitWithAck('session:open', { session_id: session.id, cols: screen.cols, rows: screen.rows }),
    );
    if (problem) {
      this.#end('The terminal could not be opened.');
      showProblem(this.section, problem);
    } else {
      this.#line.textContent = OPEN;
      this.#showButtons();
      screen.focus();
    }
  }

  async #type(data: string): Promise<Outcome> {
    const id = this.#session?.id;
    if (id === undefined) {
      return 'stop';
    }
    const problem = await this.#ask(() => this.socket.timeout(PATIENCE).emitWithAck('session:input', { session_id: id, data }));
    const outcome = !problem ? 'sent' : problem.status === TOO_MANY ? 'repeat' : 'stop';
    if (id === this.#session?.id) {
      this.#showInput(outcome, problem);
    }
    return outcome;
  }

  /** Says whether the terminal receives the input. */
  #showInput(outcome: Outcome, problem: Problem | undefined): void {
    const why = problem?.title.toLowerCase();
    const text = {
      sent: OPEN,
      repeat: `Input is delayed: ${why}. Trying again …`,
      stop: `Input is lost: ${why}. Check the terminal before you continue.`,
    }[outcome];
    if (this.#line.textContent !== text) {
      this.#line.textContent = text;
    }
  }

  async #resize(cols: number, rows: number): Promise<void> {
    const id = this.#session?.id;
    if (id !== undefined) {
      await this.#ask(() => this.socket.timeout(PATIENCE).emitWithAck('session:resize', { session_id: id, cols, rows }));
    }
  }

  /** A terminal ends with its connection. A tmux session keeps running, so it can be opened again; a shell ends. */
  #lost(): void {
    if (this.#session?.type === 'tmux') {
      this.#typing.clear();
      this.#line.textContent = 'Connection lost. The terminal reopens when the connection is restored.';
    } else if (this.#session) {
      this.#end('The connection was lost, and the shell has ended.');
    }
  }

  async #found(): Promise<void> {
    if (this.#session && this.#screen) {
      this.#screen.reset();
      await this.#join();
    }
  }

  /** Detaches from the session; the output stays on the screen. */
  #end(text: string): void {
    this.#session = undefined;
    this.#typing.clear();
    this.#screen?.end();
    this.#line.textContent = text;
    this.#showButtons();
  }

  #showButtons(): void {
    const open = this.#session !== undefined;
    for (const button of all('[data-open-terminal]', this.section)) {
      button.hidden = open;
    }
    this.section.querySelector('[data-close-terminal]')?.toggleAttribute('hidden', !open);
  }

  /** Sends an event and returns its problem, if any. */
  async #ask(send: () => Promise<unknown>): Promise<Problem | undefined> {
    try {
      return problemOf(await send());
    } catch {
      return { status: 0, code: 'network', title: 'No response over the live connection', detail: 'Try again when the page is live.' };
    }
  }
}
