import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { DebugPorts, PVPANIC_PANICKED } from './debug-ports.ts';

describe('DebugPorts', () => {
  it('passes bytes, panics and exit values on, and remembers the POST code', () => {
    const seen: string[] = [];
    const ports = new PortBus();
    const device = new DebugPorts({
      onDebugByte: (byte) => seen.push(`d${byte}`),
      onPanic: (events) => seen.push(`p${events}`),
      onExit: (value) => seen.push(`x${value}`),
    });
    const attached = device.attach(ports);
    ports.write(0xe9, 1, 65);
    ports.write(0x402, 1, 66);
    ports.write(0x505, 1, PVPANIC_PANICKED);
    ports.write(0xf4, 1, 3);
    ports.write(0xf4, 4, 0x10);
    ports.write(0x80, 1, 0x55);
    expect(seen).toEqual(['d65', 'd66', 'p1', 'x3', 'x16']);
    expect(ports.read(0xe9, 1)).toBe(0xe9);
    expect(ports.read(0x505, 1)).toBe(3);
    const state = device.save();
    device.reset();
    expect(ports.read(0x80, 1)).toBe(0);
    device.load(state);
    expect(ports.read(0x80, 1)).toBe(0x55);
    expect(() => device.load({ version: 1, fields: { postCode: 256 } })).toThrow(/postCode/);
    attached.dispose();
    expect(ports.read(0xe9, 1)).toBe(0xff);
  });

  it('has no exit port unless it is wanted', () => {
    const ports = new PortBus();
    new DebugPorts({}).attach(ports);
    expect(ports.read(0xf4, 1)).toBe(0xff);
  });
});
