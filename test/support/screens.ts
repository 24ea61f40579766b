// Guests whose screen a test may look at while they run: on Nestbox and, as the oracle, on QEMU TCG. Tests wait for what
// they want to see instead of sleeping.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { VmSession } from '../../core/cli/vm-session.ts';
import type { VmConfigInput } from '../../core/protocol/vm-config.ts';
import { type Picture, decodePng, readPpm } from './images.ts';
import { hasCommand } from './guests.ts';
import { temporaryFolder } from './nestbox.ts';

export const NO_QEMU = 'skipped: qemu-system-x86_64 is not installed';
const POLL_MS = 250;

export function hasQemu(): boolean {
  return hasCommand('qemu-system-x86_64');
}

/** A running guest. Disposed (and its process ended) by `await using`. */
export interface ScreenGuest extends AsyncDisposable {
  screen(): Promise<Picture>;
  /** A key by the name that both `nestbox run --script` and QEMU's `sendkey` know. */
  key(name: string): Promise<void>;
}

/** Polls until `probe` gives something. @throws Error naming `what` after `seconds` */
export async function until<T>(what: string, seconds: number, probe: () => Promise<T | undefined>): Promise<T> {
  const limit = Date.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > limit) throw new Error(`not seen in ${seconds} s: ${what}`);
    await new Promise((resolve) => void setTimeout(resolve, POLL_MS));
  }
}

/** Waits for a screen that `accept` takes. */
export function screenOf(guest: ScreenGuest, what: string, seconds: number, accept: (picture: Picture) => boolean): Promise<Picture> {
  return until(what, seconds, async () => {
    const picture = await guest.screen();
    return accept(picture) ? picture : undefined;
  });
}

export async function startNestbox(config: Omit<VmConfigInput, 'name'>): Promise<ScreenGuest> {
  const session = await VmSession.launch(new NodeVmHost(), 'nestbox-vm test', () => undefined);
  try {
    await session.start({ name: 'test', ...config });
  } catch (error) {
    await session.end();
    throw error;
  }
  return {
    screen: async () => decodePng(await session.guard(session.vm.screenshot())),
    key: (name) => session.guard(session.vm.keyCombination(name)),
    [Symbol.asyncDispose]: () => session.end(),
  };
}

const PROMPT = '(qemu) ';

/** Boots QEMU TCG with `args`, its monitor on a pipe. */
export async function startQemu(args: readonly string[]): Promise<ScreenGuest> {
  const picturePath = join(temporaryFolder(), 'screen.ppm');
  const child = spawn('qemu-system-x86_64', ['-accel', 'tcg', '-display', 'none', '-monitor', 'stdio', '-snapshot', '-net', 'none', ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let output = '';
  let heard: () => void = () => undefined;
  let ended = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    heard();
  });
  const end = new Promise<void>((resolve) => {
    child.once('close', () => {
      ended = true;
      heard();
      resolve();
    });
  });
  /** The monitor shows its prompt again when a command is done. */
  const prompt = async (): Promise<void> => {
    while (!output.includes(PROMPT)) {
      if (ended) throw new Error(`QEMU ended: ${output}`);
      await new Promise<void>((resolve) => (heard = resolve));
    }
    output = output.slice(output.indexOf(PROMPT) + PROMPT.length);
  };
  const command = async (line: string): Promise<void> => {
    child.stdin.write(`${line}\n`);
    await prompt();
  };
  await prompt();
  return {
    screen: async () => {
      await command(`screendump ${picturePath}`);
      return readPpm(picturePath);
    },
    key: (name) => command(`sendkey ${name}`),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await end;
    },
  };
}
