// The OVF descriptor of a virtual appliance (DMTF DSP0243, Open Virtualization Format 1.1 and 2.0; resource types of
// CIM_ResourceAllocationSettingData): name, processors, memory, disks, CD drives, firmware. Only the first virtual system
// is read; networks, products and deployment options are not.

import { NestboxError } from '../base/errors.ts';
import { type XmlElement, child, descendants, parseXml } from './xml.ts';

export interface ApplianceDisk {
  /** Name of its image in the archive. */
  readonly member: string;
  /** 0 when it does not say. */
  readonly capacityBytes: number;
  readonly compressed: boolean;
}

export interface Appliance {
  readonly name: string;
  /** What its maker calls the system: "Debian_64", "Other 3.x Linux (64-bit)". */
  readonly systemText: string;
  readonly cpus: number;
  /** 0 when it does not say. */
  readonly memoryMib: number;
  readonly uefi: boolean;
  readonly disks: readonly ApplianceDisk[];
  readonly cdDrives: number;
  readonly notes: string;
  /** Further machines of a collection, which are not imported. */
  readonly otherSystems: number;
}

const CPU = '3';
const MEMORY = '4';
const CD_DRIVES = new Set(['15', '16']);
const DISK = '17';
const MIB = 2 ** 20;

/** "byte * 2^20", "MegaBytes", "kB" as bytes; MiB when nothing is said, as OVF 1.0 files mean it. */
export function unitBytes(unit: string | undefined, otherwise: number): number {
  const text = unit?.trim() ?? '';
  if (text === '') return otherwise;
  const power = /^bytes?(?:\s*\*\s*(2|10)\s*\^\s*(\d{1,2}))?$/i.exec(text);
  if (power !== null) return power[1] === undefined ? 1 : Number(power[1]) ** Number(power[2]);
  const named = /^(k|m|g|t)(?:i?b|bytes?|ilobytes?|egabytes?|igabytes?|erabytes?)$/i.exec(text);
  return named === null ? otherwise : 1024 ** (['k', 'm', 'g', 't'].indexOf((named[1] ?? '').toLowerCase()) + 1);
}

function whole(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text.trim()) : 0;
}

/** @throws NestboxError `bad-input` */
export function parseOvf(document: string): Appliance {
  const root = parseXml(document);
  if (root.name !== 'Envelope') throw new NestboxError('bad-input', 'The description in it is no OVF document', { op: 'read appliance' });
  const systems = descendants(root, 'VirtualSystem');
  const [system] = systems;
  if (system === undefined) throw new NestboxError('bad-input', 'No virtual machine is described in it', { op: 'read appliance' });
  const items = [...descendants(system, 'Item'), ...descendants(system, 'StorageItem')];
  const ofType = (type: string): XmlElement[] => items.filter((item) => child(item, 'ResourceType')?.text === type);
  const memory = ofType(MEMORY)[0];
  const operating = child(system, 'OperatingSystemSection');
  const systemText = [operating?.attributes.get('osType'), child(operating, 'OSType')?.text, child(operating, 'Description')?.text].filter((part) => part !== undefined && part !== '').join(' ');
  return {
    name: child(system, 'Name')?.text || system.attributes.get('id') || '',
    systemText,
    cpus: Math.max(1, whole(child(ofType(CPU)[0], 'VirtualQuantity')?.text)),
    memoryMib: Math.round((whole(child(memory, 'VirtualQuantity')?.text) * unitBytes(child(memory, 'AllocationUnits')?.text, MIB)) / MIB),
    uefi: isUefi(system),
    disks: ofType(DISK).flatMap((item) => diskOf(root, item)),
    cdDrives: items.filter((item) => CD_DRIVES.has(child(item, 'ResourceType')?.text ?? '')).length,
    notes: child(child(system, 'AnnotationSection'), 'Annotation')?.text ?? '',
    otherSystems: systems.length - 1,
  };
}

/** VMware writes a Config element, VirtualBox a Firmware element of its own. */
function isUefi(system: XmlElement): boolean {
  return (
    descendants(system, 'Config').some((config) => config.attributes.get('key') === 'firmware' && /efi/i.test(config.attributes.get('value') ?? '')) ||
    descendants(system, 'Firmware').some((firmware) => /^efi/i.test(firmware.attributes.get('type') ?? ''))
  );
}

function diskOf(root: XmlElement, item: XmlElement): ApplianceDisk[] {
  // "ovf:/disk/vmdisk1", in early files "/disk/vmdisk1"; or a file itself.
  const [, kind, id] = /^(?:ovf:)?\/(disk|file)\/(.+)$/.exec(child(item, 'HostResource')?.text ?? '') ?? [];
  if (id === undefined) return [];
  const disk = kind === 'disk' ? descendants(root, 'Disk').find((entry) => entry.attributes.get('diskId') === id) : undefined;
  const fileId = kind === 'disk' ? disk?.attributes.get('fileRef') : id;
  const file = descendants(root, 'File').find((entry) => entry.attributes.get('id') === fileId);
  const member = file?.attributes.get('href');
  if (member === undefined) return [];
  return [{ member, capacityBytes: whole(disk?.attributes.get('capacity')) * unitBytes(disk?.attributes.get('capacityAllocationUnits'), 1), compressed: (file?.attributes.get('compression') ?? 'identity') !== 'identity' }];
}
