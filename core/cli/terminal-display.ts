// A guest's text screen and keyboard in this terminal. Graphics modes are told, not drawn. Ctrl-A x switches the VM off.

import { type Disposable, toDisposable } from '../base/disposable.ts';
import type { TextScreenMessage, VmCommands } from '../protocol/vm-messages.ts';

const REFRESH_MS = 50;
const CTRL_A = '\x01';
/** VGA colour number to the order of ANSI's eight colours. */
const ANSI_COLOUR = [0, 4, 2, 6, 1, 5, 3, 7];

/** Escape sequences of terminals to key combinations of the guest. */
const SEQUENCES: Readonly<Record<string, string>> = {
  '\x1b[A': 'up', '\x1b[B': 'down', '\x1b[C': 'right', '\x1b[D': 'left', '\x1bOA': 'up', '\x1bOB': 'down', '\x1bOC': 'right', '\x1bOD': 'left',
  '\x1b[H': 'home', '\x1b[F': 'end', '\x1b[1~': 'home', '\x1b[2~': 'insert', '\x1b[3~': 'delete', '\x1b[4~': 'end', '\x1b[5~': 'pgup', '\x1b[6~': 'pgdn',
  '\x1bOP': 'f1', '\x1bOQ': 'f2', '\x1bOR': 'f3', '\x1bOS': 'f4', '\x1b[15~': 'f5', '\x1b[17~': 'f6', '\x1b[18~': 'f7', '\x1b[19~': 'f8', '\x1b[20~': 'f9',
  '\x1b[21~': 'f10', '\x1b[23~': 'f11', '\x1b[24~': 'f12', '\x1b': 'esc', '\x7f': 'backspace', '\r': 'ret', '\t': 'tab', '\x03': 'ctrl-c', '\x04': 'ctrl-d', '\x1a': 'ctrl-z',
};

function sgr(attribute: number): string {
  const foreground = attribute & 15;
  const colour = ANSI_COLOUR[foreground & 7] ?? 7;
  return `\x1b[0;${foreground > 7 ? 90 + colour : 30 + colour};${40 + (ANSI_COLOUR[(attribute >> 4) & 7] ?? 0)}m`;
}

/** One row as text with colour changes. */
function paintRow(screen: TextScreenMessage, row: number): string {
  const line = [...(screen.lines[row] ?? '')];
  let out = '';
  let last = -1;
  for (let column = 0; column < screen.columns; column++) {
    const attribute = screen.attributes[row * screen.columns + column] ?? 7;
    if (attribute !== last) out += sgr(attribute);
    last = attribute;
    const character = line[column] ?? ' ';
    out += character < ' ' ? ' ' : character;
  }
  return `${out}\x1b[0m`;
}

export class TerminalDisplay implements Disposable {
  private readonly vm: VmCommands;
  private readonly quit: () => void;
  private rows: string[] = [];
  private busy = false;
  private readonly timer: NodeJS.Timeout;
  private readonly input: Disposable;
  private escape = false;
  private typing: Promise<void> = Promise.resolve();

  constructor(vm: VmCommands, quit: () => void) {
    this.vm = vm;
    this.quit = quit;
    process.stdout.write('\x1b[?1049h\x1b[2J');
    this.timer = setInterval(() => void this.draw(), REFRESH_MS);
    this.input = this.readKeys();
  }

  private async draw(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const screen = await this.vm.textScreen();
      this.show(screen);
    } catch {
      // The VM is ending; the run's outcome tells why.
    } finally {
      this.busy = false;
    }
  }

  private show(screen: TextScreenMessage | undefined): void {
    if (screen === undefined) {
      if (this.rows.length > 0) process.stdout.write('\x1b[2J\x1b[HThe guest shows graphics; use the window or --screenshot to see it. Ctrl-A x switches it off.');
      this.rows = [];
      return;
    }
    let out = '';
    for (let row = 0; row < screen.rows; row++) {
      const painted = paintRow(screen, row);
      if (this.rows[row] !== painted) out += `\x1b[${row + 1};1H${painted}`;
      this.rows[row] = painted;
    }
    const { cursor } = screen;
    out += cursor.visible ? `\x1b[${cursor.row + 1};${cursor.column + 1}H\x1b[?25h` : '\x1b[?25l';
    process.stdout.write(out);
  }

  private readKeys(): Disposable {
    const { stdin } = process;
    if (!stdin.isTTY) return toDisposable(() => undefined);
    stdin.setRawMode(true);
    stdin.setEncoding('utf8');
    const take = (text: string): void => this.takeKeys(text);
    stdin.on('data', take);
    return toDisposable(() => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
    });
  }

  private takeKeys(text: string): void {
    if (this.escape) {
      this.escape = false;
      if (text === 'x') {
        this.quit();
        return;
      }
    } else if (text === CTRL_A) {
      this.escape = true;
      return;
    }
    const combination = SEQUENCES[text];
    const send = (): Promise<void> => (combination === undefined ? this.vm.typeText(text) : this.vm.keyCombination(combination));
    // Keys keep their order even when the guest takes them slowly.
    this.typing = this.typing.then(send).catch(() => undefined);
  }

  dispose(): void {
    clearInterval(this.timer);
    this.input.dispose();
    process.stdout.write('\x1b[0m\x1b[?25h\x1b[?1049l');
  }
}
