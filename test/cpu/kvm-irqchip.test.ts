// The interrupt controllers of this host's kernel against ours: the same programming and the same lines must lead to the
// same saved state, and a saved state must come back from the kernel as it went in.

import { afterEach, describe, expect, it } from 'vitest';
import { InterruptBus } from '../../core/bus/interrupt-bus.ts';
import { PortBus } from '../../core/bus/port-bus.ts';
import { type LocalApicFields, type PicChipFields, localApicFromKvm, localApicToKvm } from '../../core/cpu/kvm/irqchip-state.ts';
import { irqchipOffer } from '../../core/cpu/kvm/kernel-irqchip.ts';
import { openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import { IoApic } from '../../core/devices/platform/io-apic.ts';
import { Pic8259 } from '../../core/devices/platform/pic-8259.ts';
import { MachineRandom } from '../../core/machine/random.ts';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { SmpRig, resetControllers } from '../support/kvm-smp-rig.ts';

async function whySkip(): Promise<string | undefined> {
  const reason = await whyNoKvm();
  if (reason !== undefined) return reason;
  if (hostProbe().modes.real.support === 'missing') return 'this KVM has no real mode';
  const device = await openKvm();
  try {
    return irqchipOffer(device).full ? undefined : 'this KVM has no interrupt controllers';
  } finally {
    device.dispose();
  }
}

const reason = await whySkip();
const test = it.skipIf(reason !== undefined);
const STEP_PORT = 0x51;

type Step = { readonly port: number; readonly value: number } | { readonly line: number; readonly level: boolean };

/** Programming as drivers do it, and wires that move in between. */
function randomSteps(random: MachineRandom, length: number): Step[] {
  const pick = (count: number): number => random.next32() % count;
  const steps: Step[] = [];
  const initialise = (command: number, base: number, third: number): void => {
    steps.push({ port: command, value: 0x11 }, { port: command + 1, value: base }, { port: command + 1, value: third }, { port: command + 1, value: 1 | (pick(2) << 1) | (pick(4) === 0 ? 0x10 : 0) });
  };
  // Edge or level is chosen once, as firmware does: what an edge has latched before is gone in our chip, not in KVM's.
  steps.push({ port: 0x4d0, value: pick(256) }, { port: 0x4d1, value: pick(256) });
  initialise(0x20, 8, 4);
  initialise(0xa0, 0x70, 2);
  while (steps.length < length) {
    const command = pick(2) === 0 ? 0x20 : 0xa0;
    switch (pick(8)) {
      case 0:
        // Both, as drivers do: KVM gives the master's cascade input a new edge with every write, also when the slave has asked
        // since before the master was initialised.
        if (pick(6) !== 0) break;
        steps.push({ port: 0x4d1, value: 0 });
        initialise(0x20, pick(32) << 3, 4);
        initialise(0xa0, pick(32) << 3, 2);
        break;
      case 1:
        steps.push({ port: command + 1, value: pick(256) });
        break;
      case 2:
        // Commands that end or rotate, without those that do nothing.
        steps.push({ port: command, value: ([0x20, 0x60, 0xa0, 0xc0, 0xe0][pick(5)] ?? 0x20) | pick(8) });
        break;
      case 3:
        steps.push({ port: command, value: 0x08 | ([0x02, 0x03, 0x60, 0x40][pick(4)] ?? 2) });
        break;
      default: {
        const line = pick(16);
        if (line !== 2) steps.push({ line, level: pick(2) === 1 });
      }
    }
  }
  return steps;
}

/** mov dx, port; mov al, value; out dx, al */
function outCode(port: number, value: number): number[] {
  return [0xba, port & 0xff, port >> 8, 0xb0, value, 0xee];
}

function freshPic(): { pic: Pic8259; ports: PortBus } {
  const ports = new PortBus();
  const pic = new Pic8259({ intr: { set: () => undefined } });
  pic.attach(ports);
  return { pic, ports };
}

const fieldsOf = (pic: Pic8259): [PicChipFields, PicChipFields] => {
  const { master, slave } = pic.save().fields as unknown as { master: PicChipFields; slave: PicChipFields };
  return [master, slave];
};

describe(reason === undefined ? 'interrupt controllers of the kernel' : `interrupt controllers of the kernel (skipped: ${reason})`, () => {
  const rigs: SmpRig[] = [];
  const make = async (): Promise<SmpRig> => {
    const rig = await SmpRig.create(1);
    rigs.push(rig);
    return rig;
  };
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.close();
  });

  test('8259: the same programming and lines lead to the same state, which comes back as it went in', async () => {
    const rig = await make();
    for (let seed = 1; seed <= 30; seed++) {
      const steps = randomSteps(new MachineRandom(seed), 60);
      const { pic, ports } = freshPic();
      rig.load('cli\njmp 0:0x9000');
      rig.smp.irqchip.writePics(fieldsOf(pic));
      rig.smp.irqchip.writeIoApic({ ...rig.smp.irqchip.readIoApic(), lines: 0 });
      const code: number[] = [];
      const lines: { line: number; level: boolean }[] = [];
      for (const step of steps) {
        if ('line' in step) {
          lines.push(step);
          code.push(...outCode(STEP_PORT, lines.length - 1));
          pic.irq(step.line).set(step.level);
        } else {
          code.push(...outCode(step.port, step.value));
          ports.write(step.port, 1, step.value);
        }
      }
      rig.memory.write(0x9000, Uint8Array.from([...code, 0xb0, 0, 0xe6, 0x99, 0xeb, 0xfe]));
      rig.onAccess = ({ address, value }) => {
        const moved = address === STEP_PORT ? lines[value & 0xff] : undefined;
        if (moved !== undefined) rig.smp.irqchip.setLine(moved.line, moved.level);
      };
      const done = rig.untilDone();
      rig.start();
      await done;
      rig.smp.pause();
      const ours = fieldsOf(pic);
      const theirs = rig.smp.irqchip.readPics(ours);
      expect({ seed, pics: theirs }).toEqual({ seed, pics: ours });
      rig.smp.irqchip.writePics(ours);
      expect({ seed, pics: rig.smp.irqchip.readPics(ours) }).toEqual({ seed, pics: ours });
    }
  });

  test('I/O APIC: a state comes back as it went in, and edges that were sent are not sent again', async () => {
    const rig = await make();
    const sent: number[] = [];
    const bus = new InterruptBus();
    bus.addTarget({ apicId: 0, arbitrationPriority: 0, acceptsFixed: true, matchesPhysical: () => true, matchesLogical: () => true, accept: (_mode, vector) => sent.push(vector) });
    const ours = new IoApic({ bus });
    const random = new MachineRandom(5);
    for (let pin = 0; pin < 24; pin++) {
      ours.writeMmio(0, 4, 0x11 + pin * 2);
      ours.writeMmio(0x10, 4, (random.next32() & 0xff00_0000) >>> 0);
      ours.writeMmio(0, 4, 0x10 + pin * 2);
      // Fixed, some masked, some level-triggered.
      ours.writeMmio(0x10, 4, (0x30 + pin) | ((random.next32() & 1) << 16) | ((random.next32() & 1) << 15) | ((random.next32() & 1) << 11));
    }
    for (let pin = 0; pin < 24; pin++) if (pin % 3 === 0) ours.pin(pin).set(true);
    const fields = ours.save().fields as never;
    rig.smp.irqchip.writeIoApic(fields);
    expect(rig.smp.irqchip.readIoApic()).toEqual(fields);
    const { localApics } = rig.readState(0, resetControllers(1));
    // The processor's APIC is off, so it has taken nothing; the kernel has not raised remote IRR of edges either.
    expect(localApics[0]?.irr).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('local APIC: a state comes back as it went in, timers that run go on', async () => {
    const rig = await make();
    const base = resetControllers(1).localApics[0] as LocalApicFields;
    const fields: LocalApicFields = {
      ...base,
      taskPriority: 0x20,
      ldr: 0x0200_0000,
      dfr: 0x0fff_ffff,
      svr: 0x1f7,
      icrLow: 0x0c_0040,
      icrHigh: 0x0300_0000,
      lvt: [0x2_0050, 0x1_0000, 0x1_0000, 0x700, 0x400, 0xfe],
      isr: [0, 1 << 5, 0, 0, 0, 0, 0, 0],
      irr: [0, 0, 1 << 9, 0, 0, 0, 0, 1 << 3],
      tmr: [0, 1 << 5, 0, 0, 0, 0, 0, 0],
      timer: { ...base.timer, mode: 1, divide: 0xb, initial: 400_000_000, remaining: 300_000_000, startNs: 1000, running: true, timerDeadline: 300_001_000 },
    };
    const state = rig.readState(0, resetControllers(1));
    rig.writeState({ ...state, localApics: [fields] }, 1000);
    const back = (rig.readState(5000, { ...state, localApics: [fields] })).localApics[0] as LocalApicFields;
    const { timer } = back;
    expect(back).toEqual({ ...fields, timer });
    expect({ ...timer, remaining: 0, timerDeadline: 0 }).toEqual({ ...fields.timer, startNs: 5000, remaining: 0, timerDeadline: 0 });
    expect(timer.remaining).toBeLessThanOrEqual(300_000_000);
    expect(timer.remaining).toBeGreaterThan(0);
    expect(timer.timerDeadline).toBe(5000 + timer.remaining);
  });

  it('local APIC timers convert: one that has run out stays so, one that is due is due', () => {
    const base = resetControllers(1).localApics[0] as LocalApicFields;
    const over: LocalApicFields = { ...base, timer: { ...base.timer, initial: 1000, remaining: 1000, startNs: 50, running: false } };
    const extras = { baseLow: base.baseLow, baseHigh: 0, deadlineLow: 0, deadlineHigh: 0 };
    expect(localApicFromKvm(localApicToKvm(over, 9000), extras, 9000, over, false, (tsc) => tsc)).toEqual(over);
    const due: LocalApicFields = { ...base, timer: { ...base.timer, initial: 1000, remaining: 1000, startNs: 0, running: true, timerDeadline: 2000 } };
    const page = new DataView(localApicToKvm(due, 5000).buffer);
    expect([page.getUint32(0x380, true), page.getUint32(0x390, true)]).toEqual([1000, 1]);
    const early = new DataView(localApicToKvm(due, 600).buffer);
    // Divided by two: 300 of 1000 counts have gone.
    expect(early.getUint32(0x390, true)).toBe(700);
  });
});
