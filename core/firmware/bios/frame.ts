// The caller's registers during a BIOS service: the frame that a ROM stub pushed on the guest's stack. Changes are written
// back when the service ends, so the stub's POPAD and IRET hand them to the caller.

import { FRAME_BYTES, FRAME_SERVICE } from './rom/trap.ts';
import type { BiosCpu } from './types.ts';

const EDI = 0;
const ESI = 4;
const EBP = 8;
const SPARE = 12;
const EBX = 16;
const EDX = 20;
const ECX = 24;
const EAX = 28;
const ES = 32;
const DS = 34;
const IP = 38;
const CS = 40;
const FLAGS = 42;
/** EFLAGS of the 32-bit frame. */
const EFLAGS32 = 32;
const ESP_INDEX = 4;

export const FLAG_CARRY = 0x0001;
export const FLAG_ZERO = 0x0040;
export const FLAG_INTERRUPT = 0x0200;

export class Frame {
  private readonly bytes = new Uint8Array(FRAME_BYTES);
  private readonly view = new DataView(this.bytes.buffer);
  private readonly wide: boolean;
  private readonly flagsOffset: number;
  private changed = false;
  private cpu: BiosCpu | undefined;
  private address = 0;

  /** @param wide the 32-bit frame of the PCI entry instead of the interrupt frame */
  constructor(wide = false) {
    this.wide = wide;
    this.flagsOffset = wide ? EFLAGS32 : FLAGS;
  }

  /** Reads the frame at the top of the caller's stack. */
  load(cpu: BiosCpu): void {
    const esp = cpu.getRegister32(ESP_INDEX);
    // Real and virtual-8086 mode stacks wrap at 64 KiB; the upper half of ESP may hold anything there.
    this.address = (cpu.getSegment('ss').base + (this.wide ? esp : esp & 0xffff)) >>> 0;
    this.cpu = cpu;
    this.changed = false;
    // A stack that is not mapped reads as service 0, which does nothing.
    if (!cpu.readLinear(this.address, this.bytes)) this.bytes.fill(0);
  }

  store(): void {
    if (this.changed) this.cpu?.writeLinear(this.address, this.bytes);
    this.changed = false;
  }

  private set16(offset: number, value: number): void {
    this.changed = true;
    this.view.setUint16(offset, value, true);
  }

  private set32(offset: number, value: number): void {
    this.changed = true;
    this.view.setUint32(offset, value, true);
  }

  private set8(offset: number, value: number): void {
    this.changed = true;
    this.bytes[offset] = value;
  }

  get service(): number {
    return this.bytes[FRAME_SERVICE] as number;
  }
  get handle(): number {
    return this.bytes[FRAME_SERVICE + 1] as number;
  }
  set handle(value: number) {
    this.set8(FRAME_SERVICE + 1, value);
  }
  /** Value that a stub passes in the slot of ESP, which POPAD skips. */
  get spare(): number {
    return this.view.getUint32(SPARE, true);
  }

  get eax(): number {
    return this.view.getUint32(EAX, true);
  }
  set eax(value: number) {
    this.set32(EAX, value);
  }
  get ebx(): number {
    return this.view.getUint32(EBX, true);
  }
  set ebx(value: number) {
    this.set32(EBX, value);
  }
  get ecx(): number {
    return this.view.getUint32(ECX, true);
  }
  set ecx(value: number) {
    this.set32(ECX, value);
  }
  get edx(): number {
    return this.view.getUint32(EDX, true);
  }
  set edx(value: number) {
    this.set32(EDX, value);
  }
  get esi(): number {
    return this.view.getUint32(ESI, true);
  }
  set esi(value: number) {
    this.set32(ESI, value);
  }
  get edi(): number {
    return this.view.getUint32(EDI, true);
  }
  set edi(value: number) {
    this.set32(EDI, value);
  }
  get ebp(): number {
    return this.view.getUint32(EBP, true);
  }

  get ax(): number {
    return this.view.getUint16(EAX, true);
  }
  set ax(value: number) {
    this.set16(EAX, value);
  }
  get bx(): number {
    return this.view.getUint16(EBX, true);
  }
  set bx(value: number) {
    this.set16(EBX, value);
  }
  get cx(): number {
    return this.view.getUint16(ECX, true);
  }
  set cx(value: number) {
    this.set16(ECX, value);
  }
  get dx(): number {
    return this.view.getUint16(EDX, true);
  }
  set dx(value: number) {
    this.set16(EDX, value);
  }
  get si(): number {
    return this.view.getUint16(ESI, true);
  }
  set si(value: number) {
    this.set16(ESI, value);
  }
  get di(): number {
    return this.view.getUint16(EDI, true);
  }
  set di(value: number) {
    this.set16(EDI, value);
  }
  get bp(): number {
    return this.view.getUint16(EBP, true);
  }
  set bp(value: number) {
    this.set16(EBP, value);
  }

  get al(): number {
    return this.bytes[EAX] as number;
  }
  set al(value: number) {
    this.set8(EAX, value);
  }
  get ah(): number {
    return this.bytes[EAX + 1] as number;
  }
  set ah(value: number) {
    this.set8(EAX + 1, value);
  }
  get bl(): number {
    return this.bytes[EBX] as number;
  }
  set bl(value: number) {
    this.set8(EBX, value);
  }
  get bh(): number {
    return this.bytes[EBX + 1] as number;
  }
  set bh(value: number) {
    this.set8(EBX + 1, value);
  }
  get cl(): number {
    return this.bytes[ECX] as number;
  }
  set cl(value: number) {
    this.set8(ECX, value);
  }
  get ch(): number {
    return this.bytes[ECX + 1] as number;
  }
  set ch(value: number) {
    this.set8(ECX + 1, value);
  }
  get dl(): number {
    return this.bytes[EDX] as number;
  }
  set dl(value: number) {
    this.set8(EDX, value);
  }
  get dh(): number {
    return this.bytes[EDX + 1] as number;
  }
  set dh(value: number) {
    this.set8(EDX + 1, value);
  }

  get es(): number {
    return this.view.getUint16(ES, true);
  }
  set es(value: number) {
    this.set16(ES, value);
  }
  get ds(): number {
    return this.view.getUint16(DS, true);
  }
  set ds(value: number) {
    this.set16(DS, value);
  }
  get ip(): number {
    return this.view.getUint16(IP, true);
  }
  set ip(value: number) {
    this.set16(IP, value);
  }
  get cs(): number {
    return this.view.getUint16(CS, true);
  }
  set cs(value: number) {
    this.set16(CS, value);
  }
  get flags(): number {
    return this.view.getUint16(this.flagsOffset, true);
  }
  set flags(value: number) {
    this.set16(this.flagsOffset, value);
  }

  get carry(): boolean {
    return (this.flags & FLAG_CARRY) !== 0;
  }
  set carry(value: boolean) {
    this.flags = value ? this.flags | FLAG_CARRY : this.flags & ~FLAG_CARRY;
  }
  get zero(): boolean {
    return (this.flags & FLAG_ZERO) !== 0;
  }
  set zero(value: boolean) {
    this.flags = value ? this.flags | FLAG_ZERO : this.flags & ~FLAG_ZERO;
  }
}
