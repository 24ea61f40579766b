// What a machine starts from: the built-in BIOS, or an image from outside, and a kernel that either of them starts.

import type { Logger } from '../base/logger.ts';
import type { TimerQueue } from '../base/timer-queue.ts';
import type { Vcpu } from '../cpu/contract.ts';
import { KERNEL_ROM_BOOT_PATH, KERNEL_ROM_PORT, KERNEL_ROM_PORT_COUNT, KernelRomPort, addKernelRom } from '../firmware/fw-cfg/kernel-rom.ts';
import { addDirectBootItems } from '../firmware/fw-cfg/pc-items.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { VmConfig } from '../protocol/vm-config.ts';
import { type BuiltInFirmware, bootPaths, createBuiltInFirmware } from './built-in-firmware.ts';
import type { DirectBoot } from './direct-boot.ts';
import { type ExternalFirmware, type TableOptions, fillFwCfg } from './firmware-setup.ts';
import type { IoQueue } from './io-queue.ts';
import type { MediaSet } from './media-set.ts';
import type { PcBoard } from './pc-board.ts';

export interface MachineFirmwareOptions {
  readonly config: VmConfig;
  readonly board: PcBoard;
  readonly memory: PhysicalMemory;
  readonly media: MediaSet;
  readonly io: IoQueue;
  readonly clock: TimerQueue;
  readonly log: Logger;
  readonly uuid: Uint8Array;
  readonly vcpu: () => Vcpu;
  readonly kernel: DirectBoot | undefined;
  readonly external: ExternalFirmware | undefined;
}

/** @returns the built-in BIOS, or undefined when the firmware is another */
export function setUpFirmware(options: MachineFirmwareOptions): BuiltInFirmware | undefined {
  const { config, board, memory, media, io, clock, log, vcpu, kernel, external } = options;
  const tables = tableOptions(options);
  const bootOrder = bootPaths(media, config.bootOrder);
  if (external !== undefined) {
    memory.rom.set(external.rom);
    if (kernel !== undefined) offerKernel(options, kernel, bootOrder);
    fillFwCfg(board.fwCfg, tables, bootOrder);
    return undefined;
  }
  const firmware = createBuiltInFirmware({
    board,
    memory,
    media,
    io,
    clock,
    log,
    bootOrder: config.bootOrder,
    tables,
    vcpu,
    startKernel: kernel === undefined ? undefined : () => kernel.request({ memoryMap: firmware.memoryMap, rsdpAddress: firmware.rsdpAddress }),
  });
  fillFwCfg(board.fwCfg, tables, bootOrder);
  return firmware;
}

function tableOptions({ config, memory, uuid }: MachineFirmwareOptions): TableOptions {
  return {
    lowRamBytes: memory.lowRamBytes,
    highRamBytes: memory.highRamBytes,
    cpus: config.cpus,
    ioApicId: 0,
    cpuSignature: { eax: 0x000306a9, edx: 0x0f8bfbff },
    cpuName: 'Nestbox Software CPU',
    uuid,
    version: '0.1.0',
  };
}

/** External firmware starts the kernel by our option ROM, or by itself when it is one for UEFI. */
function offerKernel({ board, memory }: MachineFirmwareOptions, kernel: DirectBoot, bootOrder: string[]): void {
  bootOrder.unshift(KERNEL_ROM_BOOT_PATH);
  addKernelRom(board.fwCfg);
  board.ports.register(KERNEL_ROM_PORT, KERNEL_ROM_PORT_COUNT, new KernelRomPort({ memory, onBoot: (memoryMap) => kernel.request({ memoryMap }) }), 2);
  addDirectBootItems(board.fwCfg, kernel.files);
}
