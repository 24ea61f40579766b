// Runs every device of the board through seeded random accesses and checks what all of them must keep to: guest mistakes
// never throw, a saved state carries everything that can be observed, a hostile state is refused whole or taken safely,
// reset restores power-on state.

import { describe, expect, it } from 'vitest';
import { isNestboxError } from '../../base/errors.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import { InterruptBus } from '../../bus/interrupt-bus.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { type AccessSize, PortBus } from '../../bus/port-bus.ts';
import { LocalApic } from '../../cpu/software/local-apic.ts';
import type { Device, DeviceState, StateValue } from '../device.ts';
import { I8042 } from '../input/i8042.ts';
import { KEY_CODES } from '../input/scancodes.ts';
import { VmMouse } from '../input/vmmouse.ts';
import { I440fx } from '../pci/i440fx.ts';
import { PciBus } from '../pci/pci-bus.ts';
import type { PciDevice } from '../pci/pci-device.ts';
import { BusPciMapper } from '../pci/pci-mapper.ts';
import { Piix3 } from '../pci/piix3.ts';
import { Piix4Pm } from '../pci/piix4-pm.ts';
import { DebugPorts } from './debug-ports.ts';
import { Dma8237 } from './dma-8237.ts';
import { Hpet } from './hpet.ts';
import { IoApic } from './io-apic.ts';
import { KvmClock, MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK_NEW } from './kvm-clock.ts';
import { Pic8259 } from './pic-8259.ts';
import { Pit8254 } from './pit-8254.ts';
import { Port92 } from './port-92.ts';
import { RtcMc146818 } from './rtc-mc146818.ts';
import { TestClock, TestLine } from './testing.ts';
import { Uart16550 } from './uart-16550.ts';
import { VM_GENERATION_ID_BASE, VmGenerationId } from './vm-generation-id.ts';

const OPERATIONS = 2000;
const AFTER_RESTORE = 400;

class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed;
  }
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  below(limit: number): number {
    return this.next() % limit;
  }
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick');
    return item;
  }
  value(size: AccessSize): number {
    const mask = size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
    const value = this.pick([0, 1, 0xff, this.below(16), 1 << this.below(32), this.next(), this.next(), 0xffffffff]);
    return (value & mask) >>> 0;
  }
}

/** One device in a world of its own. `observe` collects what it does to the outside. */
interface Rig {
  readonly device: Device;
  readonly clock: TestClock;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly observed: string[];
  readonly portNumbers: readonly number[];
  readonly mmioRange?: readonly [number, number];
  /** Things that the host or other devices do. */
  readonly actions: readonly ((random: Random) => void)[];
}

type Parts = Omit<Rig, 'clock' | 'ports' | 'mmio' | 'observed'>;
type World = Pick<Rig, 'clock' | 'ports' | 'mmio' | 'observed'> & {
  line: (name: string) => TestLine;
  note: (name: string) => (value?: unknown) => void;
};

function makeRig(nowNs: number, make: (world: World) => Parts): Rig {
  const observed: string[] = [];
  const world: World = {
    clock: new TestClock(nowNs),
    ports: new PortBus(),
    mmio: new MmioBus(),
    observed,
    line: (name) => {
      const line = new TestLine();
      line.onChange = (level) => observed.push(`${name} ${level}`);
      return line;
    },
    note: (name) => (value) => void observed.push(`${name} ${String(value)}`),
  };
  return { clock: world.clock, ports: world.ports, mmio: world.mmio, observed, ...make(world) };
}

const range = (base: number, count: number): number[] => Array.from({ length: count }, (_, i) => base + i);

function fakeMemory(): DmaMemory {
  const bytes = new Uint8Array(0x20000);
  return {
    read: (address, target) => void target.forEach((_, i) => (target[i] = bytes[(address + i) & 0x1ffff] ?? 0)),
    write: (address, source) => source.forEach((value, i) => (bytes[(address + i) & 0x1ffff] = value)),
    read8: (address) => bytes[address & 0x1ffff] ?? 0,
    read16: () => 0,
    read32: () => 0,
    write8: () => undefined,
    write16: () => undefined,
    write32: () => undefined,
  };
}

/** A PCI function alone on a bus, with configuration accesses and its own ports. */
function pciParts(
  world: World,
  device: PciDevice & { attach?: (ports: PortBus) => unknown },
  slot: number,
  fn: number,
  portNumbers: number[],
): Parts {
  const bus = new PciBus({ mapper: new BusPciMapper({ ports: world.ports, mmio: world.mmio }) });
  bus.add(device, slot, fn);
  device.attach?.(world.ports);
  const access = (random: Random): void => {
    const size = random.pick<AccessSize>([1, 2, 4]);
    const offset = random.below(256 / size) * size;
    if (random.below(3) === 0) world.observed.push(`config ${device.readConfig(offset, size)}`);
    else device.writeConfig(offset, size, random.value(size));
  };
  return { device, portNumbers, actions: [access, access, access] };
}

const RIGS: Record<string, (world: World) => Parts> = {
  pic: (world) => {
    const device = new Pic8259({ intr: world.line('intr') });
    device.attach(world.ports);
    return {
      device,
      portNumbers: [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1],
      actions: [
        (random) => device.irq(random.below(16)).set(random.below(2) === 1),
        (random) => device.irq(random.below(16)).set(random.below(2) === 1),
        () => device.interrupt && world.observed.push(`vector ${device.acknowledge()}`),
      ],
    };
  },
  pit: (world) => {
    const device = new Pit8254({
      clock: world.clock,
      irq0: world.line('irq0'),
      onSpeaker: (s) => world.observed.push(JSON.stringify(s)),
    });
    device.attach(world.ports);
    return { device, portNumbers: [0x40, 0x41, 0x42, 0x43, 0x43, 0x61], actions: [] };
  },
  rtc: (world) => {
    const device = new RtcMc146818({
      clock: world.clock,
      wallClock: { epochMsAtPowerOn: 1_700_000_000_250 },
      irq8: world.line('irq8'),
      onNmiMask: world.note('nmi'),
    });
    device.attach(world.ports);
    const index = (random: Random): void => world.ports.write(0x70, 1, random.below(16));
    return { device, portNumbers: [0x70, 0x71, 0x71, 0x71], actions: [index, index] };
  },
  i8042: (world) => {
    const device = new I8042({
      clock: world.clock,
      irq1: world.line('irq1'),
      irq12: world.line('irq12'),
      onA20: world.note('a20'),
      onReset: world.note('reset'),
      onLeds: world.note('leds'),
    });
    device.attach(world.ports);
    return {
      device,
      portNumbers: [0x60, 0x64],
      actions: [
        (random) => device.keyEvent(random.pick(KEY_CODES), random.below(2) === 1),
        (random) => device.mouseMove(random.below(600) - 300, random.below(600) - 300, random.below(5) - 2),
        (random) => device.mouseButtons(random.below(32)),
        (random) => (
          world.ports.write(0x64, 1, 0xd4),
          world.ports.write(0x60, 1, random.pick([0xf4, 0xf3, 200, 100, 80, 0xe9, 0xeb, 0xff, 0xf0, 0xea]))
        ),
        (random) => world.ports.write(0x60, 1, random.pick([0xf4, 0xf0, 3, 2, 1, 0xff, 0xed, 0xf3, 0xf8, 0xfb, 0xfe])),
        () => world.observed.push(`data ${world.ports.read(0x60, 1)}`),
      ],
    };
  },
  'port-92': (world) => {
    const device = new Port92({ onA20: world.note('a20'), onReset: world.note('reset') });
    device.attach(world.ports);
    return { device, portNumbers: [0x92], actions: [] };
  },
  uart: (world) => {
    const device = new Uart16550({
      id: 'com1',
      base: 0x3f8,
      clock: world.clock,
      irq: world.line('irq4'),
      onTransmit: world.note('tx'),
      onBreak: world.note('break'),
      onModemOutputs: (o) => world.observed.push(JSON.stringify(o)),
    });
    device.attach(world.ports);
    return {
      device,
      portNumbers: range(0x3f8, 8),
      actions: [
        (random) => device.receive(Uint8Array.from({ length: random.below(40) }, () => random.below(256))),
        () => device.receiveBreak(),
        (random) =>
          device.setModemInputs({
            cts: random.below(2) === 1,
            dsr: random.below(2) === 1,
            ri: random.below(2) === 1,
            dcd: random.below(2) === 1,
          }),
      ],
    };
  },
  'uart-paced': (world) => {
    const device = new Uart16550({
      id: 'com2',
      base: 0x2f8,
      clock: world.clock,
      irq: world.line('irq3'),
      onTransmit: world.note('tx'),
      pacing: 'baud',
      gateIrqWithOut2: true,
    });
    device.attach(world.ports);
    return {
      device,
      portNumbers: range(0x2f8, 8),
      actions: [(random) => device.receive(new Uint8Array(random.below(30)).fill(random.below(256)))],
    };
  },
  dma: (world) => {
    const device = new Dma8237({ memory: fakeMemory() });
    device.attach(world.ports);
    const transfer = (random: Random): void => {
      const channel = device.channel(random.pick([0, 1, 2, 3, 5, 6, 7]));
      const data = new Uint8Array(random.below(600));
      const result = random.below(2) === 0 ? channel.read(data) : channel.write(data);
      world.observed.push(`dma ${result.bytes} ${result.terminalCount} ${channel.ready} ${channel.remainingBytes}`);
    };
    return {
      device,
      portNumbers: [...range(0, 16), ...range(0xc0, 32), ...range(0x81, 15)],
      actions: [transfer, transfer],
    };
  },
  hpet: (world) => {
    const device = new Hpet({ clock: world.clock, irq: inputs(world), onLegacyReplacement: world.note('legacy') });
    device.attach(world.mmio);
    return { device, portNumbers: [], mmioRange: [0xfed00000, 0x180], actions: [] };
  },
  'io-apic': (world) => {
    const bus = new InterruptBus();
    bus.addTarget({
      apicId: 0,
      arbitrationPriority: 0,
      acceptsFixed: true,
      matchesPhysical: () => true,
      matchesLogical: () => true,
      accept: (mode, vector, level) => world.observed.push(`${mode} ${vector} ${level}`),
    });
    const device = new IoApic({ bus });
    device.attach(world.mmio);
    return {
      device,
      portNumbers: [],
      mmioRange: [0xfec00000, 0x44],
      actions: [
        (random) => device.pin(random.below(24)).set(random.below(2) === 1),
        (random) => (
          world.mmio.write(0xfec00000, 4, 0x10 + random.below(48)),
          world.mmio.write(0xfec00010, 4, random.value(4) & ~0x10000)
        ),
        (random) => bus.broadcastEoi(random.below(256)),
      ],
    };
  },
  'vm-generation-id': (world) => {
    const device = new VmGenerationId({ generation: new Uint8Array(16).fill(3), onChanged: world.note('changed') });
    device.attach(world.mmio);
    return { device, portNumbers: [], mmioRange: [VM_GENERATION_ID_BASE, 32], actions: [(random) => device.change(Uint8Array.from({ length: 16 }, () => random.below(256)))] };
  },
  'local-apic': (world) => {
    const bus = new InterruptBus();
    const device: LocalApic = new LocalApic({
      id: 'lapic0',
      apicId: 0,
      isBsp: true,
      clock: world.clock,
      bus,
      tscToNs: (tsc) => tsc,
      pic: { acknowledge: () => 8 },
      onInterruptRequest: world.note('intr'),
      onNmi: world.note('nmi'),
      onInit: world.note('init'),
      onStartup: world.note('sipi'),
    });
    bus.addEoiListener({ endOfInterrupt: world.note('eoi') });
    world.mmio.register(0xfee00000, 0x1000, device);
    const out = new Uint32Array(2);
    const msr = (random: Random): number => random.pick([0x6e0, 0x800 + random.below(64), 0x830, 0x80b]);
    return {
      device,
      portNumbers: [],
      mmioRange: [0xfee00000, 0x400],
      actions: [
        (random) => bus.deliver(0, false, random.below(2), random.below(256), random.below(2) === 1),
        (random) => device.lint0.set(random.below(2) === 1),
        (random) => device.lint1.set(random.below(2) === 1),
        () => world.observed.push(`vector ${device.acknowledge()} ${device.hasInterrupt()}`),
        () => world.mmio.write(0xfee000f0, 4, 0x1ff),
        () => world.mmio.write(0xfee000b0, 4, 0),
        (random) => device.writeCr8(random.below(4)),
        (random) => world.observed.push(device.readMsr(msr(random), out) ? `msr ${out[0]} ${out[1]}` : '#GP'),
        (random) => world.observed.push(`wrmsr ${device.writeMsr(msr(random), random.value(4), random.below(2))}`),
        (random) =>
          random.below(20) === 0 &&
          device.writeMsr(0x1b, random.pick([0xfee00900, 0xfee00d00, 0xfee00100, 0xfee00400, random.next()]), 0),
      ],
    };
  },
  'pci-bus': (world) => {
    const device = new PciBus({ mapper: new BusPciMapper({ ports: world.ports, mmio: world.mmio }) });
    device.add(new I440fx({ ramBytes: 1 << 27, onPam: () => undefined }), 0);
    device.attach(world.ports);
    return { device, portNumbers: range(0xcf8, 4), actions: [] };
  },
  i440fx: (world) =>
    pciParts(
      world,
      new I440fx({
        ramBytes: 1 << 27,
        onPam: (regions) => world.observed.push(JSON.stringify(regions)),
        onSmram: world.note('smram'),
      }),
      0,
      0,
      [],
    ),
  piix3: (world) => {
    const device = new Piix3({
      isaIrqs: range(0, 16).map((irq) => world.line(`irq${irq}`)),
      onReset: world.note('reset'),
    });
    const parts = pciParts(world, device, 1, 0, []);
    return {
      ...parts,
      actions: [
        ...parts.actions,
        (random) => device.writeResetControl(random.below(256)),
        () => world.observed.push(`${device.readResetControl()}`),
      ],
    };
  },
  'piix4-pm': (world) => {
    const device = new Piix4Pm({ clock: world.clock, sci: world.line('sci'), onPowerOff: world.note('off') });
    const parts = pciParts(world, device, 1, 3, [
      0xb2,
      0xb3,
      ...range(0xafe0, 4),
      ...range(0x600, 64),
      ...range(0x700, 16),
    ]);
    const place = (): void => {
      device.writeConfig(0x40, 4, 0x601);
      device.writeConfig(0x80, 1, 1);
      device.writeConfig(0x90, 4, 0x701);
      device.writeConfig(0xd2, 1, 1);
    };
    return {
      ...parts,
      actions: [
        ...parts.actions,
        place,
        place,
        () => device.pressPowerButton(),
        (random) => device.raiseGpe(random.below(16)),
      ],
    };
  },
  vmmouse: (world) => {
    const registers = new Uint32Array(8);
    const device = new VmMouse({ registers: { get: (index) => registers[index] ?? 0, set: (index, value) => (registers[index] = value) }, notify: world.note('nudge') });
    device.attach(world.ports);
    const call = (command: number, argument: number) => (): void => {
      registers.set([0x564d_5868, command, 0, argument]);
      world.ports.read(0x5658, 4);
    };
    return {
      device,
      portNumbers: range(0x5658, 4),
      actions: [call(41, 0x4541_4552), call(41, 0x5342_4152), call(41, 0x4c45_5252), call(39, 1), call(39, 4), call(40, 0), call(10, 0), (random) => device.point(random.below(100) / 99, 0.5, random.below(3) - 1, random.below(8))],
    };
  },
  'kvm-clock': (world) => {
    const counter = { hz: 1e9, offset: 0, ticksAt: (nowNs: number) => Math.floor(nowNs * (counter.hz / 1e9)) + counter.offset };
    const memory: DmaMemory = { ...fakeMemory(), write: (address, source) => world.observed.push(`page ${address} ${source.join(' ')}`), write32: (address, value) => world.observed.push(`word ${address} ${value}`) };
    const device = new KvmClock({ id: 'kvm-clock0', clock: world.clock, counter, memory, isRam: (address, length) => address + length <= 0x20000, epochMsAtPowerOn: 1_700_000_000_123 });
    const out = new Uint32Array(2);
    return {
      device,
      portNumbers: [],
      mmioRange: [0, 4096],
      actions: [
        (random) => world.observed.push(`wrmsr ${device.writeMsr(random.pick([MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK_NEW, 0x10]), random.pick([0, 1, 0x1001, 0x1f001, 0x1fff1, 0x1003, 0x2000, random.next()]), random.below(40) === 0 ? 1 : 0)}`),
        (random) => world.observed.push(device.readMsr(random.pick([MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK_NEW, 0x11]), out) ? `msr ${out[0]} ${out[1]}` : '#GP'),
        () => device.counterChanged(false),
        () => device.refresh(),
      ],
    };
  },
  'debug-ports': (world) => {
    const device = new DebugPorts({
      onDebugByte: world.note('debug'),
      onPanic: world.note('panic'),
      onExit: world.note('exit'),
    });
    device.attach(world.ports);
    return { device, portNumbers: [0x80, 0xe9, 0x402, 0x505, 0xf4, 0xf5], actions: [] };
  },
};

function inputs(world: World): (input: number) => TestLine {
  const lines = range(0, 32).map((input) => world.line(`input ${input}`));
  return (input) => lines[input] ?? new TestLine();
}

/** Fields that power-on reset keeps: what a battery holds, and the state of input wires. */
const KEPT_BY_RESET: Record<string, readonly string[]> = {
  pic: ['lines'],
  rtc: ['cmos', 'baseSeconds', 'baseNs'],
  'io-apic': ['lines'],
  'local-apic': ['lint0', 'lint1'],
  uart: ['modemInputs', 'msr'],
  'vm-generation-id': ['generation'],
  'kvm-clock': ['epochMs'],
};

function step(rig: Rig, random: Random): void {
  const kind = random.below(10);
  if (kind === 0) {
    rig.clock.advance(random.pick([0, random.below(1000), random.below(1_000_000), random.below(300_000_000)]));
  } else if (kind <= 3 && rig.actions.length > 0) {
    random.pick(rig.actions)(random);
  } else {
    const size = random.pick<AccessSize>([1, 1, 2, 4]);
    const write = random.below(3) > 0;
    if (rig.portNumbers.length > 0) {
      const port = random.pick(rig.portNumbers);
      if (write) rig.ports.write(port, size, random.value(size));
      else rig.observed.push(`in ${port} ${rig.ports.read(port, size)}`);
    } else if (rig.mmioRange !== undefined) {
      const [base, length] = rig.mmioRange;
      const mmioSize = random.pick<AccessSize>([4, 4, 4, size]);
      const address = base + random.below(length / mmioSize) * mmioSize;
      if (write) rig.mmio.write(address, mmioSize, random.value(mmioSize));
      else rig.observed.push(`mmio ${address} ${rig.mmio.read(address, mmioSize)}`);
    }
  }
}

/** The state's fields less those of these names, at any depth. */
function without(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, names));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const kept = Object.entries(value).filter(([name]) => !names.includes(name));
  return Object.fromEntries(kept.map(([name, item]) => [name, without(item, names)]));
}

/** A copy of a state value with one part, anywhere in it, replaced by something else. */
function mutate(value: StateValue | undefined, random: Random): StateValue {
  if (value instanceof Uint8Array) {
    const copy = value.slice();
    if (copy.length > 0 && random.below(2) === 0) copy[random.below(copy.length)] = random.below(256);
    else return new Uint8Array(random.below(200)).fill(random.below(256));
    return copy;
  }
  if (Array.isArray(value) && value.length > 0 && random.below(8) !== 0) {
    const copy = [...(value as StateValue[])];
    const at = random.below(copy.length);
    copy[at] = mutate(copy[at], random);
    return copy;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && random.below(12) !== 0) {
    const record = value as Record<string, StateValue>;
    const name = random.pick(Object.keys(record));
    return { ...record, [name]: mutate(record[name], random) };
  }
  return random.pick<StateValue>([
    0,
    1,
    -1,
    7,
    255,
    256,
    0xffff,
    0xffffffff,
    2 ** 40,
    2 ** 52,
    2 ** 53,
    1e300,
    0.5,
    NaN,
    Infinity,
    null,
    true,
    false,
    'KeyA',
    '',
    [],
    {},
    new Uint8Array(3),
    random.next(),
    random.below(256),
  ]);
}

describe.each(Object.entries(RIGS))('%s', (name, make) => {
  const seed = [...name].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) | 0, 7);
  const exercised = (): { rig: Rig; random: Random } => {
    const rig = makeRig(0, make);
    const random = new Random(seed);
    for (let i = 0; i < OPERATIONS; i++) step(rig, random);
    return { rig, random };
  };

  it('survives random accesses, and its saved state carries all that can be observed', () => {
    const { rig } = exercised();
    expect(rig.observed.length).toBeGreaterThan(100);
    const twin = makeRig(rig.clock.nowNs(), make);
    const saved = rig.device.save();
    twin.device.load(saved);
    expect(twin.device.save()).toEqual(saved);
    rig.observed.length = 0;
    twin.observed.length = 0;
    const [first, second] = [new Random(seed + 1), new Random(seed + 1)];
    for (let i = 0; i < AFTER_RESTORE; i++) {
      step(rig, first);
      step(twin, second);
    }
    expect(twin.observed).toEqual(rig.observed);
    expect(twin.device.save()).toEqual(rig.device.save());
  });

  it('goes back to power-on state by reset', () => {
    const { rig } = exercised();
    const fresh = makeRig(rig.clock.nowNs(), make);
    fresh.device.reset('power');
    rig.device.reset('power');
    const kept = KEPT_BY_RESET[name] ?? [];
    expect(without(rig.device.save(), kept)).toEqual(without(fresh.device.save(), kept));
  });

  it('refuses a hostile state whole, or works on with it', () => {
    const { rig, random } = exercised();
    const saved = rig.device.save();
    let refused = 0;
    for (let i = 0; i < 80; i++) {
      const victim = makeRig(rig.clock.nowNs(), make);
      victim.device.load(saved);
      const before = victim.device.save();
      const fields = mutate(saved.fields, random) as DeviceState['fields'];
      try {
        victim.device.load({ version: saved.version, fields });
      } catch (error) {
        expect(isNestboxError(error) && error.kind).toBe('bad-input');
        expect(victim.device.save()).toEqual(before);
        refused++;
      }
      for (let j = 0; j < 40; j++) step(victim, random);
      victim.clock.advance(1_000_000);
      victim.device.load(victim.device.save());
    }
    expect(refused).toBeGreaterThan(5);
    expect(() => rig.device.load({ version: 999, fields: saved.fields })).toThrow(/version/);
    expect(() => rig.device.load({ version: saved.version, fields: { ...saved.fields, surplus: 1 } })).toThrow();
  });

  it('releases its ports and timers', () => {
    const { rig } = exercised();
    rig.device.dispose();
    expect(rig.clock.nextDeadlineNs()).toBe(Infinity);
  });
});
