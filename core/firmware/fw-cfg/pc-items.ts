// The items that SeaBIOS and OVMF read from the firmware configuration device of a QEMU "pc" machine.

import { ByteWriter, utf8 } from '../byte-writer.ts';
import type { KernelFile } from '../loaders/load-kernel.ts';
import { E820_USABLE, type RamSizes } from '../loaders/memory-map.ts';
import { isLinuxImage, parseLinuxHeader } from '../loaders/linux-header.ts';
import type { FwCfg } from './fw-cfg.ts';

const FW_CFG_UUID = 0x02;
const FW_CFG_RAM_SIZE = 0x03;
const FW_CFG_NOGRAPHIC = 0x04;
const FW_CFG_NB_CPUS = 0x05;
const FW_CFG_KERNEL_SIZE = 0x08;
const FW_CFG_INITRD_SIZE = 0x0b;
const FW_CFG_NUMA = 0x0d;
const FW_CFG_BOOT_MENU = 0x0e;
const FW_CFG_MAX_CPUS = 0x0f;
const FW_CFG_KERNEL_DATA = 0x11;
const FW_CFG_INITRD_DATA = 0x12;
const FW_CFG_CMDLINE_SIZE = 0x14;
const FW_CFG_CMDLINE_DATA = 0x15;
const FW_CFG_SETUP_SIZE = 0x17;
const FW_CFG_SETUP_DATA = 0x18;
const FW_CFG_IRQ0_OVERRIDE = 0x8002;

/** One byte a sleep state S0-S5: bit 7 = there, low bits its SLP_TYP. S3 and S4 are not offered. */
const SYSTEM_STATES = [0x80, 0x00, 0x00, 0x01, 0x02, 0x80] as const;

export interface PcItemsOptions {
  readonly ram: RamSizes;
  readonly cpus: number;
  /** 16 bytes in the order of the text form. */
  readonly uuid?: Uint8Array | undefined;
  readonly bootMenu?: boolean | undefined;
  /** Open Firmware device paths, first choice first: see boot-order.ts. */
  readonly bootOrder?: readonly string[] | undefined;
}

/** Adds what describes the machine: sizes, CPUs, memory map, sleep states, boot order. */
export function addPcItems(device: FwCfg, options: PcItemsOptions): void {
  const { ram } = options;
  const u16 = (value: number): Uint8Array => new ByteWriter().u16(value).toBytes();
  device.addItem(FW_CFG_UUID, (options.uuid ?? new Uint8Array(16)).slice(0, 16));
  device.addItem(FW_CFG_RAM_SIZE, new ByteWriter().u64(ram.lowRamBytes + ram.highRamBytes).toBytes());
  device.addItem(FW_CFG_NOGRAPHIC, u16(0));
  device.addItem(FW_CFG_NB_CPUS, u16(options.cpus));
  device.addItem(FW_CFG_MAX_CPUS, u16(options.cpus));
  device.addItem(FW_CFG_BOOT_MENU, u16(options.bootMenu === true ? 1 : 0));
  device.addItem(FW_CFG_IRQ0_OVERRIDE, new ByteWriter().u32(1).toBytes());
  // No NUMA nodes: the count, then one node number for each CPU.
  device.addItem(
    FW_CFG_NUMA,
    new ByteWriter()
      .u64(0)
      .zeroes(options.cpus * 8)
      .toBytes(),
  );
  const map = new ByteWriter().u64(0).u64(ram.lowRamBytes).u32(E820_USABLE);
  if (ram.highRamBytes > 0) map.u64(0x1_0000_0000).u64(ram.highRamBytes).u32(E820_USABLE);
  device.addFile('etc/e820', map.toBytes());
  device.addFile('etc/system-states', Uint8Array.from(SYSTEM_STATES));
  if (options.bootOrder !== undefined && options.bootOrder.length > 0) {
    device.addFile('bootorder', utf8(`${options.bootOrder.join('\n')}\0`));
  }
}

export interface FirmwareKernel {
  readonly kernel: KernelFile;
  readonly initrd?: KernelFile | undefined;
  readonly commandLine?: string | undefined;
}

/** Adds a Linux kernel for firmware that starts it itself (OVMF). @throws NestboxError kind `bad-input` */
export function addDirectBootItems(device: FwCfg, files: FirmwareKernel): void {
  const u32 = (value: number): Uint8Array => new ByteWriter().u32(value).toBytes();
  const { content, name } = files.kernel;
  const setupBytes = isLinuxImage(content) ? parseLinuxHeader(content, name).setupBytes : 0;
  const initrd = files.initrd?.content ?? new Uint8Array(0);
  const commandLine = utf8(`${files.commandLine ?? ''}\0`);
  device.addItem(FW_CFG_SETUP_SIZE, u32(setupBytes));
  device.addItem(FW_CFG_SETUP_DATA, content.subarray(0, setupBytes));
  device.addItem(FW_CFG_KERNEL_SIZE, u32(content.length - setupBytes));
  device.addItem(FW_CFG_KERNEL_DATA, content.subarray(setupBytes));
  device.addItem(FW_CFG_INITRD_SIZE, u32(initrd.length));
  device.addItem(FW_CFG_INITRD_DATA, initrd);
  device.addItem(FW_CFG_CMDLINE_SIZE, u32(commandLine.length));
  device.addItem(FW_CFG_CMDLINE_DATA, commandLine);
}
