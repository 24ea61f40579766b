// One IDE channel: command block and control block ports, drive selection, the interrupt line, software reset, and the answers
// for a drive that is not there. Works alone (ISA) or with a bus master.

import { z } from 'zod';
import { NestboxError } from '../../base/errors.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { AccessSize, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState, ResetKind } from '../device.ts';
import { u8 } from '../platform/state-fields.ts';
import { parseState } from '../state.ts';
import { AtaDisk, ataDiskSchema } from './ata-disk.ts';
import * as A from './ata-registers.ts';
import { AtapiCdrom, atapiCdromSchema } from './atapi-cdrom.ts';
import type { BusMaster } from './bus-master.ts';
import type { DriveHost } from './ide-drive.ts';

export type AttachedDrive = AtaDisk | AtapiCdrom;

export interface IdeChannelOptions {
  readonly id: string;
  readonly irq: IrqLine;
  /** Device 0 (master) and device 1 (slave). */
  readonly drives: readonly [AttachedDrive | undefined, AttachedDrive | undefined];
  readonly busMaster?: BusMaster | undefined;
}

export interface IdePortRange {
  readonly base: number;
  readonly count: number;
  readonly maxSize: AccessSize;
  readonly device: PortDevice;
}

const VERSION = 1;
const driveSchema = z.discriminatedUnion('kind', [ataDiskSchema, atapiCdromSchema]).nullable();
export const ideChannelSchema = z.strictObject({
  control: u8,
  deviceRegister: u8,
  drives: z.tuple([driveSchema, driveSchema]),
});
export type IdeChannelState = z.infer<typeof ideChannelSchema>;

export class IdeChannel implements Device, DriveHost {
  readonly id: string;
  readonly busMaster: BusMaster | undefined;
  private readonly irq: IrqLine;
  private readonly drives: readonly (AttachedDrive | undefined)[];
  private control = 0;
  /** Select bit and the bits that read 1; the rest of the device register belongs to the drives. */
  private deviceRegister = A.DEVICE_OBSOLETE;
  private line = false;

  constructor(options: IdeChannelOptions) {
    this.id = options.id;
    this.irq = options.irq;
    this.busMaster = options.busMaster;
    this.drives = options.drives;
    for (const drive of this.drives) drive?.attach(this);
    if (this.busMaster !== undefined) {
      this.busMaster.onStartStop = (started) => {
        if (started) for (const drive of this.drives) drive?.busMasterStarted();
      };
    }
  }

  /** The ports to register, for the usual bases 1F0/3F6 and 170/376. */
  ports(commandBase: number, controlPort: number): readonly IdePortRange[] {
    return [
      { base: commandBase, count: 8, maxSize: 4, device: { readPort: (offset, size) => this.readCommand(offset, size), writePort: (offset, size, value) => this.writeCommand(offset, size, value) } },
      { base: controlPort, count: 1, maxSize: 1, device: { readPort: () => this.readAlternateStatus(), writePort: (_offset, _size, value) => this.writeControl(value) } },
    ];
  }

  // --- what drives see -------------------------------------------------------------------------------------------

  get interruptsDisabled(): boolean {
    return (this.control & A.CONTROL_NIEN) !== 0;
  }

  interruptChanged(): void {
    const level = this.selected()?.interruptPending === true && !this.interruptsDisabled;
    if (level === this.line) return;
    this.line = level;
    if (level) this.busMaster?.interruptRaised();
    this.irq.set(level);
  }

  // --- ports -----------------------------------------------------------------------------------------------------

  private selected(): AttachedDrive | undefined {
    return this.drives[this.deviceRegister & A.DEVICE_SELECT ? 1 : 0];
  }

  private get empty(): boolean {
    return this.drives[0] === undefined && this.drives[1] === undefined;
  }

  readCommand(offset: number, size: AccessSize): number {
    if (offset === A.REG_DATA && size !== 1) return this.selected()?.readData(size === 4) ?? 0;
    let value = this.readRegister(offset);
    for (let i = 1; i < size; i++) value |= this.readRegister(offset + i) << (i * 8);
    return value >>> 0;
  }

  writeCommand(offset: number, size: AccessSize, value: number): void {
    if (offset === A.REG_DATA && size !== 1) {
      this.selected()?.writeData(value, size === 4);
      return;
    }
    for (let i = 0; i < size; i++) this.writeRegister(offset + i, (value >>> (i * 8)) & 0xff);
  }

  private readRegister(offset: number): number {
    // Device 0 answers for a device 1 that is not there, with a status of 0; nobody answers on an empty channel.
    const drive = this.selected();
    const answering = drive ?? this.drives[0] ?? this.drives[1];
    if (answering === undefined) return 0;
    switch (offset) {
      case A.REG_DATA: return drive === undefined ? 0 : drive.readData(false) & 0xff;
      case A.REG_DEVICE: return this.deviceRegister | (drive ?? answering).taskFile.device;
      case A.REG_STATUS_COMMAND:
        if (drive === undefined) return 0;
        drive.clearInterrupt();
        return drive.readStatus();
      default: return drive === undefined ? 0 : drive.taskFile.read(offset, (this.control & A.CONTROL_HOB) !== 0);
    }
  }

  private writeRegister(offset: number, value: number): void {
    if (this.empty) return;
    this.control &= ~A.CONTROL_HOB;
    switch (offset) {
      case A.REG_DATA: this.selected()?.writeData(value, false); return;
      case A.REG_STATUS_COMMAND: return this.writeCommandCode(value);
      case A.REG_DEVICE:
        this.deviceRegister = A.DEVICE_OBSOLETE | (value & A.DEVICE_SELECT);
        this.writeTaskFiles(offset, value);
        return this.interruptChanged();
      default: return this.writeTaskFiles(offset, value);
    }
  }

  /** Both drives see every write; one that works on a command ignores it. */
  private writeTaskFiles(offset: number, value: number): void {
    for (const drive of this.drives) if (drive !== undefined && !drive.busy) drive.taskFile.write(offset, value);
  }

  private writeCommandCode(command: number): void {
    if ((this.control & A.CONTROL_SRST) !== 0) return;
    if (command === A.CMD_EXECUTE_DIAGNOSTIC) return this.executeDiagnostic();
    this.selected()?.writeCommand(command);
  }

  /** Both drives run it; device 0 reports for both and is selected afterwards. */
  private executeDiagnostic(): void {
    if (this.selected()?.busy === true) return;
    for (const drive of this.drives) {
      drive?.clearInterrupt();
      drive?.endReset();
    }
    this.deviceRegister = A.DEVICE_OBSOLETE;
    this.selected()?.diagnosticDone();
  }

  private readAlternateStatus(): number {
    return this.selected()?.readStatus() ?? 0;
  }

  private writeControl(value: number): void {
    const old = this.control;
    this.control = value & (A.CONTROL_HOB | A.CONTROL_SRST | A.CONTROL_NIEN);
    const rising = (value & A.CONTROL_SRST) !== 0 && (old & A.CONTROL_SRST) === 0;
    const falling = (value & A.CONTROL_SRST) === 0 && (old & A.CONTROL_SRST) !== 0;
    if (rising) for (const drive of this.drives) drive?.beginReset();
    if (falling) {
      for (const drive of this.drives) drive?.endReset();
      this.deviceRegister = A.DEVICE_OBSOLETE;
    }
    this.interruptChanged();
  }

  // --- life cycle ------------------------------------------------------------------------------------------------

  reset(_kind: ResetKind): void {
    this.control = 0;
    this.deviceRegister = A.DEVICE_OBSOLETE;
    this.busMaster?.reset();
    for (const drive of this.drives) drive?.hardReset();
    this.interruptChanged();
  }

  saveFields(): IdeChannelState {
    return {
      control: this.control,
      deviceRegister: this.deviceRegister,
      drives: [this.drives[0]?.save() ?? null, this.drives[1]?.save() ?? null],
    };
  }

  /** @throws NestboxError kind `bad-input` when the state does not fit the drives of this channel */
  checkFields(saved: IdeChannelState): void {
    saved.drives.forEach((state, index) => {
      const drive = this.drives[index];
      const problem = describeMisfit(drive, state);
      if (problem === undefined) return;
      throw new NestboxError('bad-input', `Saved state of ${this.id}: drive ${index}: ${problem}`, { op: 'load state' });
    });
  }

  loadFields(saved: IdeChannelState): void {
    this.control = saved.control & (A.CONTROL_HOB | A.CONTROL_SRST | A.CONTROL_NIEN);
    this.deviceRegister = A.DEVICE_OBSOLETE | (saved.deviceRegister & A.DEVICE_SELECT);
    saved.drives.forEach((state, index) => {
      const drive = this.drives[index];
      if (drive instanceof AtaDisk && state?.kind === 'disk') drive.load(state);
      else if (drive instanceof AtapiCdrom && state?.kind === 'cdrom') drive.load(state);
    });
    // The line follows the loaded drives; the bus master's interrupt bit was saved on its own.
    this.line = this.selected()?.interruptPending === true && !this.interruptsDisabled;
    this.irq.set(this.line);
    for (const drive of this.drives) drive?.restart();
  }

  save(): DeviceState {
    return { version: VERSION, fields: this.saveFields() };
  }

  load(state: DeviceState): void {
    const saved = parseState(this.id, state, VERSION, ideChannelSchema);
    this.checkFields(saved);
    this.loadFields(saved);
  }

  dispose(): void {
    for (const drive of this.drives) drive?.dispose();
  }
}

function describeMisfit(drive: AttachedDrive | undefined, state: IdeChannelState['drives'][number]): string | undefined {
  if (drive === undefined) return state === null ? undefined : 'there is no such drive';
  if (state === null) return 'state of the drive is missing';
  if (drive instanceof AtaDisk && state.kind === 'disk') return drive.checkState(state);
  if (drive instanceof AtapiCdrom && state.kind === 'cdrom') return drive.checkState(state);
  return 'drive of another kind';
}
