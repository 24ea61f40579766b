// Advisory locks on image files, compatible with QEMU's (open-file-description byte-range locks, documented in QEMU's
// image locking notes): byte 100+n shows that permission n is in use, byte 200+n that the holder does not share it. All
// locks are shared ones; who wants to open takes its own first and then asks whether somebody's stand against it, so
// two that race may both be refused but never both succeed. Node has no lock call, hence the foreign function interface.
// Linux only; elsewhere `lockDescriptor` answers 'unsupported'.

import type { LockMode } from './host-file.ts';

export type LockResult = 'locked' | 'busy' | 'unsupported';

export interface NativeFileCalls {
  /** @param held what the descriptor has locked already: kept when the new lock is refused, left when it is given */
  lockDescriptor(descriptor: number, mode: LockMode, held?: LockMode): LockResult;
  /** False when the host or file system cannot. */
  punchHole(descriptor: number, offset: number, length: number): Promise<boolean>;
}

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

const USED_BASE = 100;
const UNSHARED_BASE = 200;
const PERMISSION_CONSISTENT_READ = 0;
const PERMISSION_WRITE = 1;
const PERMISSION_RESIZE = 3;

const USED: Readonly<Record<LockMode, readonly number[]>> = {
  shared: [PERMISSION_CONSISTENT_READ],
  exclusive: [PERMISSION_CONSISTENT_READ, PERMISSION_WRITE, PERMISSION_RESIZE],
};
/** Neither a reader nor a writer can stand somebody else's writes. */
const UNSHARED: readonly number[] = [PERMISSION_WRITE, PERMISSION_RESIZE];

function bytesOf(mode: LockMode): number[] {
  return [...USED[mode].map((bit) => USED_BASE + bit), ...UNSHARED.map((bit) => UNSHARED_BASE + bit)];
}

/** struct flock of 64-bit Linux: type u16, whence u16, start i64 at 8, length i64 at 16, pid i32 at 24. */
function flockRecord(type: number, start: number): Uint8Array {
  const record = new Uint8Array(32);
  const view = new DataView(record.buffer);
  view.setInt16(0, type, true);
  view.setBigInt64(8, BigInt(start), true);
  view.setBigInt64(16, 1n, true);
  return record;
}

const noNativeCalls: NativeFileCalls = {
  lockDescriptor: () => 'unsupported',
  punchHole: () => Promise.resolve(false),
};

let loaded: Promise<NativeFileCalls> | undefined;

/** The host's calls, or ones that answer 'unsupported' where there are none. Loaded once, on first use. */
export function nativeFileCalls(): Promise<NativeFileCalls> {
  loaded ??= loadNativeCalls().catch(() => noNativeCalls);
  return loaded;
}

async function loadNativeCalls(): Promise<NativeFileCalls> {
  if (process.platform !== 'linux' || !['x64', 'arm64', 'riscv64', 'loong64'].includes(process.arch))
    return noNativeCalls;
  const { default: koffi } = await import('koffi');
  const libc = koffi.load('libc.so.6');
  const fcntl = libc.func('int fcntl(int fd, int cmd, ...)');
  const fallocate = libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');

  const setLock = (descriptor: number, type: number, start: number): boolean =>
    (fcntl(descriptor, F_OFD_SETLK, 'void *', flockRecord(type, start)) as number) === 0;

  /** Whether somebody else holds a lock on that byte; undefined when the question failed. */
  const heldByOther = (descriptor: number, start: number): boolean | undefined => {
    const record = flockRecord(F_WRLCK, start);
    if ((fcntl(descriptor, F_OFD_GETLK, 'void *', record) as number) !== 0) return undefined;
    return new DataView(record.buffer).getInt16(0, true) !== F_UNLCK;
  };

  return {
    lockDescriptor(descriptor, mode, held) {
      const used = USED[mode];
      const mine = bytesOf(mode);
      // What the descriptor had before stays its own when more is refused.
      const kept = held === undefined ? [] : bytesOf(held);
      const release = (result: LockResult): LockResult => {
        for (const start of mine) if (!kept.includes(start)) setLock(descriptor, F_UNLCK, start);
        return result;
      };
      for (const start of mine) {
        // A shared lock is refused only where somebody holds an exclusive one, or where the file system has no locks.
        if (!setLock(descriptor, F_RDLCK, start))
          return release(heldByOther(descriptor, start) === true ? 'busy' : 'unsupported');
      }
      const against = [...used.map((bit) => UNSHARED_BASE + bit), ...UNSHARED.map((bit) => USED_BASE + bit)];
      for (const start of against) {
        const held = heldByOther(descriptor, start);
        if (held !== false) return release(held === true ? 'busy' : 'unsupported');
      }
      // A writer that becomes a reader lets others read from here on.
      for (const start of kept) if (!mine.includes(start)) setLock(descriptor, F_UNLCK, start);
      return 'locked';
    },
    punchHole(descriptor, offset, length) {
      return new Promise((resolve) => {
        fallocate.async(
          descriptor,
          FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
          offset,
          length,
          (error: unknown, result: unknown) => resolve(!error && result === 0),
        );
      });
    },
  };
}
