// A terminal on the page: xterm with the page's colours, resized to fit its container. Loaded on demand.

import { FitAddon } from '@xterm/addon-fit';
import { Terminal, type ITheme } from '@xterm/xterm';

import { allowTerminalStyles } from './terminal-styles';

/** Address of terminal.css, defined by the build. */
declare const TERMINAL_CSS: string;

/** Callbacks of a screen. */
export interface ScreenCallbacks {
  readonly typed: (data: string) => void;
  readonly resized: (cols: number, rows: number) => void;
  /** The user leaves the terminal by keyboard; Tab cannot do that, because the program in the terminal receives it. */
  readonly left: () => void;
}

/** An open terminal. */
export interface Screen {
  readonly cols: number;
  readonly rows: number;
  write(data: string): void;
  focus(): void;
  /** Stops accepting input; the output stays. */
  end(): void;
  /** Clears the screen, for a program that redraws everything. */
  reset(): void;
  dispose(): void;
}

/** Opens a terminal in a container. */
export async function openScreen(place: HTMLElement, callbacks: ScreenCallbacks): Promise<Screen> {
  allowTerminalStyles();
  await loadStyle();
  const terminal = new Terminal({
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    fontFamily: getComputedStyle(place).fontFamily,
    fontSize: 14,
    minimumContrastRatio: 4.5,
    screenReaderMode: true,
    scrollback: 5_000,
    theme: themeOf(place),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();
  terminal.onData(callbacks.typed);
  terminal.onResize(({ cols, rows }) => callbacks.resized(cols, rows));
  terminal.attachCustomKeyEventHandler((event) => {
    const leaves = event.ctrlKey && event.shiftKey && event.key === 'ArrowUp';
    if (leaves && event.type === 'keydown') {
      event.preventDefault();
      callbacks.left();
    }
    return !leaves;
  });

  const resizes = new ResizeObserver(() => fit.fit());
  resizes.observe(place);
  const darkness = matchMedia('(prefers-color-scheme: dark)');
  const recolour = (): void => {
    terminal.options.theme = themeOf(place);
  };
  darkness.addEventListener('change', recolour);

  return {
    get cols() {
      return terminal.cols;
    },
    get rows() {
      return terminal.rows;
    },
    write: (data) => terminal.write(data),
    focus: () => terminal.focus(),
    end: () => {
      terminal.options.disableStdin = true;
      terminal.options.cursorBlink = false;
    },
    reset: () => terminal.reset(),
    dispose: () => {
      resizes.disconnect();
      darkness.removeEventListener('change', recolour);
      terminal.dispose();
    },
  };
}

let style: Promise<unknown> | undefined;

/** xterm measures its characters, so its style sheet must be loaded first. A failed load can be repeated. */
function loadStyle(): Promise<unknown> {
  style ??= new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: TERMINAL_CSS });
    link.addEventListener('load', resolve);
    link.addEventListener('error', (failure) => {
      link.remove();
      style = undefined;
      reject(failure);
    });
    document.head.append(link);
  });
  return style;
}

const colours = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;

/** The colours that terminal.css defines for this container. */
function themeOf(place: HTMLElement): ITheme {
  const style = getComputedStyle(place);
  const colour = (name: string): string => style.getPropertyValue(`--terminal-${name}`).trim();
  const theme: ITheme = {
    background: colour('ground'),
    foreground: colour('ink'),
    cursor: colour('cursor'),
    cursorAccent: colour('ground'),
    selectionBackground: colour('selection'),
  };
  for (const name of colours) {
    theme[name] = colour(name);
    theme[`bright${name.charAt(0).toUpperCase()}${name.slice(1)}` as `bright${Capitalize<typeof name>}`] = colour(name);
  }
  return theme;
}
