// The terminal of an environment: a session is made or found, xterm is loaded, and both are joined by the socket.

import { call } from '../api';
import { all, make } from '../dom';
import { clearProblem, showProblem, type Problem } from '../problem';
import type { Screen } from '../terminal';
import { problemOf } from './protocol';
import type { Live } from './socket';
import { Typing } from './typing';

const ENDPOINT = '/api/environments/{id}/sessions';
/** How long an event may take; the socket may be away. */
const PATIENCE = 10_000;

const reasons: Readonly<Record<string, string>> = {
  exited: 'The program has ended.',
  closed: 'The session was closed.',
  stopped: 'The environment has stopped.',
  access_lost: 'You may not use this environment any more.',
};

/** Makes a section's buttons open and close its terminal. */
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
        this.#end(reasons[reason] ?? 'The terminal has ended.');
      }
    });
    socket.on('disconnect', () => this.#lost());
    socket.on('connect', () => void this.#found());
    this.#showButtons();
  }

  /** Opens what a button offers: a new session, or the one that it names. */
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

  /** Closes the session for good. */
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

  /** Asks for the terminal of the session. */
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
      this.#line.textContent = 'Open. Ctrl + Shift + ↑ leaves the terminal by keyboard.';
      this.#showButtons();
      screen.focus();
    }
  }

  async #type(data: string): Promise<void> {
    const id = this.#session?.id;
    if (id !== undefined) {
      const problem = await this.#ask(() => this.socket.timeout(PATIENCE).emitWithAck('session:input', { session_id: id, data }));
      if (problem && this.#session) {
        this.#line.textContent = `Not typed: ${problem.title.toLowerCase()}.`;
      }
    }
  }

  async #resize(cols: number, rows: number): Promise<void> {
    const id = this.#session?.id;
    if (id !== undefined) {
      await this.#ask(() => this.socket.timeout(PATIENCE).emitWithAck('session:resize', { session_id: id, cols, rows }));
    }
  }

  /** A terminal ends with its connection; what runs in tmux is still there afterwards. */
  #lost(): void {
    if (this.#session?.type === 'tmux') {
      this.#typing.clear();
      this.#line.textContent = 'Connection lost. The terminal comes back with it.';
    } else if (this.#session) {
      this.#end('The connection was lost, and the shell with it.');
    }
  }

  async #found(): Promise<void> {
    if (this.#session && this.#screen) {
      this.#screen.reset();
      await this.#join();
    }
  }

  /** Leaves what was on the screen to be read. */
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

  /** Sends an event and answers what went wrong with it. */
  async #ask(send: () => Promise<unknown>): Promise<Problem | undefined> {
    try {
      return problemOf(await send());
    } catch {
      return { status: 0, code: 'network', title: 'No answer over the live connection', detail: 'Try again when the page is live.' };
    }
  }
}
