// The board's real interrupt controllers for a bare machine of one vCPU, so that an engine may borrow them: the 8259s are
// programmed for vectors 20h to 27h and end interrupts by themselves.

import { TimerQueue } from '../../core/base/timer-queue.ts';
import { InterruptBus } from '../../core/bus/interrupt-bus.ts';
import { MmioBus } from '../../core/bus/mmio-bus.ts';
import { PortBus } from '../../core/bus/port-bus.ts';
import type { Vcpu } from '../../core/cpu/contract.ts';
import { LocalApic } from '../../core/cpu/software/local-apic.ts';
import { IoApic } from '../../core/devices/platform/io-apic.ts';
import { Pic8259 } from '../../core/devices/platform/pic-8259.ts';
import { InterruptControllers } from '../../core/machine/interrupt-controllers.ts';

const FIRST_VECTOR = 0x20;
/** ICW1 to ICW4 of the master, with automatic end of interrupt, and no input masked. */
const PROGRAMMING: readonly (readonly [port: number, value: number])[] = [[0x20, 0x11], [0x21, FIRST_VECTOR], [0x21, 4], [0x21, 3], [0x21, 0]];

export class RigControllers {
  readonly localApic: LocalApic;
  readonly board: InterruptControllers;

  constructor(vcpu: () => Vcpu, readNs: () => number) {
    const clock = new TimerQueue(readNs);
    const bus = new InterruptBus();
    const pic = new Pic8259({ intr: { set: (level) => this.localApic.lint0.set(level) } });
    this.localApic = new LocalApic({
      id: 'lapic0',
      apicId: 0,
      isBsp: true,
      clock,
      bus,
      tscToNs: (tsc) => tsc,
      pic,
      onInterruptRequest: (level) => vcpu().setInterruptRequest(level),
      onNmi: () => vcpu().raiseNmi(),
      onInit: () => vcpu().raiseInit(),
      onStartup: (vector) => vcpu().raiseStartup(vector),
    });
    this.board = new InterruptControllers({ pic, localApics: [this.localApic], ioApic: new IoApic({ bus }), clock });
    const ports = new PortBus();
    this.board.attach(ports, new MmioBus());
    for (const [port, value] of PROGRAMMING) ports.write(port, 1, value);
  }

  /** An edge on the input whose vector this is. */
  interrupt(vector: number): void {
    const input = vector - FIRST_VECTOR;
    if (input < 0 || input > 7) throw new RangeError(`vector ${vector} is none of the master's`);
    this.board.drive(input, true);
    this.board.drive(input, false);
  }
}
