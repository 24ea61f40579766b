import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { FlatMemory } from '../../firmware/loaders/flat-memory.ts';
import { Dma8237 } from './dma-8237.ts';

function build(): { dma: Dma8237; ports: PortBus; memory: FlatMemory } {
  const memory = new FlatMemory(1 << 20);
  const dma = new Dma8237({ memory });
  const ports = new PortBus();
  dma.attach(ports);
  // Cascade channel on, as a BIOS does.
  ports.write(0xd6, 1, 0xc0);
  ports.write(0xd4, 1, 0x00);
  return { dma, ports, memory };
}

/** Programs channel 2 as a floppy driver does. */
function program(ports: PortBus, mode: number, page: number, address: number, count: number): void {
  ports.write(0x0a, 1, 0x06);
  ports.write(0x0c, 1, 0);
  ports.write(0x0b, 1, mode | 2);
  ports.write(0x04, 1, address & 0xff);
  ports.write(0x04, 1, address >> 8);
  ports.write(0x81, 1, page);
  ports.write(0x05, 1, count & 0xff);
  ports.write(0x05, 1, count >> 8);
  ports.write(0x0a, 1, 0x02);
}

describe('Dma8237', () => {
  it('moves device data to memory until terminal count, then masks the channel', () => {
    const { dma, ports, memory } = build();
    program(ports, 0x44, 0x02, 0x1000, 511);
    const channel = dma.channel(2);
    expect(channel.ready).toBe(true);
    expect(channel.remainingBytes).toBe(512);
    expect(channel.write(new Uint8Array(300).fill(7))).toEqual({ bytes: 300, terminalCount: false });
    expect(channel.write(new Uint8Array(300).fill(8))).toEqual({ bytes: 212, terminalCount: true });
    expect([
      memory.read8(0x21000),
      memory.read8(0x2112b),
      memory.read8(0x2112c),
      memory.read8(0x211ff),
      memory.read8(0x21200),
    ]).toEqual([7, 7, 8, 8, 0]);
    expect(channel.ready).toBe(false);
    expect(ports.read(0x08, 1) & 0x0f).toBe(4);
    expect(ports.read(0x08, 1) & 0x0f).toBe(0);
    expect(channel.write(new Uint8Array(4)).bytes).toBe(0);
  });

  it('moves memory to the device, and wraps inside the 64 KiB page', () => {
    const { dma, ports, memory } = build();
    memory.write8(0x3ffff, 1);
    memory.write8(0x30000, 2);
    program(ports, 0x48, 0x03, 0xffff, 1);
    const target = new Uint8Array(2);
    expect(dma.channel(2).read(target)).toEqual({ bytes: 2, terminalCount: true });
    expect([...target]).toEqual([1, 2]);
  });

  it('starts again by itself in autoinit mode', () => {
    const { dma, ports, memory } = build();
    program(ports, 0x54, 0x01, 0x0000, 1);
    const channel = dma.channel(2);
    expect(channel.write(Uint8Array.of(1, 2, 3))).toEqual({ bytes: 2, terminalCount: true });
    expect(channel.write(Uint8Array.of(9))).toEqual({ bytes: 1, terminalCount: false });
    expect([memory.read8(0x10000), memory.read8(0x10001)]).toEqual([9, 2]);
  });

  it('addresses words on channels 5 to 7 and counts down when told to', () => {
    const { dma, ports, memory } = build();
    ports.write(0xd8, 1, 0);
    ports.write(0xd6, 1, 0x44 | 1);
    ports.write(0xc4, 1, 0x00);
    ports.write(0xc4, 1, 0x10);
    ports.write(0xc6, 1, 0x01);
    ports.write(0xc6, 1, 0x00);
    ports.write(0x8b, 1, 0x05);
    ports.write(0xd4, 1, 0x01);
    expect(dma.channel(5).write(Uint8Array.of(1, 2, 3, 4))).toEqual({ bytes: 4, terminalCount: true });
    expect(memory.read32(0x42000)).toBe(0x04030201);
    program(ports, 0x64, 0x00, 0x5001, 1);
    dma.channel(2).write(Uint8Array.of(0xaa, 0xbb));
    expect([memory.read8(0x5000), memory.read8(0x5001)]).toEqual([0xbb, 0xaa]);
  });

  it('does nothing while masked, disabled, or cut off from the cascade, and tells when it becomes ready', () => {
    const { dma, ports } = build();
    program(ports, 0x44, 0, 0, 10);
    const channel = dma.channel(2);
    let told = 0;
    const listener = channel.onReady(() => told++);
    ports.write(0xd4, 1, 0x04);
    expect(channel.ready).toBe(false);
    ports.write(0xd4, 1, 0x00);
    expect([channel.ready, told]).toEqual([true, 1]);
    ports.write(0x08, 1, 0x04);
    expect(channel.ready).toBe(false);
    listener.dispose();
    ports.write(0x08, 1, 0x00);
    expect(told).toBe(1);
  });

  it('reads back counters through the flip-flop, page registers and masks; master clear resets', () => {
    const { dma, ports } = build();
    program(ports, 0x44, 0x0b, 0x1234, 0x5678);
    ports.write(0x0c, 1, 0);
    expect([ports.read(0x04, 1), ports.read(0x04, 1), ports.read(0x05, 1), ports.read(0x05, 1)]).toEqual([
      0x34, 0x12, 0x78, 0x56,
    ]);
    expect(ports.read(0x81, 1)).toBe(0x0b);
    const state = dma.save();
    ports.write(0x0d, 1, 0);
    expect(ports.read(0x0f, 1)).toBe(0xff);
    dma.load(state);
    expect(dma.save()).toEqual(state);
    expect(() => dma.load({ version: 1, fields: { ...state.fields, pages: [1] } })).toThrow(/pages/);
  });
});
