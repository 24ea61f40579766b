// Open Firmware style device paths, as SeaBIOS and OVMF match them against the machine's devices ("bootorder" file).

export interface PciAddress {
  readonly slot: number;
  readonly function: number;
}

const pciPath = (address: PciAddress, name: string): string =>
  `/pci@i0cf8/${name}@${address.slot.toString(16)}${address.function === 0 ? '' : `,${address.function.toString(16)}`}`;

/** A disk or CD on the PIIX IDE controller. */
export function idePath(controller: PciAddress, channel: 0 | 1, unit: 0 | 1): string {
  return `${pciPath(controller, 'ide')}/drive@${channel}/disk@${unit}`;
}

/** A drive of the floppy controller behind the ISA bridge. */
export function floppyPath(isaBridge: PciAddress, drive: 0 | 1): string {
  return `${pciPath(isaBridge, 'isa')}/fdc@03f0/floppy@${drive}`;
}

/** A virtio block device. */
export function virtioBlockPath(address: PciAddress): string {
  return `${pciPath(address, 'scsi')}/disk@0,0`;
}

/** A network card that boots by its option ROM. */
export function networkPath(address: PciAddress): string {
  return `${pciPath(address, 'ethernet')}/ethernet-phy@0`;
}
