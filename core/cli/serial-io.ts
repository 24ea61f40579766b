// The first serial port on this terminal, in a file, or nowhere. With a terminal, Ctrl-A x ends the run as in QEMU.

import { closeSync, openSync, writeSync } from 'node:fs';
import { type Disposable, DisposableStore, toDisposable } from '../base/disposable.ts';
import { NestboxError, messageOf } from '../base/errors.ts';
import type { SerialTarget } from './run-options.ts';
import type { VmSession } from './vm-session.ts';

const CTRL_A = 1;

export function connectSerial(session: VmSession, target: SerialTarget, quit: () => void): Disposable {
  const store = new DisposableStore();
  if (target.kind === 'file') {
    let fd: number;
    try {
      fd = openSync(target.path, 'w', 0o600);
    } catch (cause) {
      throw new NestboxError('bad-input', `--serial file:${target.path} cannot be written: ${messageOf(cause)}`, { op: 'open serial file', cause });
    }
    store.add(toDisposable(() => closeSync(fd)));
    store.add(session.onSerial((bytes) => writeSync(fd, bytes)));
  } else if (target.kind === 'stdio') {
    store.add(session.onSerial((bytes) => process.stdout.write(bytes)));
    store.add(readTerminal(session, quit));
  }
  return store;
}

function readTerminal(session: VmSession, quit: () => void): Disposable {
  const { stdin } = process;
  const raw = stdin.isTTY;
  if (raw) stdin.setRawMode(true);
  let escape = false;
  const take = (chunk: Buffer): void => {
    if (!raw) {
      void session.vm.serialInput(new Uint8Array(chunk)).catch(() => undefined);
      return;
    }
    const out: number[] = [];
    for (const byte of chunk) {
      if (escape) {
        escape = false;
        if (byte === 0x78) quit();
        else out.push(byte);
      } else if (byte === CTRL_A) escape = true;
      else out.push(byte);
    }
    if (out.length > 0) void session.vm.serialInput(Uint8Array.from(out)).catch(() => undefined);
  };
  stdin.on('data', take);
  return toDisposable(() => {
    stdin.off('data', take);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
  });
}
