// An ATAPI CD/DVD-ROM drive (MMC-3): the commands of a reading drive, media that are inserted and ejected at run time, unit
// attention, a tray that locks. The disc is one data track of 2,048-byte sectors.
// Not emulated: audio, raw sectors, DVD structures, writing.

import { z } from 'zod';
import { Emitter, type Event } from '../../base/emitter.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { type DriveIdentity, identifyPacketDevice } from './ata-identify.ts';
import * as A from './ata-registers.ts';
import * as R from './atapi-replies.ts';
import { AtapiDevice, atapiTransportSchema, checkTransport } from './atapi-device.ts';
import type { DriveOptions } from './ide-drive.ts';
import { MediumQueue } from './medium-queue.ts';
import * as S from './scsi-codes.ts';

const MODE_DEFAULT = 0x42;
/** GET EVENT STATUS: media events. */
const EVENT_NONE = 0;
const EVENT_NEW_MEDIA = 2;
const EVENT_MEDIA_REMOVAL = 3;

export interface AtapiCdromOptions extends DriveOptions {
  readonly medium?: BlockDevice | undefined;
  readonly identity?: Partial<DriveIdentity> | undefined;
}

export const atapiCdromSchema = z.strictObject({
  kind: z.literal('cdrom'),
  transport: atapiTransportSchema,
  unitAttention: z.boolean(),
  event: z.int().min(0).max(4),
  trayOpen: z.boolean(),
  locked: z.boolean(),
  dmaMode: z.int().min(0).max(0x47),
});
export type AtapiCdromState = z.infer<typeof atapiCdromSchema>;

/** Commands that work, and report, before a pending unit attention. */
const ANSWERED_BEFORE_ATTENTION: readonly number[] = [S.OP_INQUIRY, S.OP_REQUEST_SENSE, S.OP_GET_CONFIGURATION, S.OP_GET_EVENT_STATUS];

export class AtapiCdrom extends AtapiDevice {
  private readonly identity: DriveIdentity;
  private readonly trayEmitter = new Emitter<boolean>();
  private disc: MediumQueue | undefined;
  private unitAttention = false;
  private event = EVENT_NONE;
  private trayOpen = false;
  private locked = false;
  private dmaMode = MODE_DEFAULT;

  constructor(options: AtapiCdromOptions) {
    super(options);
    this.identity = {
      model: options.identity?.model ?? 'Nestbox CD-ROM',
      serial: options.identity?.serial ?? 'NB0000000002',
      firmware: options.identity?.firmware ?? '1.0',
    };
    if (options.medium !== undefined) this.disc = new MediumQueue(options.medium);
    this.endReset();
  }

  // --- media -----------------------------------------------------------------------------------------------------

  /** Puts a disc in (in place of the one that is there) and closes the tray; the guest sees a medium change. */
  insert(device: BlockDevice): void {
    if (this.disc !== undefined) void this.eject();
    this.disc = new MediumQueue(device);
    this.unitAttention = true;
    this.event = EVENT_NEW_MEDIA;
    this.setTray(false);
  }

  /** Takes the disc out, locked or not; resolves with it when the host no longer reads it. */
  async eject(): Promise<BlockDevice | undefined> {
    const disc = this.disc;
    this.disc = undefined;
    if (disc === undefined) return undefined;
    this.event = EVENT_MEDIA_REMOVAL;
    if (this.readsMedium) this.failCommand(S.SENSE_NO_MEDIUM);
    await disc.idle();
    return disc.device;
  }

  get medium(): BlockDevice | undefined {
    return this.disc?.device;
  }

  /** True while the guest forbids the user to take the disc out. */
  get isLocked(): boolean {
    return this.locked;
  }

  /** Fires when the guest (or `insert`) opens (true) or closes the tray. The disc stays in the open tray. */
  get onTrayChange(): Event<boolean> {
    return this.trayEmitter.event;
  }

  private setTray(open: boolean): void {
    if (open === this.trayOpen) return;
    this.trayOpen = open;
    this.trayEmitter.fire(open);
  }

  protected get queue(): MediumQueue | undefined {
    return this.disc;
  }

  /** Sectors of the disc that can be read now, or undefined. */
  protected get sectors(): number | undefined {
    if (this.disc === undefined || this.trayOpen) return undefined;
    return Math.floor(this.disc.device.sizeBytes / S.CD_SECTOR_BYTES);
  }

  // --- ATA commands ----------------------------------------------------------------------------------------------

  override hardReset(): void {
    this.resetTransport();
    this.unitAttention = false;
    this.event = EVENT_NONE;
    this.locked = false;
    this.dmaMode = MODE_DEFAULT;
    this.setTray(false);
    super.hardReset();
  }

  protected execute(command: number): void {
    switch (command) {
      case A.CMD_PACKET: return this.awaitPacket();
      case A.CMD_IDENTIFY_PACKET: return this.sendIdentify(identifyPacketDevice(this.identity, this.dmaMode));
      case A.CMD_DEVICE_RESET:
        this.endReset();
        return;
      case A.CMD_SET_FEATURES: return this.setFeatures();
      case A.CMD_CHECK_POWER_MODE:
        this.taskFile.sectorCount = 0xff;
        return this.ataDone();
      case A.CMD_STANDBY_IMMEDIATE:
      case A.CMD_IDLE_IMMEDIATE:
      case A.CMD_STANDBY:
      case A.CMD_IDLE:
      case A.CMD_SLEEP:
      case A.CMD_FLUSH_CACHE: return this.ataDone();
      case A.CMD_IDENTIFY:
      case A.CMD_READ_SECTORS:
        // Drivers that take every drive for a disk learn better from the signature.
        this.taskFile.setSignature(true);
        return this.ataAbort();
      default: return this.ataAbort();
    }
  }

  private setFeatures(): void {
    const { feature, sectorCount } = this.taskFile;
    const mode = sectorCount & 7;
    const type = sectorCount >> 3;
    if (feature !== 0x03) return feature === 0x66 || feature === 0xcc ? this.ataDone() : this.ataAbort();
    const valid = type === 0 || (type === 1 && mode <= 4) || (type === 4 && mode <= 2) || (type === 8 && mode <= 5);
    if (!valid) return this.ataAbort();
    if (type >= 4) this.dmaMode = sectorCount;
    this.ataDone();
  }

  // --- packet commands -------------------------------------------------------------------------------------------

  protected executePacket(): void {
    const { packet } = this;
    const [operation = 0] = packet;
    if (this.unitAttention && !ANSWERED_BEFORE_ATTENTION.includes(operation)) {
      this.unitAttention = false;
      return this.failCommand(S.SENSE_MEDIUM_CHANGED);
    }
    switch (operation) {
      case S.OP_INQUIRY: return packet[1] ? this.failCommand(S.SENSE_INVALID_FIELD) : this.reply(R.inquiry(this.identity.model, this.identity.firmware), this.word(3));
      case S.OP_REQUEST_SENSE: return this.requestSense();
      case S.OP_GET_CONFIGURATION: return this.reply(R.configuration((packet[1] ?? 0) & 3, this.word(2), this.sectors), this.word(7));
      case S.OP_GET_EVENT_STATUS: return this.eventStatus();
      case S.OP_MODE_SENSE_10: return this.modeSense();
      case S.OP_MECHANISM_STATUS: return this.reply([0, this.trayOpen ? 0x10 : 0, 0, 0, 0, 0, 0, 0], this.word(8));
      case S.OP_PREVENT_ALLOW:
        this.locked = ((packet[4] ?? 0) & 1) !== 0;
        return this.finishCommand();
      case S.OP_START_STOP_UNIT: return this.startStop();
      case S.OP_SET_CD_SPEED: return this.finishCommand();
      default: return this.executeDiscCommand(operation);
    }
  }

  /** Commands that need a disc. */
  private executeDiscCommand(operation: number): void {
    const { packet } = this;
    if (!DISC_COMMANDS.includes(operation)) return this.failCommand(S.SENSE_INVALID_OPCODE);
    const { sectors } = this;
    if (sectors === undefined) return this.failCommand(this.trayOpen ? S.SENSE_NO_MEDIUM_TRAY_OPEN : S.SENSE_NO_MEDIUM);
    switch (operation) {
      case S.OP_TEST_UNIT_READY:
      case S.OP_STOP_PLAY: return this.finishCommand();
      case S.OP_READ_CAPACITY: return this.reply([...R.be32(Math.max(sectors - 1, 0)), ...R.be32(S.CD_SECTOR_BYTES)], 8);
      case S.OP_SEEK_10: return this.dword(2) < sectors ? this.finishCommand() : this.failCommand(S.SENSE_LBA_OUT_OF_RANGE);
      case S.OP_READ_10: return this.sendSectors(this.dword(2), this.word(7));
      case S.OP_READ_12: return this.sendSectors(this.dword(2), this.dword(6));
      case S.OP_READ_CD: return this.readCd(this.dword(2), (this.word(6) << 8) | (packet[8] ?? 0));
      case S.OP_READ_CD_MSF: {
        const start = this.msfAt(3);
        const end = this.msfAt(6);
        return start < 0 || end < start ? this.failCommand(S.SENSE_INVALID_FIELD) : this.readCd(start, end - start);
      }
      case S.OP_READ_TOC: return this.readToc(sectors);
      case S.OP_READ_SUBCHANNEL: return this.readSubchannel();
      case S.OP_READ_DISC_INFORMATION: return this.reply(R.discInformation(sectors), this.word(7));
      default: {
        const information = R.trackInformation((packet[1] ?? 0) & 3, this.dword(2), sectors);
        return information === undefined ? this.failCommand(S.SENSE_INVALID_FIELD) : this.reply(information, this.word(7));
      }
    }
  }

  private word(at: number): number {
    return ((this.packet[at] ?? 0) << 8) | (this.packet[at + 1] ?? 0);
  }

  private dword(at: number): number {
    return this.word(at) * 0x1_0000 + this.word(at + 2);
  }

  private msfAt(at: number): number {
    const { packet } = this;
    return ((packet[at] ?? 0) * 60 + (packet[at + 1] ?? 0)) * 75 + (packet[at + 2] ?? 0) - S.MSF_OFFSET;
  }

  /** READ CD: user data of mode 1 sectors is what the disc has; other selections cannot be served. */
  private readCd(lba: number, count: number): void {
    const expectedType = ((this.packet[1] ?? 0) >> 2) & 7;
    const selection = (this.packet[9] ?? 0) & 0xf8;
    if ((expectedType !== 0 && expectedType !== 2) || ((this.packet[10] ?? 0) & 7) !== 0) return this.failCommand(S.SENSE_ILLEGAL_MODE);
    if (selection === 0) return this.finishCommand();
    if (selection !== 0x10) return this.failCommand(S.SENSE_INVALID_FIELD);
    this.sendSectors(lba, count);
  }

  private readToc(sectors: number): void {
    const { packet } = this;
    // Old drivers put the format into the last byte.
    const format = ((packet[2] ?? 0) & 0x0f) || (packet[9] ?? 0) >> 6;
    const toc = R.tableOfContents(format, ((packet[1] ?? 0) & 2) !== 0, packet[6] ?? 0, sectors);
    return toc === undefined ? this.failCommand(S.SENSE_INVALID_FIELD) : this.reply(toc, this.word(7));
  }

  private readSubchannel(): void {
    const { packet } = this;
    const wantsData = ((packet[2] ?? 0) & 0x40) !== 0;
    const format = packet[3] ?? 0;
    // Audio status "no status to return"; position 0 of track 1, no catalogue number, no ISRC.
    const header = (length: number): number[] => [0, 0x15, ...R.be16(length)];
    if (!wantsData) return this.reply(header(0), this.word(7));
    switch (format) {
      case 1: return this.reply([...header(12), 1, 0x14, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], this.word(7));
      case 2: case 3: return this.reply([...header(20), format, 0x14, 1, ...new Array<number>(17).fill(0)], this.word(7));
      default: return this.failCommand(S.SENSE_INVALID_FIELD);
    }
  }

  private requestSense(): void {
    let { sense } = this;
    if (sense === S.SENSE_NONE && this.unitAttention) {
      this.unitAttention = false;
      sense = S.SENSE_MEDIUM_CHANGED;
    }
    this.sense = S.SENSE_NONE;
    const data = [0x70, 0, sense >> 16, 0, 0, 0, 0, 10, 0, 0, 0, 0, (sense >> 8) & 0xff, sense & 0xff, 0, 0, 0, 0];
    this.reply(data, this.packet[4] ?? 0);
  }

  private eventStatus(): void {
    const { packet } = this;
    if (((packet[1] ?? 0) & 1) === 0) return this.failCommand(S.SENSE_INVALID_FIELD); // only polled operation
    const mediaWanted = ((packet[4] ?? 0) & 0x10) !== 0;
    if (!mediaWanted) return this.reply([0, 2, 0x80, 0x10], this.word(7));
    const mediaStatus = (this.disc === undefined ? 0 : 2) | (this.trayOpen ? 1 : 0);
    const event = this.event;
    this.event = EVENT_NONE;
    this.reply([0, 6, 0x04, 0x10, event, mediaStatus, 0, 0], this.word(7));
  }

  private modeSense(): void {
    const { packet } = this;
    const control = (packet[2] ?? 0) >> 6;
    if (control === 3) return this.failCommand(S.SENSE_SAVING_NOT_SUPPORTED);
    const medium = this.trayOpen ? 'open' : this.disc === undefined ? 'none' : 'data';
    const pages = R.modeSense((packet[2] ?? 0) & 0x3f, control === 1, medium, this.locked);
    return pages === undefined ? this.failCommand(S.SENSE_INVALID_FIELD) : this.reply(pages, this.word(7));
  }

  private startStop(): void {
    const action = (this.packet[4] ?? 0) & 3;
    if (action === 2) {
      if (this.locked) return this.failCommand(S.SENSE_REMOVAL_PREVENTED);
      if (!this.trayOpen && this.disc !== undefined) this.event = EVENT_MEDIA_REMOVAL;
      this.setTray(true);
    } else if (action === 3) {
      if (this.trayOpen && this.disc !== undefined) {
        this.unitAttention = true;
        this.event = EVENT_NEW_MEDIA;
      }
      this.setTray(false);
    }
    this.finishCommand();
  }

  // --- state -----------------------------------------------------------------------------------------------------

  save(): AtapiCdromState {
    return {
      kind: 'cdrom',
      transport: this.saveTransport(),
      unitAttention: this.unitAttention,
      event: this.event,
      trayOpen: this.trayOpen,
      locked: this.locked,
      dmaMode: this.dmaMode,
    };
  }

  /** What the schema cannot check. @returns the reason why the state cannot be, or undefined */
  checkState(saved: AtapiCdromState): string | undefined {
    return checkTransport(saved.transport);
  }

  load(saved: AtapiCdromState): void {
    this.loadTransport(saved.transport);
    this.unitAttention = saved.unitAttention;
    this.event = saved.event;
    this.setTray(saved.trayOpen);
    this.locked = saved.locked;
    this.dmaMode = saved.dmaMode;
  }

  override dispose(): void {
    super.dispose();
    this.trayEmitter.dispose();
  }
}

const DISC_COMMANDS: readonly number[] = [
  S.OP_TEST_UNIT_READY, S.OP_STOP_PLAY, S.OP_READ_CAPACITY, S.OP_SEEK_10, S.OP_READ_10, S.OP_READ_12, S.OP_READ_CD, S.OP_READ_CD_MSF,
  S.OP_READ_TOC, S.OP_READ_SUBCHANNEL, S.OP_READ_DISC_INFORMATION, S.OP_READ_TRACK_INFORMATION,
];
