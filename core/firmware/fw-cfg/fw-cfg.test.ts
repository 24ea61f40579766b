import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { FlatMemory } from '../loaders/flat-memory.ts';
import { floppyPath, idePath } from './boot-order.ts';
import { FW_CFG_PORT_BASE, FW_CFG_PORT_COUNT, FwCfg } from './fw-cfg.ts';
import { addDirectBootItems, addPcItems } from './pc-items.ts';

function machine(): { device: FwCfg; ports: PortBus; memory: FlatMemory; view: DataView } {
  const memory = new FlatMemory(1 << 20);
  const device = new FwCfg({ memory });
  const ports = new PortBus();
  ports.register(FW_CFG_PORT_BASE, FW_CFG_PORT_COUNT, device, 4);
  return { device, ports, memory, view: new DataView(memory.bytes.buffer) };
}

function readItem(ports: PortBus, key: number, length: number): Uint8Array {
  ports.write(0x510, 2, key);
  return Uint8Array.from({ length }, () => ports.read(0x511, 1));
}

/** Firmware's way to find a file. */
function readFile(ports: PortBus, name: string): Uint8Array | undefined {
  const count = new DataView(readItem(ports, 0x19, 4).buffer).getUint32(0);
  const directory = readItem(ports, 0x19, 4 + count * 64);
  for (let at = 4; at < directory.length; at += 64) {
    const view = new DataView(directory.buffer, at, 64);
    const found = String.fromCharCode(...directory.subarray(at + 8, at + 64)).replace(/\0.*$/s, '');
    if (found === name) return readItem(ports, view.getUint16(4), view.getUint32(0));
  }
  return undefined;
}

const text = (bytes: Uint8Array | undefined): string => String.fromCharCode(...(bytes ?? []));

function dma(m: ReturnType<typeof machine>, control: number, length: number, target: number, at = 0x1000): number {
  m.view.setUint32(at, control);
  m.view.setUint32(at + 4, length);
  m.view.setBigUint64(at + 8, BigInt(target));
  const swapped = new DataView(new ArrayBuffer(4));
  swapped.setUint32(0, at);
  m.ports.write(0x514, 4, 0);
  m.ports.write(0x518, 4, swapped.getUint32(0, true));
  return m.view.getUint32(at);
}

describe('fw_cfg', () => {
  it('answers to its signature and features', () => {
    const { ports } = machine();
    expect(text(readItem(ports, 0, 4))).toBe('QEMU');
    expect([...readItem(ports, 1, 4)]).toEqual([3, 0, 0, 0]);
    expect([...readItem(ports, 0, 6)].slice(4)).toEqual([0, 0]);
    expect([...readItem(ports, 0x1234, 2)]).toEqual([0, 0]);
    // Big-endian "QEMU CFG" seen through little-endian port reads.
    expect([ports.read(0x514, 4), ports.read(0x518, 4)]).toEqual([0x554d4551, 0x47464320]);
    expect(ports.read(0x514, 1)).toBe(0x51);
  });

  it('lists files and reads them by both ways', () => {
    const m = machine();
    m.device.addFile('etc/one', Uint8Array.of(1, 2, 3));
    m.device.addFile(
      'etc/two',
      Uint8Array.from({ length: 300 }, (_, index) => index & 0xff),
    );
    m.device.addFile('etc/one', Uint8Array.of(4, 5));
    expect([...(readFile(m.ports, 'etc/one') ?? [])]).toEqual([4, 5]);
    expect(readFile(m.ports, 'etc/two')?.length).toBe(300);
    expect(readFile(m.ports, 'none')).toBeUndefined();

    const key = 0x21;
    expect(dma(m, (key << 16) | 0x08 | 0x02, 10, 0x2000)).toBe(0);
    expect([...m.memory.bytes.subarray(0x2000, 0x200a)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(dma(m, 0x04, 90, 0)).toBe(0);
    expect(dma(m, 0x02, 2, 0x2000)).toBe(0);
    expect(m.memory.bytes[0x2000]).toBe(100);
    m.memory.bytes.fill(0xee, 0x3000, 0x4000);
    expect(dma(m, (0x20 << 16) | 0x0a, 8, 0x3000)).toBe(0);
    expect([...m.memory.bytes.subarray(0x3000, 0x3009)]).toEqual([4, 5, 0, 0, 0, 0, 0, 0, 0xee]);
  });

  it('takes DMA writes only for writable files and within their size', () => {
    const m = machine();
    const seen: number[][] = [];
    m.device.addFile('etc/fixed', new Uint8Array(8));
    m.device.addFile('etc/addr', new Uint8Array(8), (content) => seen.push([...content]));
    m.memory.bytes.set([9, 8, 7, 6, 5, 4, 3, 2], 0x4000);
    expect(dma(m, (0x20 << 16) | 0x18, 8, 0x4000)).toBe(1);
    expect(dma(m, (0x21 << 16) | 0x18, 9, 0x4000)).toBe(1);
    expect(seen).toEqual([]);
    expect(dma(m, (0x21 << 16) | 0x18, 8, 0x4000)).toBe(0);
    expect(seen).toEqual([[9, 8, 7, 6, 5, 4, 3, 2]]);
  });

  it('bounds what a hostile guest asks for', () => {
    const m = machine();
    expect(dma(m, 0x02, 0xffff_ffff, 0)).toBe(1);
    expect(dma(m, 0x04, 0xffff_ffff, 0)).toBe(0);
    expect(dma(m, 0x04, 0xffff_ffff, 0)).toBe(0);
    expect(m.ports.read(0x511, 1)).toBe(0);
    m.ports.write(0x514, 4, 0xffffffff);
    m.ports.write(0x518, 4, 0xffffffff);
    m.ports.write(0x510, 4, 0xffffffff);
    m.ports.write(0x511, 1, 5);
    for (let port = 0x510; port < 0x51c; port++) for (const size of [1, 2, 4] as const) m.ports.read(port, size);
    expect(text(readItem(m.ports, 0, 4))).toBe('QEMU');
  });

  it('stands any sequence of accesses, and a reset brings it back', () => {
    let random = 4711;
    const next = (limit: number): number => {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      return Math.floor((random / 2 ** 32) * limit);
    };
    const word = (): number => [0, 1, 0x1000, 0xfffff, 0x20000, 0xffffffff, next(2 ** 32)][next(7)] ?? 0;
    for (let round = 0; round < 60; round++) {
      const m = machine();
      m.device.addFile('etc/a', new Uint8Array(next(3000)));
      m.device.addFile('etc/b', new Uint8Array(16), () => undefined);
      for (let step = 0; step < 60; step++) {
        const size = ([1, 2, 4] as const)[next(3)] ?? 1;
        const port = 0x510 + next(12);
        const action = next(4);
        if (action === 0) m.ports.read(port, size);
        else if (action === 1) m.ports.write(port, size, size === 4 ? word() : next(2 ** (size * 8)));
        else if (action === 2) m.ports.write(0x510, 2, next(0x24));
        else {
          const before = performance.now();
          dma(m, (next(0x24) << 16) | next(32), word(), word() * (next(4) === 0 ? 0x1000 : 1), next(0xffff0));
          expect(performance.now() - before).toBeLessThan(1000);
        }
      }
      m.device.load(m.device.save());
      m.device.reset();
      expect(text(Uint8Array.from({ length: 4 }, () => m.ports.read(0x511, 1)))).toBe('QEMU');
    }
  });

  it('describes a PC', () => {
    const { device, ports } = machine();
    addPcItems(device, {
      ram: { lowRamBytes: 0xc0000000, highRamBytes: 0x10000000 },
      cpus: 2,
      bootOrder: [floppyPath({ slot: 1, function: 0 }, 0), idePath({ slot: 1, function: 1 }, 1, 0)],
    });
    expect(new DataView(readItem(ports, 3, 8).buffer).getBigUint64(0, true)).toBe(0xd0000000n);
    expect([...readItem(ports, 5, 2)]).toEqual([2, 0]);
    expect([...readItem(ports, 0x0f, 2)]).toEqual([2, 0]);
    expect([...readItem(ports, 0x8002, 4)]).toEqual([1, 0, 0, 0]);
    const e820 = readFile(ports, 'etc/e820');
    expect(e820?.length).toBe(40);
    expect(new DataView(e820?.buffer ?? new ArrayBuffer(0)).getBigUint64(20, true)).toBe(0x100000000n);
    expect(text(readFile(ports, 'bootorder'))).toBe(
      '/pci@i0cf8/isa@1/fdc@03f0/floppy@0\n/pci@i0cf8/ide@1,1/drive@1/disk@0\0',
    );
    expect(readFile(ports, 'etc/system-states')?.length).toBe(6);
  });

  it('offers a kernel to firmware that starts it', () => {
    const { device, ports } = machine();
    addDirectBootItems(device, { kernel: { content: Uint8Array.of(1, 2, 3), name: 'k' }, initrd: { content: Uint8Array.of(4), name: 'i' }, commandLine: 'x' });
    expect([...readItem(ports, 0x08, 4)]).toEqual([3, 0, 0, 0]);
    expect([...readItem(ports, 0x11, 3)]).toEqual([1, 2, 3]);
    expect([...readItem(ports, 0x15, 2)]).toEqual([0x78, 0]);
  });

  it('saves and restores the position and what the guest wrote', () => {
    const a = machine();
    const b = machine();
    for (const m of [a, b]) {
      m.device.addFile('etc/data', Uint8Array.of(1, 2, 3, 4));
      m.device.addFile('etc/addr', new Uint8Array(4), () => undefined);
    }
    a.memory.bytes.set([6, 6, 6, 6], 0x4000);
    dma(a, (0x21 << 16) | 0x18, 4, 0x4000);
    readItem(a.ports, 0x20, 2);
    const state = a.device.save();
    b.device.load(state);
    expect(b.ports.read(0x511, 1)).toBe(3);
    expect([...readItem(b.ports, 0x21, 4)]).toEqual([6, 6, 6, 6]);
    const bad =
      (fields: object): (() => void) =>
      () =>
        b.device.load({ version: 1, fields: { ...state.fields, ...fields } });
    expect(bad({ selector: -1 })).toThrow(/selector/);
    expect(bad({ offset: 2 ** 33 })).toThrow(/offset/);
    expect(bad({ writable: [{ name: 'etc/data', content: new Uint8Array(4) }] })).toThrow(/does not fit/);
    expect(bad({ more: 1 })).toThrow();
    expect(() => b.device.load({ ...state, version: 2 })).toThrow(/version/);
    a.device.reset();
    expect(a.ports.read(0x511, 1)).toBe(0x51);
  });
});
