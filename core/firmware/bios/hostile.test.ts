import { expect, it } from 'vitest';
import { MachineRandom } from '../../machine/random.ts';
import { BiosBench, drive, MemoryMedium } from './testing.ts';

const SERVICES = [0x05, 0x09, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x1a, 0x70, 0x74, 0x00, 0xff];
const CALLS = 600;
/** One call may take long when it moves a lot, but never without end. */
const CALL_LIMIT_MS = 5000;

it('any service with any registers and broken data areas ends with an action and throws nothing', () => {
  const random = new MachineRandom(20261122);
  const drives = [
    drive('floppy', new MemoryMedium(1474560)),
    drive('disk', new MemoryMedium(1 << 20)),
    drive('cdrom', new MemoryMedium(1 << 20)),
  ];
  const bench = new BiosBench({ drives, quiet: true });
  bench.post();
  const pick = (count: number): number => random.next32() % count;
  for (let i = 0; i < CALLS; i++) {
    if (i % 10 === 0) bench.write8(0x400 + pick(0x100), pick(256));
    const service = SERVICES[pick(SERVICES.length)] ?? 0;
    const registers = {
      eax: random.next32(),
      ebx: random.next32(),
      ecx: pick(4) === 0 ? random.next32() : pick(0x400),
      edx: pick(3) === 0 ? random.next32() : pick(0x100),
      esi: random.next32(),
      edi: random.next32(),
      ebp: random.next32(),
      es: pick(0x9000),
      ds: pick(0x9000),
      flags: 0x0202,
      spare: random.next32(),
    };
    // Functions that are there, more often than ones that are not.
    if (pick(2) === 0) registers.eax = (pick(0x50) << 8) | pick(0x20);
    const started = performance.now();
    const { action } = bench.call(service, registers);
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8]).toContain(action);
    expect(performance.now() - started).toBeLessThan(CALL_LIMIT_MS);
  }
});
