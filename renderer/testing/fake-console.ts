// A console that shows a text screen which echoes what is typed. Development builds only.

import type { ConsoleApi, ConsoleEvents, ConsoleStatus } from '../../core/protocol/console-api.ts';
import type { FrameMessage, TextScreenMessage } from '../../core/protocol/vm-messages.ts';

const COLUMNS = 80;
const ROWS = 25;
const WIDTH = 720;
const HEIGHT = 400;

export class FakeConsole implements ConsoleApi {
  private lines = ['Welcome to FreeDOS', '', 'C:\\>dir', ' Volume in drive C is FREEDOS', ' Directory of C:\\', '', 'FDOS         <DIR>  11-27-26  3:02p', 'AUTOEXEC BAT  1,344  11-27-26  3:02p', 'FDCONFIG SYS    722  11-27-26  3:02p', '        2 file(s)      2,066 bytes', '', 'C:\\>'];
  private dirty = true;
  private waiting: (() => void) | undefined;
  private readonly events: ConsoleEvents;
  private readonly timer: ReturnType<typeof setInterval>;
  private reads = 0;

  constructor(events: ConsoleEvents) {
    this.events = events;
    this.timer = setInterval(() => {
      this.reads += Math.random() > 0.4 ? 3 : 0;
      events.statusChanged(this.now());
    }, 500);
  }

  dispose(): void {
    clearInterval(this.timer);
  }

  private now(): ConsoleStatus {
    return { state: 'running', engine: 'software', mips: 180 + Math.random() * 60, diskReads: this.reads, diskWrites: Math.floor(this.reads / 9), netPackets: this.reads, jit: { blocks: 64_200, compiles: 410, compileMs: 2740, cacheBytes: 1.9e6, compiledShare: 0.93 }, absolutePointer: false, keyboardLeds: { numLock: true, capsLock: false, scrollLock: false } };
  }

  private put(text: string): void {
    for (const character of text) {
      const last = this.lines.length - 1;
      if (character === '\n') this.lines.push('C:\\>');
      else this.lines[last] = `${this.lines[last] ?? ''}${character}`;
    }
    this.lines = this.lines.slice(-ROWS);
    this.dirty = true;
    this.waiting?.();
  }

  async nextFrame(full: boolean): Promise<FrameMessage> {
    while (!this.dirty && !full) await new Promise<void>((resolve) => (this.waiting = resolve));
    this.dirty = false;
    const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
    const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
    context.fillStyle = '#000';
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.fillStyle = '#aaa';
    context.font = '14.5px "JetBrains Mono Variable", monospace';
    this.lines.forEach((line, row) => [...line].forEach((character, column) => context.fillText(character, column * 9, row * 16 + 12)));
    const { data } = context.getImageData(0, 0, WIDTH, HEIGHT);
    return { width: WIDTH, height: HEIGHT, damage: [{ x: 0, y: 0, width: WIDTH, height: HEIGHT }], pixels: new Uint8Array(data.buffer) };
  }
  async textScreen(): Promise<TextScreenMessage> {
    return { columns: COLUMNS, rows: ROWS, lines: Array.from({ length: ROWS }, (_, row) => (this.lines[row] ?? '').padEnd(COLUMNS)), attributes: new Uint8Array(COLUMNS * ROWS).fill(7), cursor: { column: 4, row: this.lines.length - 1, visible: true } };
  }
  async screenshot(): Promise<Uint8Array> {
    return new Uint8Array([137, 80, 78, 71]);
  }
  async key(code: string, down: boolean): Promise<void> {
    if (!down) return;
    if (code === 'Enter') this.put('\n');
    else if (/^Key[A-Z]$/.test(code)) this.put(code.slice(3).toLowerCase());
    else if (code === 'Space') this.put(' ');
  }
  async releaseKeys(): Promise<void> {
    // Nothing is held here.
  }
  async keyCombination(combination: string): Promise<void> {
    this.put(`[${combination}]`);
  }
  async typeText(text: string): Promise<void> {
    this.put(text);
  }
  async mouse(): Promise<void> {
    // No mouse.
  }
  async pointer(): Promise<void> {
    // No mouse.
  }
  async serialInput(bytes: Uint8Array): Promise<void> {
    this.events.serialOutput(new TextEncoder().encode(new TextDecoder().decode(bytes).replaceAll('\r', '\r\nlogin: ')));
  }
  async serialHistory(): Promise<Uint8Array> {
    return new TextEncoder().encode('Debian GNU/Linux 12 build ttyS0\r\n\r\n\x1b[1;32mbuild login\x1b[0m: ');
  }
  async status(): Promise<ConsoleStatus> {
    return this.now();
  }
}
