// Resource descriptors (ACPI 6.4, section 6.4): what _CRS, _PRS and _SRS exchange.

import { ByteWriter, checksumByte } from '../byte-writer.ts';
import { type Aml, buffer, concat } from './aml.ts';

const CONSUMER_LEVEL_HIGH_SHARED = 0x09;

/** The buffer of a list of descriptors, closed by an end tag. */
export function resourceTemplate(...descriptors: readonly Uint8Array[]): Aml {
  const body = concat(...descriptors, [0x79]);
  // A checksum of zero says "not checked", but real ones are computed anyway.
  return buffer(concat(body, [checksumByte(body)]));
}

/** Fixed ports, decoded with 16 bits. */
export function ioPorts(base: number, count: number): Uint8Array {
  return new ByteWriter().u8(0x47).u8(1).u16(base).u16(base).u8(1).u8(count).toBytes();
}

/** An ISA interrupt: edge triggered, active high. */
export function irq(line: number): Uint8Array {
  return new ByteWriter()
    .u8(0x22)
    .u16(1 << line)
    .toBytes();
}

/** An ISA DMA channel: compatible timing, 8 bits, no bus master. */
export function dma(channel: number): Uint8Array {
  return Uint8Array.of(0x2a, 1 << channel, 0x00);
}

/** Interrupts of which one is used: level triggered, active high, shared, as PIIX routes PCI interrupts. */
export function pciInterrupt(lines: readonly number[]): Uint8Array {
  const out = new ByteWriter()
    .u8(0x89)
    .u16(2 + lines.length * 4)
    .u8(CONSUMER_LEVEL_HIGH_SHARED)
    .u8(lines.length);
  for (const line of lines) out.u32(line);
  return out.toBytes();
}

/** Where the number of `pciInterrupt([n])` lies in its buffer. */
export const PCI_INTERRUPT_NUMBER_OFFSET = 5;

export function fixedMemory(base: number, length: number, writable: boolean): Uint8Array {
  return new ByteWriter()
    .u8(0x86)
    .u16(9)
    .u8(writable ? 1 : 0)
    .u32(base)
    .u32(length)
    .toBytes();
}

const PRODUCER_MIN_MAX_FIXED = 0x0c;

/** Bus numbers that a host bridge produces. */
export function busNumbers(first: number, last: number): Uint8Array {
  return wordSpace(2, 0, first, last);
}

/** Ports that a host bridge passes on; all of them, ISA aliases included. */
export function ioWindow(first: number, last: number): Uint8Array {
  return wordSpace(1, 0x03, first, last);
}

function wordSpace(type: number, flags: number, first: number, last: number): Uint8Array {
  return new ByteWriter()
    .u8(0x88)
    .u16(13)
    .u8(type)
    .u8(PRODUCER_MIN_MAX_FIXED)
    .u8(flags)
    .u16(0)
    .u16(first)
    .u16(last)
    .u16(0)
    .u16(last - first + 1)
    .toBytes();
}

export type Caching = 'uncached' | 'cached';
const MEMORY_FLAGS: Readonly<Record<Caching, number>> = { uncached: 0x01, cached: 0x03 };

/** Memory below 4 GiB that a host bridge passes on. */
export function memoryWindow(first: number, last: number, caching: Caching): Uint8Array {
  return new ByteWriter()
    .u8(0x87)
    .u16(23)
    .u8(0)
    .u8(PRODUCER_MIN_MAX_FIXED)
    .u8(MEMORY_FLAGS[caching])
    .u32(0)
    .u32(first)
    .u32(last)
    .u32(0)
    .u32(last - first + 1)
    .toBytes();
}

/** Memory anywhere that a host bridge passes on. */
export function memoryWindow64(first: number, last: number, caching: Caching): Uint8Array {
  return new ByteWriter()
    .u8(0x8a)
    .u16(43)
    .u8(0)
    .u8(PRODUCER_MIN_MAX_FIXED)
    .u8(MEMORY_FLAGS[caching])
    .u64(0)
    .u64(first)
    .u64(last)
    .u64(0)
    .u64(last - first + 1)
    .toBytes();
}
