import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { VmMouse } from './vmmouse.ts';

const [EAX, ECX, EDX, EBX] = [0, 1, 2, 3] as const;

function setUp() {
  const registers = new Uint32Array(8);
  let nudges = 0;
  const mouse = new VmMouse({ registers: { get: (index) => registers[index] ?? 0, set: (index, value) => (registers[index] = value) }, notify: () => nudges++ });
  const ports = new PortBus();
  mouse.attach(ports);
  /** IN EAX, DX as a driver does it. @returns EAX, EBX, ECX, EDX */
  const call = (command: number, argument = 0): number[] => {
    registers.set([0x564d_5868, command, 0x5658, argument]);
    registers[EAX] = ports.read(0x5658, 4);
    return [EAX, EBX, ECX, EDX].map((index) => registers[index] ?? 0);
  };
  return { mouse, ports, registers, call, nudges: () => nudges };
}

describe('absolute pointer behind the backdoor port', () => {
  it('is found, switched on and read as drivers do it', () => {
    const { mouse, call, nudges } = setUp();
    expect(call(10).slice(0, 2)).toEqual([6, 0x564d_5868]);
    call(41, 0x4541_4552);
    expect(call(40)[0]).toBe(1);
    expect(call(39, 1)[0]).toBe(0x3442_554a);
    expect(mouse.takesPositions).toBe(false);
    call(41, 0x5342_4152);
    expect(mouse.takesPositions).toBe(true);
    mouse.point(0, 1, 0, 0);
    mouse.point(0.5, 0.25, -1, 7);
    expect(nudges()).toBe(2);
    expect(call(40)[0]).toBe(8);
    expect(call(39, 4)).toEqual([0, 0, 0xffff, 0]);
    expect(call(39, 4)).toEqual([0x38, 0x8000, 0x4000, 0xff]);
    expect(call(40)[0]).toBe(0);
  });

  it('answers nobody who does not know the magic number, and no narrower access', () => {
    const { ports, registers } = setUp();
    registers.set([1, 10, 0x5658, 7]);
    expect(ports.read(0x5658, 4)).toBe(0xffff_ffff);
    expect(registers[EBX]).toBe(7);
    registers[EAX] = 0x564d_5868;
    expect(ports.read(0x5658, 2)).toBe(0xffff);
    expect(ports.read(0x5658, 1)).toBe(0xff);
  });

  it('starts anew after a guest asked for what is not there, and when it is switched off', () => {
    const { mouse, call } = setUp();
    call(41, 0x4541_4552);
    call(39, 1);
    call(41, 0x5342_4152);
    expect(call(39, 4)[0]).toBe(0xffff_ffff);
    expect(call(40)[0]).toBe(0xffff_0000);
    expect(mouse.takesPositions).toBe(false);
    call(41, 0x4541_4552);
    expect(call(40)[0]).toBe(1);
    call(41, 0xf5);
    expect(call(40)[0]).toBe(0);
    mouse.point(0.5, 0.5, 0, 0);
    expect(call(40)[0]).toBe(0);
  });

  it('bounds what waits for a guest that does not look, and goes on where its state was saved', () => {
    const a = setUp();
    a.call(41, 0x4541_4552);
    a.call(41, 0x5342_4152);
    for (let index = 0; index < 1000; index++) a.mouse.point(index / 1000, 0, 0, 0);
    expect(a.call(40)[0]).toBeLessThanOrEqual(256);
    const b = setUp();
    b.mouse.load(a.mouse.save());
    expect(b.call(40)[0]).toBe(a.call(40)[0]);
    expect(b.call(39, 1)[0]).toBe(0x3442_554a);
    expect(b.mouse.takesPositions).toBe(true);
    expect(() => b.mouse.load({ version: 1, fields: { enabled: true, absolute: true, failed: false, queue: [-1] } })).toThrow(/vmmouse/);
  });
});
