import { describe, expect, it } from 'vitest';
import { BDA } from '../data-area.ts';
import { BiosBench, TEST_RAM_BYTES } from '../testing.ts';
import { TRAP_PCI32, TRAP_PORT_BASE } from '../rom/trap.ts';

const fresh = (): BiosBench => {
  const bench = new BiosBench({ quiet: true });
  bench.post();
  return bench;
};
const shared = fresh();
/** One machine for the tests that leave nothing behind: POST takes long in tests. */
const made = (): BiosBench => shared;

describe('INT 15h', () => {
  it('gives the memory map entry by entry', () => {
    const bench = made();
    const entries: [number, number, number][] = [];
    let next = 0;
    do {
      const result = bench.call(0x15, { eax: 0xe820, ebx: next, ecx: 20, edx: 0x534d4150, edi: 0x600 });
      expect([result.carry, result.eax, result.ecx]).toEqual([false, 0x534d4150, 20]);
      entries.push([bench.read32(0x600), bench.read32(0x608), bench.read32(0x610)]);
      next = result.ebx;
    } while (next !== 0);
    expect(entries[0]).toEqual([0, 0x9fc00, 1]);
    expect(entries).toContainEqual([0x100000, TEST_RAM_BYTES - 0x100000, 1]);
    expect(bench.call(0x15, { eax: 0xe820, ebx: 99, ecx: 20, edx: 0x534d4150 }).carry).toBe(true);
    expect(bench.call(0x15, { eax: 0xe820, ebx: 0, ecx: 20, edx: 1 }).ah).toBe(0x86);
  });

  it('gives memory sizes the older ways', () => {
    const bench = made();
    expect(bench.call(0x15, { eax: 0x8800 }).ax).toBe(3072);
    const e801 = bench.call(0x15, { eax: 0xe801 });
    expect([e801.carry, e801.ax, e801.bx, e801.cx, e801.dx]).toEqual([false, 3072, 0, 3072, 0]);
    expect(bench.call(0x12).ax).toBe(639);
    expect(bench.call(0x11).ax).toBe(bench.read16(BDA.EQUIPMENT));
  });

  it('moves blocks between physical addresses of descriptors', () => {
    const bench = made();
    bench.set(0x10000, [1, 2, 3, 4]);
    bench.set(0x600 + 0x10, [0xff, 0xff, 0x00, 0x00, 0x01, 0x93, 0, 0]);
    bench.set(0x600 + 0x18, [0xff, 0xff, 0x00, 0x00, 0x20, 0x93, 0, 0]);
    expect(bench.call(0x15, { eax: 0x8700, ecx: 2, esi: 0x600 }).carry).toBe(false);
    expect(bench.bytes(0x200000, 4)).toEqual([1, 2, 3, 4]);
    expect(bench.call(0x15, { eax: 0x8700, ecx: 0x9000, esi: 0x600 }).carry).toBe(true);
  });

  it('waits in virtual time, halted by the periodic interrupt when the wait is long', async () => {
    const bench = made();
    const start = bench.clock.nowNs();
    let result = bench.call(0x15, { eax: 0x8600, ecx: 0, edx: 5000 });
    const actions = new Set<number>();
    while (result.action !== 0) {
      actions.add(result.action);
      result = await bench.again();
    }
    expect([result.carry, [...actions]]).toEqual([false, [2]]);
    const took = bench.clock.nowNs() - start;
    expect(took).toBeGreaterThanOrEqual(5_000_000);
    expect(took).toBeLessThan(5_500_000);
    // The clock chip's periodic interrupt is off again.
    bench.ports.write(0x70, 1, 0x0b);
    expect(bench.ports.read(0x71, 1) & 0x40).toBe(0);
  });

  it('spins through waits when IRQ8 is masked', async () => {
    const bench = made();
    const mask = bench.ports.read(0xa1, 1);
    bench.ports.write(0xa1, 1, 0xff);
    const result = bench.call(0x15, { eax: 0x8600, ecx: 0, edx: 9000 });
    expect(result.action).toBe(1);
    expect((await bench.callAsync(0x15, { eax: 0x8600, ecx: 0, edx: 9000 })).carry).toBe(false);
    bench.ports.write(0xa1, 1, mask);
  });

  it('sets a flag after an event wait timed by the clock chip', () => {
    const bench = made();
    expect(bench.call(0x15, { eax: 0x8300, ecx: 0, edx: 2000, ebx: 0x600 }).carry).toBe(false);
    expect(bench.call(0x15, { eax: 0x8300, ebx: 0x601 }).carry).toBe(true);
    let interrupts = 0;
    while (bench.read8(0x600) === 0 && interrupts < 10) {
      bench.clock.advance(976_563);
      bench.call(0x70);
      interrupts++;
    }
    expect([interrupts, bench.read8(0x600), bench.read8(BDA.WAIT_ACTIVE)]).toEqual([3, 0x80, 0]);
  });

  it('describes the machine and says no to APM and EISA', () => {
    const bench = made();
    const config = bench.call(0x15, { eax: 0xc000 });
    expect([config.es, config.bx, config.ah]).toEqual([0xf000, 0xe6f5, 0]);
    expect(bench.bytes(0xfe6f5, 3)).toEqual([8, 0, 0xfc]);
    expect(bench.call(0x15, { eax: 0xc100 }).es).toBe(0x9fc0);
    for (const eax of [0x5300, 0xd800, 0x8900, 0xffff]) {
      const result = bench.call(0x15, { eax });
      expect([result.carry, result.ah]).toEqual([true, 0x86]);
    }
    // The keyboard intercept leaves the carry flag that means "process the key".
    expect(bench.call(0x15, { eax: 0x4f1e, flags: 0x203 })).toMatchObject({ carry: true, al: 0x1e });
  });
});

describe('INT 1Ah', () => {
  it('reads and sets ticks, time and date', () => {
    const bench = fresh();
    bench.call(0x1a, { eax: 0x0100, ecx: 0x0012, edx: 0x3456 });
    bench.write8(BDA.MIDNIGHT, 1);
    const ticks = bench.call(0x1a, { eax: 0 });
    expect([ticks.cx, ticks.dx, ticks.al]).toEqual([0x12, 0x3456, 1]);
    expect(bench.call(0x1a, { eax: 0 }).al).toBe(0);
    const time = bench.call(0x1a, { eax: 0x0200 });
    expect([time.carry, time.cx, time.dx >> 8]).toEqual([false, 0x1200, 0x00]);
    const date = bench.call(0x1a, { eax: 0x0400 });
    expect([date.cx, date.dx]).toEqual([0x2026, 0x1122]);
    bench.call(0x1a, { eax: 0x0500, ecx: 0x1999, edx: 0x1231 });
    bench.call(0x1a, { eax: 0x0300, ecx: 0x2359, edx: 0x0100 });
    expect([bench.call(0x1a, { eax: 0x0400 }).cx, bench.call(0x1a, { eax: 0x0200 }).cx]).toEqual([0x1999, 0x2359]);
  });

  it('sets an alarm that INT 70h passes on, once', () => {
    const bench = fresh();
    expect(bench.call(0x1a, { eax: 0x0600, ecx: 0x1200, edx: 0x0200 }).carry).toBe(false);
    expect(bench.call(0x1a, { eax: 0x0600 }).carry).toBe(true);
    expect(bench.call(0x70).action).toBe(0);
    bench.clock.advance(2_500_000_000);
    expect(bench.call(0x70).action).toBe(3);
    bench.call(0x1a, { eax: 0x0700 });
    expect(bench.call(0x1a, { eax: 0x0600 }).carry).toBe(false);
  });
});

describe('PCI BIOS', () => {
  it('finds functions by id and class and reads and writes their registers', () => {
    const bench = made();
    const present = bench.call(0x1a, { eax: 0xb101 });
    expect([present.carry, present.edx, present.bx]).toEqual([false, 0x20494350, 0x0210]);
    expect(bench.call(0x1a, { eax: 0xb102, ecx: 0x1111, edx: 0x1234 }).bx).toBe(2 << 3);
    expect(bench.call(0x1a, { eax: 0xb102, ecx: 0x1111, edx: 0x1234, esi: 1 }).ah).toBe(0x86);
    expect(bench.call(0x1a, { eax: 0xb103, ecx: 0x060100 }).bx).toBe(1 << 3);
    expect(bench.call(0x1a, { eax: 0xb109, ebx: 1 << 3, edi: 0 }).cx).toBe(0x8086);
    expect(bench.call(0x1a, { eax: 0xb10a, ebx: 1 << 3, edi: 0 }).ecx).toBe(0x70008086);
    bench.call(0x1a, { eax: 0xb10b, ebx: 2 << 3, edi: 0x3c, ecx: 5 });
    expect(bench.call(0x1a, { eax: 0xb108, ebx: 2 << 3, edi: 0x3c }).ecx & 0xff).toBe(5);
    expect(bench.call(0x1a, { eax: 0xb10a, ebx: 0, edi: 2 }).ah).toBe(0x87);
    expect(bench.call(0x1a, { eax: 0xb1ff }).ah).toBe(0x81);
  });

  it('answers through the 32-bit entry with its own frame', () => {
    const bench = fresh();
    const at = 0x7000 - 44;
    // The 32-bit stub's ESP is not cut to 16 bits.
    bench.memory.bytes.fill(0, at, at + 44);
    const cpu = bench as unknown as { cpu: { getRegister32: () => number } };
    cpu.cpu.getRegister32 = () => 0x180000;
    bench.memory.write32(0x180000 + 28, 0xb10a);
    bench.memory.write32(0x180000 + 16, 2 << 3);
    bench.memory.write32(0x180000 + 32, 0x203);
    expect(bench.ports.read(TRAP_PORT_BASE + TRAP_PCI32, 1)).toBe(0);
    expect(bench.memory.read32(0x180000 + 24)).toBe(0x11111234);
    expect(bench.memory.read32(0x180000 + 32)).toBe(0x202);
  });
});

describe('serial and parallel ports', () => {
  it('sends bytes, times out on reading, and knows which ports exist', async () => {
    const bench = made();
    bench.call(0x14, { eax: 0x00e3, edx: 0 });
    const sent = await bench.callAsync(0x14, { eax: 0x0141, edx: 0 });
    expect(sent.ah & 0x80).toBe(0);
    bench.clock.advance(10_000_000);
    expect(bench.serialOutput).toEqual([0x41]);
    const none = await bench.callAsync(0x14, { eax: 0x0200, edx: 0 });
    expect(none.ah & 0x80).toBe(0x80);
    expect(bench.call(0x14, { eax: 0x0141, edx: 3 }).ah).toBe(0x80);
    expect(bench.call(0x17, { eax: 0x0041 }).ah & 1).toBe(1);
  });
});
