// The PC's pair of 8259A interrupt controllers: master at 20h, slave at A0h cascaded on IR2, edge/level control (ELCR)
// at 4D0h/4D1h as in the PIIX3.

import { z } from 'zod';
import { type Disposable, DisposableStore } from '../../base/disposable.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { Pic8259Chip, pic8259ChipSchema } from './pic-8259-chip.ts';

const VERSION = 1;
const CASCADE = 2;
const SPURIOUS = 7;
const schema = z.strictObject({ master: pic8259ChipSchema, slave: pic8259ChipSchema });

export interface Pic8259Options {
  readonly id?: string | undefined;
  /** The master's INT output: the CPU's INTR pin, or LINT0 of the local APIC. */
  readonly intr: IrqLine;
}

export class Pic8259 implements Device {
  readonly id: string;
  private readonly intr: IrqLine;
  private readonly master: Pic8259Chip;
  private readonly slave: Pic8259Chip;
  private output = false;

  constructor(options: Pic8259Options) {
    this.id = options.id ?? 'pic';
    this.intr = options.intr;
    // IRQ 0, 1, 2, 8 and 13 are edge-triggered by wiring (PIIX3 datasheet, ELCR1/ELCR2).
    this.master = new Pic8259Chip({ isMaster: true, elcrMask: 0xf8, onChange: () => this.driveOutput() });
    this.slave = new Pic8259Chip({
      isMaster: false,
      elcrMask: 0xde,
      onChange: () => this.master.setLine(CASCADE, this.slave.interrupt),
    });
  }

  /** The wire of ISA interrupt 0..15; 2 does not exist (it is the cascade). */
  irq(number: number): IrqLine {
    if (number === CASCADE) return { set: () => undefined };
    const chip = number < 8 ? this.master : this.slave;
    return { set: (level) => chip.setLine(number & 7, level) };
  }

  /** True while the INTR output is high. */
  get interrupt(): boolean {
    return this.output;
  }

  /** INTA cycle: the vector to run. A request that went away meanwhile gives the spurious vector (IR7 or IR15). */
  acknowledge(): number {
    const input = this.master.takePending();
    let vector: number;
    if (input === CASCADE) {
      const slaveInput = this.slave.takePending();
      vector = this.slave.vectorOf(slaveInput < 8 ? slaveInput : SPURIOUS);
      this.cascade();
    } else {
      vector = this.master.vectorOf(input < 8 ? input : SPURIOUS);
    }
    this.driveOutput();
    return vector;
  }

  attach(ports: Pick<PortBus, 'register'>): Disposable {
    const store = new DisposableStore();
    store.add(ports.register(0x20, 2, chipPorts(this.master)));
    store.add(ports.register(0xa0, 2, chipPorts(this.slave)));
    store.add(
      ports.register(0x4d0, 2, {
        readPort: (offset) => (offset === 0 ? this.master : this.slave).readElcr(),
        writePort: (offset, _size, value) => (offset === 0 ? this.master : this.slave).writeElcr(value),
      }),
    );
    return store;
  }

  reset(): void {
    this.slave.reset();
    this.master.reset();
  }

  save(): DeviceState {
    return { version: VERSION, fields: { master: this.master.save(), slave: this.slave.save() } };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.master.load(fields.master);
    this.slave.load(fields.slave);
    this.output = this.master.interrupt;
    this.intr.set(this.output);
  }

  dispose(): void {
    this.intr.set(false);
  }

  /**
   * The slave lowers INT during INTA and raises it again for the next request, which gives the edge-triggered master
   * input a new edge.
   */
  private cascade(): void {
    this.master.setLine(CASCADE, false);
    this.master.setLine(CASCADE, this.slave.interrupt);
  }

  private driveOutput(): void {
    const level = this.master.interrupt;
    if (level === this.output) return;
    this.output = level;
    this.intr.set(level);
  }
}

function chipPorts(chip: Pic8259Chip): PortDevice {
  return {
    readPort: (offset: number) => (offset === 0 ? chip.readCommand() : chip.readData()),
    writePort: (offset: number, _size: AccessSize, value: number) => {
      if (offset === 0) chip.writeCommand(value);
      else chip.writeData(value);
    },
  };
}
