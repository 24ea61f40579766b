// The DSDT's contents: host bridge with its windows and interrupt routing, ISA devices, processors, soft-off.

import {
  type Aml,
  and,
  argument,
  buffer,
  concat,
  createDwordField,
  device,
  eisaId,
  field,
  integer,
  method,
  name,
  notify,
  operationRegion,
  or,
  otherwise,
  packageOf,
  path,
  processor,
  returns,
  scope,
  serializedMethod,
  store,
  text,
  when,
} from './aml.ts';
import {
  type AcpiBoard,
  GENERATION_GPE,
  GPE0_BLK,
  GPE0_BLK_LEN,
  HPET_BASE,
  HPET_LENGTH,
  IO_APIC_BASE,
  ISA_BRIDGE_SLOT,
  LINK_IRQS,
  PIRQ_ROUTE_BASE,
  pirqLink,
  PM_BASE,
  PM_LENGTH,
  S5_SLEEP_TYPE,
  SCI_IRQ,
  SMI_CMD,
} from './board.ts';
import {
  busNumbers,
  dma,
  fixedMemory,
  ioPorts,
  ioWindow,
  irq,
  memoryWindow,
  memoryWindow64,
  pciInterrupt,
  PCI_INTERRUPT_NUMBER_OFFSET,
  resourceTemplate,
} from './resources.ts';
import { ByteWriter } from '../byte-writer.ts';

const STATUS_PRESENT = 0x0f;
const STATUS_HIDDEN = 0x0b;
const LINK_DISABLED_BIT = 0x80;
const LINK_NAMES = ['LNKA', 'LNKB', 'LNKC', 'LNKD'] as const;
const ROUTE_NAMES = ['PRQA', 'PRQB', 'PRQC', 'PRQD'] as const;
/** The link of the power management function: its interrupt is wired to the SCI. */
const SCI_LINK = 'LNKS';
const PCI_SLOTS = 32;
/** Of the generation id's device: its 16 bytes are others. */
const GENERATION_CHANGED = 0x80;

/** The terms of the DSDT, without its header. */
export function dsdtTerms(board: AcpiBoard): Aml {
  return concat(
    // 1 = the system uses APICs. PIIX routes PCI interrupts to the same numbers in both modes.
    name('PICF', integer(0)),
    method('_PIC', 1, store(argument(0), path('PICF'))),
    name('\\_S5', packageOf([integer(S5_SLEEP_TYPE), integer(S5_SLEEP_TYPE), integer(0), integer(0)])),
    scope('\\_PR', ...board.apicIds.map((_, index) => processor(processorName(index), index))),
    scope(
      '\\_SB',
      hostBridge(board),
      ...LINK_NAMES.map((_, index) => linkDevice(index)),
      sciLink(),
      ...systemDevices(board),
    ),
    ...(board.generationIdAddress === undefined
      ? []
      : [scope('\\_GPE', method(`_E${GENERATION_GPE.toString(16).toUpperCase().padStart(2, '0')}`, 0, notify(path('\\_SB.VGEN'), GENERATION_CHANGED)))]),
  );
}

function processorName(index: number): string {
  return `C${index.toString(16).toUpperCase().padStart(3, '0')}`;
}

function hostBridge(board: AcpiBoard): Aml {
  const windows = [
    busNumbers(0, 0xff),
    ioPorts(0xcf8, 8),
    ioWindow(0x0000, 0x0cf7),
    ioWindow(0x0d00, 0xffff),
    memoryWindow(0xa_0000, 0xb_ffff, 'cached'),
    memoryWindow(board.lowRamBytes, IO_APIC_BASE - 1, 'uncached'),
  ];
  const window64 = board.pciWindow64;
  if (window64 !== undefined)
    windows.push(memoryWindow64(window64.base, window64.base + window64.length - 1, 'cached'));
  return device(
    'PCI0',
    name('_HID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name('_CRS', resourceTemplate(...windows)),
    name('_PRT', routingTable()),
    isaBridge(board),
  );
}

/** One entry for each slot and pin: address, pin, link, 0. */
function routingTable(): Aml {
  const entries: Aml[] = [];
  for (let slot = 0; slot < PCI_SLOTS; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const link = slot === ISA_BRIDGE_SLOT && pin === 0 ? SCI_LINK : (LINK_NAMES[pirqLink(slot, pin)] ?? 'LNKA');
      entries.push(packageOf([integer(slot * 0x1_0000 + 0xffff), integer(pin), path(link), integer(0)]));
    }
  }
  return packageOf(entries);
}

function isaBridge(board: AcpiBoard): Aml {
  const devices: Aml[] = [
    operationRegion('PIRQ', 'pci-config', PIRQ_ROUTE_BASE, 4),
    field(
      'PIRQ',
      ROUTE_NAMES.map((route) => ({ name: route, bits: 8 })),
    ),
    isaDevice('RTC', 'PNP0B00', ioPorts(0x70, 2), irq(8)),
    isaDevice('KBD', 'PNP0303', ioPorts(0x60, 1), ioPorts(0x64, 1), irq(1)),
    isaDevice('MOU', 'PNP0F13', irq(12)),
  ];
  if (board.floppy !== false) devices.push(floppyController());
  for (let port = 0; port < (board.serialPorts ?? 2); port++) {
    devices.push(
      device(
        `COM${port + 1}`,
        name('_HID', eisaId('PNP0501')),
        name('_UID', integer(port + 1)),
        name('_STA', integer(STATUS_PRESENT)),
        name('_CRS', resourceTemplate(ioPorts(port === 0 ? 0x3f8 : 0x2f8, 8), irq(port === 0 ? 4 : 3))),
      ),
    );
  }
  if (board.parallelPort === true) devices.push(isaDevice('LPT', 'PNP0400', ioPorts(0x378, 8), irq(7)));
  return device('ISA', name('_ADR', integer(ISA_BRIDGE_SLOT * 0x1_0000)), ...devices);
}

function isaDevice(at: string, id: string, ...resources: readonly Uint8Array[]): Aml {
  return device(
    at,
    name('_HID', eisaId(id)),
    name('_STA', integer(STATUS_PRESENT)),
    name('_CRS', resourceTemplate(...resources)),
  );
}

function floppyController(): Aml {
  // _FDE: whether drives 0-3 are there, then 2 = tape drives unknown.
  const drives = new ByteWriter().u32(1).u32(0).u32(0).u32(0).u32(2).toBytes();
  return device(
    'FDC0',
    name('_HID', eisaId('PNP0700')),
    name('_STA', integer(STATUS_PRESENT)),
    name('_CRS', resourceTemplate(ioPorts(0x3f2, 4), ioPorts(0x3f7, 1), irq(6), dma(2))),
    name('_FDE', buffer(drives)),
  );
}

/** A PIRQ link: bit 7 of its route register switches it off, the low bits are the interrupt. */
function linkDevice(index: number): Aml {
  const route = path(`\\_SB.PCI0.ISA_.${ROUTE_NAMES[index] ?? ''}`);
  return device(
    LINK_NAMES[index] ?? '',
    name('_HID', eisaId('PNP0C0F')),
    name('_UID', integer(index)),
    name('_PRS', resourceTemplate(pciInterrupt(LINK_IRQS))),
    method(
      '_STA',
      0,
      when(and(route, integer(LINK_DISABLED_BIT)), returns(integer(0x09))),
      returns(integer(STATUS_HIDDEN)),
    ),
    method('_DIS', 0, or(route, integer(LINK_DISABLED_BIT), route)),
    name('BUF', resourceTemplate(pciInterrupt([0]))),
    serializedMethod(
      '_CRS',
      0,
      createDwordField(path('BUF'), PCI_INTERRUPT_NUMBER_OFFSET, 'INUM'),
      when(and(route, integer(LINK_DISABLED_BIT)), store(integer(0), path('INUM'))),
      otherwise(store(route, path('INUM'))),
      returns(path('BUF')),
    ),
    serializedMethod(
      '_SRS',
      1,
      createDwordField(argument(0), PCI_INTERRUPT_NUMBER_OFFSET, 'INUM'),
      store(path('INUM'), route),
    ),
  );
}

function sciLink(): Aml {
  const resources = resourceTemplate(pciInterrupt([SCI_IRQ]));
  return device(
    SCI_LINK,
    name('_HID', eisaId('PNP0C0F')),
    name('_UID', integer(LINK_NAMES.length)),
    name('_PRS', resources),
    name('_CRS', resources),
    name('_STA', integer(STATUS_HIDDEN)),
    method('_DIS', 0),
    method('_SRS', 1),
  );
}

function systemDevices(board: AcpiBoard): Aml[] {
  const devices: Aml[] = [
    // Ports of the power management function: nobody else may be given them.
    device(
      'MBRD',
      name('_HID', eisaId('PNP0C02')),
      name('_UID', integer(1)),
      name('_CRS', resourceTemplate(ioPorts(PM_BASE, PM_LENGTH), ioPorts(GPE0_BLK, GPE0_BLK_LEN), ioPorts(SMI_CMD, 2))),
    ),
  ];
  if (board.hpet !== false) {
    devices.push(
      device(
        'HPET',
        name('_HID', eisaId('PNP0103')),
        name('_UID', integer(0)),
        name('_STA', integer(STATUS_PRESENT)),
        name('_CRS', resourceTemplate(fixedMemory(HPET_BASE, HPET_LENGTH, false))),
      ),
    );
  }
  if (board.pvpanic !== false) {
    devices.push(
      device(
        'PEVT',
        name('_HID', text('QEMU0001')),
        name('_STA', integer(STATUS_PRESENT)),
        name('_CRS', resourceTemplate(ioPorts(0x505, 1))),
      ),
    );
  }
  if (board.fwCfg !== false) {
    devices.push(
      device(
        'FWCF',
        name('_HID', text('QEMU0002')),
        name('_STA', integer(STATUS_HIDDEN)),
        name('_CRS', resourceTemplate(ioPorts(0x510, 12))),
      ),
    );
  }
  if (board.generationIdAddress !== undefined) {
    // By the compatible id drivers find it, whoever made the machine. ADDR: low and high half of the address.
    devices.push(
      device(
        'VGEN',
        name('_HID', text('NBOX0001')),
        name('_CID', text('VM_Gen_Counter')),
        name('_DDN', text('VM_Gen_Counter')),
        name('_STA', integer(STATUS_PRESENT)),
        name('ADDR', packageOf([integer(board.generationIdAddress), integer(0)])),
      ),
    );
  }
  return devices;
}
