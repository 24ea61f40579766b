// A boot sector that reads the KVM personality's clock for ever, as Linux does, and notes what it found at fixed places.

import { floppyWith } from './boot-sector.ts';

const PAGE = 0x6000;
const WALL = 0x6040;
const NOTES = 0x6100;

export interface ClockNotes {
  /** EBX of leaf 40000000h, EAX of leaf 40000001h. */
  readonly signature: number;
  readonly features: number;
  /** Nanoseconds that were read last. */
  readonly lastNs: number;
  readonly readings: number;
  /** Readings that were less than the one before. */
  readonly backwards: number;
  /** EAX after a hypercall. */
  readonly hypercall: number;
  readonly wallMs: number;
}

/** @param hypercall also ask for one: an undefined opcode where nobody answers */
export function clockGuest({ hypercall }: { readonly hypercall: boolean }): Uint8Array {
  return floppyWith(`
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov eax, 0x40000000
    cpuid
    mov [${NOTES}], ebx
    mov eax, 0x40000001
    cpuid
    mov [${NOTES + 4}], eax
    ${hypercall ? `mov eax, 9\nvmcall\nmov [${NOTES + 24}], eax` : ''}
    xor edx, edx
    mov ecx, 0x4b564d00
    mov eax, ${WALL}
    wrmsr
    mov ecx, 0x4b564d01
    mov eax, ${PAGE | 1}
    wrmsr
    again: mov ebp, [${PAGE}]
    test bp, 1
    jnz again
    rdtsc
    sub eax, [${PAGE + 8}]
    sbb edx, [${PAGE + 12}]
    mov cl, [${PAGE + 28}]
    test cl, cl
    js right
    shld edx, eax, cl
    shl eax, cl
    jmp scaled
    right: neg cl
    shrd eax, edx, cl
    shr edx, cl
    scaled: mov esi, edx
    mul dword [${PAGE + 24}]
    mov edi, edx
    mov eax, esi
    mul dword [${PAGE + 24}]
    add eax, edi
    adc edx, 0
    add eax, [${PAGE + 16}]
    adc edx, [${PAGE + 20}]
    cmp ebp, [${PAGE}]
    jne again
    mov esi, eax
    mov edi, edx
    sub esi, [${NOTES + 8}]
    sbb edi, [${NOTES + 12}]
    jnc fine
    inc dword [${NOTES + 20}]
    fine: mov [${NOTES + 8}], eax
    mov [${NOTES + 12}], edx
    inc dword [${NOTES + 16}]
    jmp again
  `);
}

/** @param ram of a machine that stands still */
export function clockNotes(ram: Uint8Array): ClockNotes {
  const view = new DataView(ram.buffer, ram.byteOffset);
  const word = (at: number): number => view.getUint32(NOTES + at, true);
  return {
    signature: word(0),
    features: word(4),
    lastNs: word(8) + word(12) * 2 ** 32,
    readings: word(16),
    backwards: word(20),
    hypercall: word(24),
    wallMs: view.getUint32(WALL + 4, true) * 1000 + view.getUint32(WALL + 8, true) / 1e6,
  };
}
