// The peers of the benchmark: QEMU's software CPU (TCG) and v86, run on the same bare-metal kernel. Both report when each
// BEGIN and END line came out of the guest's serial port.

import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Milliseconds a kernel took, by kernel name, and the checksum it printed. */
export interface KernelTimes {
  readonly ms: Map<string, number>;
  readonly checksum: Map<string, string>;
}

/** Turns serial lines into times. */
export class LineTimer {
  readonly times: KernelTimes = { ms: new Map(), checksum: new Map() };
  private started = 0;
  private partial = '';
  done = false;
  private readonly now: () => number;
  /** Called with the kernel's name at each BEGIN and END. */
  onMark: ((kind: 'BEGIN' | 'END', name: string) => void) | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  take(text: string): void {
    const lines = (this.partial + text).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) {
      const [word, name = '', sum = ''] = line.trim().split(' ');
      if (word === 'BEGIN') {
        this.started = this.now();
        this.onMark?.('BEGIN', name);
      } else if (word === 'END') {
        this.times.ms.set(name, this.now() - this.started);
        this.times.checksum.set(name, sum);
        this.onMark?.('END', name);
      } else if (word === 'DONE') this.done = true;
    }
  }
}

export function hasQemu(): boolean {
  return spawnSync('qemu-system-x86_64', ['--version']).status === 0;
}

export function runQemu(kernel: string, timeoutMs: number): Promise<KernelTimes> {
  return new Promise((resolve, reject) => {
    const timer = new LineTimer();
    const child = spawn('qemu-system-x86_64', ['-accel', 'tcg', '-m', '256', '-kernel', kernel, '-display', 'none', '-serial', 'stdio', '-net', 'none', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdout.setEncoding('latin1').on('data', (text: string) => timer.take(text));
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(limit);
      if (timer.done) resolve(timer.times);
      else reject(new Error('QEMU did not finish the benchmark'));
    });
  });
}

/** v86 runs in a process of its own, so that its WebAssembly does not share this process's heap and compiler. */
export function runV86(kernel: string, timeoutMs: number): Promise<KernelTimes> {
  return new Promise((resolve, reject) => {
    const timer = new LineTimer();
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'v86-child', kernel], { stdio: ['ignore', 'pipe', 'ignore'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdout.setEncoding('latin1').on('data', (text: string) => timer.take(text));
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(limit);
      if (timer.done) resolve(timer.times);
      else reject(new Error('v86 did not finish the benchmark'));
    });
  });
}

interface V86Machine {
  add_listener(event: string, listener: (value: number) => void): void;
}

async function v86Child(kernel: string): Promise<void> {
  const require = createRequire(import.meta.url);
  const wasm = require.resolve('v86/build/v86.wasm');
  const { V86 } = (await import('v86')) as unknown as { V86: new (options: object) => V86Machine };
  const machine = new V86({
    wasm_path: wasm,
    memory_size: 256 << 20,
    vga_memory_size: 2 << 20,
    multiboot: { buffer: new Uint8Array(readFileSync(kernel)).buffer },
    autostart: true,
    disable_keyboard: true,
    disable_mouse: true,
  });
  let tail = '';
  machine.add_listener('serial0-output-byte', (byte) => {
    const character = String.fromCharCode(byte);
    process.stdout.write(character);
    tail = (tail + character).slice(-5);
    if (tail === 'DONE\n') setTimeout(() => process.exit(0), 50);
  });
}

if (process.argv[2] === 'v86-child' && process.argv[3] !== undefined) await v86Child(process.argv[3]);
