// Pieces of guest programs that several conformance tests share.

/** Real mode to flat 32-bit code at label `flat`. */
export const TO_PROTECTED = `
  cli
  lgdt [gdt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp 8:flat
align 8
gdt: dq 0
  dq 0x00cf9b000000ffff
  dq 0x00cf93000000ffff
  dq 0x00af9b000000ffff
  dq 0x00affb000000ffff
  dq 0x00cff3000000ffff
gdt_tss: dq 0, 0
gdt_pointer: dw 63
  dd gdt
bits 32
flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x7000
`;

/** Flat 32-bit code to 64-bit code at label `long`: the first 4 MiB one to one, for user code too, by pages of 2 MiB. */
export const TO_LONG = `
  mov edi, 0x10000
  mov ecx, 0x3000/4
  xor eax, eax
  rep stosd
  mov dword [0x10000], 0x11007
  mov dword [0x11000], 0x12007
  mov dword [0x12000], 0x87
  mov dword [0x12008], 0x200087
  mov eax, 0x20
  mov cr4, eax
  mov eax, 0x10000
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp 24:long
bits 64
long:
  mov rsp, 0x7000
`;
