// The page walk: legacy 32-bit (4 KiB, 4 MiB with PSE-36), PAE and 4-level paging (4 KiB, 2 MiB, 1 GiB), with NX, WP,
// SMEP, SMAP, reserved bits, accessed and dirty bits. Intel SDM volume 3 chapter 4; MAXPHYADDR is 40. Not offered: PCID,
// protection keys, 5-level paging. Upper-level accessed bits are set only when the whole walk succeeds.

import { A20_MASK, CR0, CR3, CR4, EFER, PDPTE } from './generated/layout';
import { physicalRead, physicalReplace } from './physical';
import { cpu, get64 } from './state';

export const ACCESS_READ: u32 = 1;
export const ACCESS_WRITE: u32 = 2;
export const ACCESS_EXEC: u32 = 4;
/** Not a right but a page property, kept with them by the TLB. */
export const PAGE_GLOBAL: u32 = 8;
export const PAGE_LARGE: u32 = 64;

export const CR0_PE: u64 = 1;
export const CR0_MP: u64 = 2;
export const CR0_EM: u64 = 4;
export const CR0_TS: u64 = 8;
export const CR0_ET: u64 = 16;
export const CR0_NE: u64 = 32;
export const CR0_WP: u64 = 1 << 16;
export const CR0_AM: u64 = 1 << 18;
export const CR0_NW: u64 = 1 << 29;
export const CR0_CD: u64 = 1 << 30;
export const CR0_PG: u64 = 1 << 31;
export const CR4_VME: u64 = 1;
export const CR4_PVI: u64 = 2;
export const CR4_TSD: u64 = 4;
export const CR4_DE: u64 = 8;
export const CR4_PSE: u64 = 16;
export const CR4_PAE: u64 = 32;
export const CR4_MCE: u64 = 64;
export const CR4_PGE: u64 = 128;
export const CR4_PCE: u64 = 256;
export const CR4_OSFXSR: u64 = 512;
export const CR4_OSXMMEXCPT: u64 = 1024;
export const CR4_UMIP: u64 = 1 << 11;
export const CR4_FSGSBASE: u64 = 1 << 16;
export const CR4_OSXSAVE: u64 = 1 << 18;
export const CR4_SMEP: u64 = 1 << 20;
export const CR4_SMAP: u64 = 1 << 21;
export const EFER_SCE: u64 = 1;
export const EFER_LME: u64 = 1 << 8;
export const EFER_LMA: u64 = 1 << 10;
export const EFER_NXE: u64 = 1 << 11;

/** MAXPHYADDR as CPUID 80000008h shows it. */
export const PHYSICAL_BITS: u32 = 40;
const PHYSICAL_MASK: u64 = 0xffffff_f000;
const RESERVED_HIGH: u64 = 0x000f_ff00_0000_0000;
const NX: u64 = 0x8000_0000_0000_0000;

const P: u64 = 1;
const RW: u64 = 2;
const US: u64 = 4;
const A: u64 = 0x20;
const D: u64 = 0x40;
const PS: u64 = 0x80;
const G: u64 = 0x100;

const RETRY: i32 = -2;

/** Results of the last successful walk: physical page number, and rights with PAGE_GLOBAL and PAGE_LARGE. */
export let walkPage: u64 = 0;
export let walkRights: u32 = 0;

/** Whether CPUID shows pages of 1 GiB: without them the size bit is reserved at that level. */
let gigabytePages: bool = true;

export function setGigabytePages(shown: bool): void {
  gigabytePages = shown;
}

/** Table numbers of the TLB, also the privilege that a walk checks. */
export const TABLE_USER: u32 = 0;
export const TABLE_SUPERVISOR: u32 = 1;
export const TABLE_SMAP_OVERRIDE: u32 = 2;

/** What a mapping allows to a privilege. */
function rightsOf(table: u32, entryBits: u64, cr0: u64, cr4: u64): u32 {
  const user = (entryBits & US) != 0;
  const writable = (entryBits & RW) != 0;
  const executable = (entryBits & NX) == 0;
  if (table == TABLE_USER) {
    if (!user) return 0;
    return ACCESS_READ | (writable ? ACCESS_WRITE : 0) | (executable ? ACCESS_EXEC : 0);
  }
  let rights: u32 = 0;
  if (!(user && (cr4 & CR4_SMAP) != 0 && table != TABLE_SMAP_OVERRIDE)) {
    rights = ACCESS_READ | (writable || (cr0 & CR0_WP) == 0 ? ACCESS_WRITE : 0);
  }
  if (executable && !(user && (cr4 & CR4_SMEP) != 0)) rights |= ACCESS_EXEC;
  return rights;
}

/** Error code bits that do not depend on why the access failed. */
function accessCode(table: u32, access: u32, cr4: u64, efer: u64): u32 {
  let code: u32 = access == ACCESS_WRITE ? 2 : 0;
  if (table == TABLE_USER) code |= 4;
  if (access == ACCESS_EXEC && ((cr4 & CR4_SMEP) != 0 || ((cr4 & CR4_PAE) != 0 && (efer & EFER_NXE) != 0))) code |= 16;
  return code;
}

/**
 * Translates a linear address for one kind of access.
 * @param table the privilege: TABLE_USER, TABLE_SUPERVISOR or TABLE_SMAP_OVERRIDE
 * @param update sets accessed and dirty bits and checks permissions; without it only the mapping is looked up
 * @returns -1 with walkPage and walkRights set, else the page-fault error code
 */
export function walk(linear: u64, table: u32, access: u32, update: bool): i32 {
  const cr0 = get64(CR0);
  if ((cr0 & CR0_PG) == 0) {
    walkPage = (linear & 0xffffffff & get64(A20_MASK)) >> 12;
    walkRights = ACCESS_READ | ACCESS_WRITE | ACCESS_EXEC;
    return -1;
  }
  let result: i32;
  do {
    if ((get64(CR4) & CR4_PAE) == 0) result = walkLegacy(linear, table, access, update);
    else result = walkWide(linear, table, access, update);
  } while (result == RETRY);
  return result;
}

function walkLegacy(linear: u64, table: u32, access: u32, update: bool): i32 {
  const cr0 = get64(CR0);
  const cr4 = get64(CR4);
  const a20 = get64(A20_MASK);
  const failed = accessCode(table, access, cr4, get64(EFER));
  const directoryAddress = ((get64(CR3) & 0xfffff000) | ((linear >> 20) & 0xffc)) & a20;
  const directory = physicalRead(directoryAddress, 4);
  if ((directory & P) == 0) return failed;
  if ((directory & PS) != 0 && (cr4 & CR4_PSE) != 0) {
    if ((directory & 0x200000) != 0) return failed | 9;
    const rights = rightsOf(table, directory & ~NX, cr0, cr4);
    if (update) {
      if ((rights & access) == 0) return failed | 1;
      const bits = access == ACCESS_WRITE ? A | D : A;
      if ((directory & bits) != bits && !physicalReplace(directoryAddress, 4, directory, directory | bits)) return RETRY;
    }
    const base = (directory & 0xffc00000) | ((directory & 0x1fe000) << 19);
    return finish(base | (linear & 0x3ff000), rights, directory, access, cr4, PAGE_LARGE);
  }
  const entryAddress = ((directory & 0xfffff000) | ((linear >> 10) & 0xffc)) & a20;
  const entry = physicalRead(entryAddress, 4);
  if ((entry & P) == 0) return failed;
  const rights = rightsOf(table, entry & directory & ~NX, cr0, cr4);
  if (update) {
    if ((rights & access) == 0) return failed | 1;
    if ((directory & A) == 0 && !physicalReplace(directoryAddress, 4, directory, directory | A)) return RETRY;
    const bits = access == ACCESS_WRITE ? A | D : A;
    if ((entry & bits) != bits && !physicalReplace(entryAddress, 4, entry, entry | bits)) return RETRY;
  }
  return finish(entry & 0xfffff000, rights, entry, access, cr4, 0);
}

/** PAE and 4-level paging. */
function walkWide(linear: u64, table: u32, access: u32, update: bool): i32 {
  const cr0 = get64(CR0);
  const cr4 = get64(CR4);
  const efer = get64(EFER);
  const a20 = get64(A20_MASK);
  const failed = accessCode(table, access, cr4, efer);
  const long = (efer & EFER_LMA) != 0;
  const reserved = RESERVED_HIGH | ((efer & EFER_NXE) != 0 ? 0 : NX);
  let address4: u64 = 0, address3: u64 = 0;
  let entry4: u64 = A, entry3: u64 = A;
  // R/W and U/S hold when set at every level, NX when set at any: gathered as "clear" bits in `denied`.
  let allowed: u64 = RW | US;
  let denied: u64 = 0;
  let pointer: u64;
  if (long) {
    address4 = ((get64(CR3) & PHYSICAL_MASK) | ((linear >> 36) & 0xff8)) & a20;
    entry4 = physicalRead(address4, 8);
    if ((entry4 & P) == 0) return failed;
    if ((entry4 & (reserved | PS)) != 0) return failed | 9;
    allowed &= entry4;
    denied |= entry4 & NX;
    address3 = ((entry4 & PHYSICAL_MASK) | ((linear >> 27) & 0xff8)) & a20;
    entry3 = physicalRead(address3, 8);
    if ((entry3 & P) == 0) return failed;
    if ((entry3 & reserved) != 0) return failed | 9;
    allowed &= entry3;
    denied |= entry3 & NX;
    if ((entry3 & PS) != 0) {
      if ((entry3 & 0x3fffe000) != 0 || !gigabytePages) return failed | 9;
      const rights = rightsOf(table, allowed | denied, cr0, cr4);
      if (update) {
        if ((rights & access) == 0) return failed | 1;
        if ((entry4 & A) == 0 && !physicalReplace(address4, 8, entry4, entry4 | A)) return RETRY;
        const bits = access == ACCESS_WRITE ? A | D : A;
        if ((entry3 & bits) != bits && !physicalReplace(address3, 8, entry3, entry3 | bits)) return RETRY;
      }
      return finish((entry3 & PHYSICAL_MASK & ~(<u64>0x3fffffff)) | (linear & 0x3ffff000), rights, entry3, access, cr4, PAGE_LARGE);
    }
    pointer = entry3;
  } else {
    // The four PDPTEs were read and checked when CR3 was loaded; they carry no rights and no accessed bit.
    pointer = load<u64>(cpu + (<usize>((linear >> 30) & 3) << 3), PDPTE);
    if ((pointer & P) == 0) return failed;
  }
  const reserved2 = long ? reserved : reserved | 0x7ff0_0000_0000_0000;
  const address2 = ((pointer & PHYSICAL_MASK) | ((linear >> 18) & 0xff8)) & a20;
  const entry2 = physicalRead(address2, 8);
  if ((entry2 & P) == 0) return failed;
  if ((entry2 & reserved2) != 0) return failed | 9;
  allowed &= entry2;
  denied |= entry2 & NX;
  if ((entry2 & PS) != 0) {
    if ((entry2 & 0x1fe000) != 0) return failed | 9;
    const rights = rightsOf(table, allowed | denied, cr0, cr4);
    if (update) {
      if ((rights & access) == 0) return failed | 1;
      if ((entry4 & A) == 0 && !physicalReplace(address4, 8, entry4, entry4 | A)) return RETRY;
      if ((entry3 & A) == 0 && !physicalReplace(address3, 8, entry3, entry3 | A)) return RETRY;
      const bits = access == ACCESS_WRITE ? A | D : A;
      if ((entry2 & bits) != bits && !physicalReplace(address2, 8, entry2, entry2 | bits)) return RETRY;
    }
    return finish((entry2 & PHYSICAL_MASK & ~(<u64>0x1fffff)) | (linear & 0x1ff000), rights, entry2, access, cr4, PAGE_LARGE);
  }
  const address1 = ((entry2 & PHYSICAL_MASK) | ((linear >> 9) & 0xff8)) & a20;
  const entry1 = physicalRead(address1, 8);
  if ((entry1 & P) == 0) return failed;
  if ((entry1 & reserved2) != 0) return failed | 9;
  allowed &= entry1;
  denied |= entry1 & NX;
  const rights = rightsOf(table, allowed | denied, cr0, cr4);
  if (update) {
    if ((rights & access) == 0) return failed | 1;
    if ((entry4 & A) == 0 && !physicalReplace(address4, 8, entry4, entry4 | A)) return RETRY;
    if ((entry3 & A) == 0 && !physicalReplace(address3, 8, entry3, entry3 | A)) return RETRY;
    if ((entry2 & A) == 0 && !physicalReplace(address2, 8, entry2, entry2 | A)) return RETRY;
    const bits = access == ACCESS_WRITE ? A | D : A;
    if ((entry1 & bits) != bits && !physicalReplace(address1, 8, entry1, entry1 | bits)) return RETRY;
  }
  return finish(entry1 & PHYSICAL_MASK, rights, entry1, access, cr4, 0);
}

function finish(physical: u64, rights: u32, leaf: u64, access: u32, cr4: u64, large: u32): i32 {
  walkPage = (physical & get64(A20_MASK)) >> 12;
  // Without the dirty bit the first write must walk again.
  if (access != ACCESS_WRITE && (leaf & D) == 0) rights &= ~ACCESS_WRITE;
  if ((leaf & G) != 0 && (cr4 & CR4_PGE) != 0) rights |= PAGE_GLOBAL;
  walkRights = rights | large;
  return -1;
}
