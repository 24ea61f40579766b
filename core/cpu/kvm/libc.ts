// The C library through the foreign function interface: every argument is an integer (addresses too), so nothing is
// copied or pinned, and no memory outside JavaScript's own is ever wrapped. x86-64 Linux only.

import type * as Koffi from 'koffi';
import { NestboxError } from '../../base/errors.ts';

export interface Libc {
  /** @returns the result, or -errno */
  ioctl(descriptor: number, request: number, argument: number): number;
  open(path: string): number;
  close(descriptor: number): void;
  /** Raw system call. @returns the result, or -errno */
  syscall(number: number, a: number, b: number, c: number, d: number): number;
  /** @returns the address, or -errno */
  mmap(address: number, length: number, protection: number, flags: number, descriptor: number, offset: number): number;
  munmap(address: number, length: number): void;
  copy(target: number, source: number, length: number): void;
  /** Where a buffer lies in this process. Only for memory that never moves: SharedArrayBuffer. */
  addressOf(buffer: SharedArrayBuffer): number;
}

export const ERRNO = { ENOENT: 2, EINTR: 4, ENXIO: 6, EBADF: 9, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EPERM: 1, EFAULT: 14, EBUSY: 16, EEXIST: 17, ENODEV: 19, EINVAL: 22, EOPNOTSUPP: 95 } as const;

const O_RDWR = 2;
const O_CLOEXEC = 0x80000;
export const PROT_READ_WRITE = 3;
export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;

export const SYS = { READ: 0, WRITE: 1, RT_SIGPROCMASK: 14, RT_SIGTIMEDWAIT: 128, GETTID: 186, TIMER_CREATE: 222, TIMER_SETTIME: 223, TIMER_DELETE: 226, TGKILL: 234, EVENTFD2: 290 } as const;

let loaded: Promise<Libc> | undefined;

/** Loaded once a thread, on first use. @throws NestboxError `unsupported` away from x86-64 Linux */
export function loadLibc(): Promise<Libc> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Libc> {
  if (process.platform !== 'linux') throw new NestboxError('unsupported', `KVM exists on Linux only; this system is ${process.platform}`, { op: 'load KVM' });
  if (process.arch !== 'x64') throw new NestboxError('unsupported', `KVM here would run ${process.arch} guests; PC machines need an x86-64 host`, { op: 'load KVM' });
  let koffi: typeof Koffi;
  try {
    koffi = (await import('koffi')).default as unknown as typeof Koffi;
  } catch (cause) {
    throw new NestboxError('unsupported', 'The foreign function interface (koffi) could not be loaded; reinstall Nestbox', { op: 'load KVM', cause });
  }
  const library = koffi.load(null);
  type Call = (...args: (number | string)[]) => number;
  // Integers in all places: the x86-64 calling convention passes pointers the same way.
  const ioctl = library.func('int ioctl(int, unsigned long, int64_t)') as unknown as Call;
  const open = library.func('int open(const char *, int, int)') as unknown as Call;
  const close = library.func('int close(int)') as unknown as Call;
  const syscall = library.func('int64_t syscall(int64_t, int64_t, int64_t, int64_t, int64_t)') as unknown as Call;
  const mmap = library.func('int64_t mmap(int64_t, int64_t, int, int, int, int64_t)') as unknown as Call;
  const munmap = library.func('int munmap(int64_t, int64_t)') as unknown as Call;
  const memcpy = library.func('int64_t memcpy(int64_t, int64_t, int64_t)') as unknown as Call;
  const checked = (result: number): number => (result === -1 ? -koffi.errno() : result);
  return {
    ioctl: (descriptor, request, argument) => {
      const result = ioctl(descriptor, request, argument);
      return result === -1 ? -koffi.errno() : result;
    },
    open: (path) => checked(open(path, O_RDWR | O_CLOEXEC, 0)),
    close: (descriptor) => {
      close(descriptor);
    },
    syscall: (number, a, b, c, d) => checked(syscall(number, a, b, c, d)),
    mmap: (address, length, protection, flags, descriptor, offset) => checked(mmap(address, length, protection, flags, descriptor, offset)),
    munmap: (address, length) => {
      munmap(address, length);
    },
    copy: (target, source, length) => {
      memcpy(target, source, length);
    },
    addressOf: (buffer) => Number(koffi.address(buffer)),
  };
}
