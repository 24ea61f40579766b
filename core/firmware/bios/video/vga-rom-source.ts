// Source text of the video ROM's part before the fonts, and where things lie in that ROM.

export const VGA_ROM_SEGMENT = 0xc000;
export const VGA_ROM_BYTES = 0x8000;
export const PARAMETERS = 0x4610;

/** Source text of the part before the fonts. */
export function vgaRomSource(): string {
  return SOURCE;
}

const SOURCE = `
bits 16
org 0
  db 0x55, 0xaa, ${VGA_ROM_BYTES / 512}
  jmp init
  times 0x18-($-$$) db 0
  dw pcir
  times 0x1e-($-$$) db 0
  db "IBM VGA compatible", 0
init:
  retf
align 4, db 0
pcir:
  db "PCIR"
  dw 0x1234, 0x1111, 0, 0x18
  db 0, 0, 0, 3
  dw ${VGA_ROM_BYTES / 512}, 1
  db 0, 0x80
  dw 0
oem_string: db "Nestbox VBE", 0
vendor_string: db "Nestbox", 0
product_string: db "Nestbox VGA", 0
revision_string: db "1.0", 0
align 4, db 0
static_functionality:
  ; Modes 0-7, D-10, 11-13; scan lines 200, 350, 400; 8 fonts, 2 active; everything but cursor-less features.
  db 0xff, 0xe0, 0x0f, 0, 0, 0, 0, 7, 8, 2, 0xff, 0x0e, 0, 0, 0, 0
save_pointers:
  dw ${PARAMETERS}, ${VGA_ROM_SEGMENT}
  dd 0, 0, 0
  dw secondary_pointers, ${VGA_ROM_SEGMENT}
  dd 0, 0
secondary_pointers:
  dw 26
  dw display_combinations, ${VGA_ROM_SEGMENT}
  dd 0, 0, 0, 0, 0
display_combinations:
  db 16, 1, 8, 0
  dw 0x0000, 0x0100, 0x0200, 0x0102, 0x0400, 0x0104, 0x0500, 0x0502
  dw 0x0600, 0x0601, 0x0605, 0x0800, 0x0801, 0x0700, 0x0702, 0x0706
; Real-mode window function of the mode information block.
window_function:
  mov ax, 0x4f05
  int 0x10
  retf
align 4, db 0
; VBE 2.0 protected mode interface.
bits 32
pm_interface:
  dw pm_window-pm_interface, pm_start-pm_interface, pm_palette-pm_interface
  dw pm_ports-pm_interface
pm_ports:
  dw 0x1ce, 0x1cf, 0x1d0, 0x3c8, 0x3c9, 0x3da, 0xffff, 0xffff
; 4F05h: BH = 0 set, 1 get is not offered; BL window; DX bank
pm_window:
  push eax
  push edx
  mov eax, edx
  mov dx, 0x1ce
  push eax
  mov ax, 5
  out dx, ax
  inc dx
  pop eax
  out dx, ax
  pop edx
  pop eax
  mov ax, 0x004f
  ret
; 4F07h: CX and DX hold bits 15:0 and 31:16 of the start in units of 4 bytes. The offset is split by the line length.
pm_start:
  push eax
  push ebx
  push ecx
  push edx
  push esi
  push edi
  movzx esi, cx
  shl edx, 16
  or esi, edx
  mov dx, 0x1ce
  mov ax, 3
  out dx, ax
  inc dx
  in ax, dx
  movzx ebx, ax
  add ebx, 7
  shr ebx, 3
  dec dx
  mov ax, 6
  out dx, ax
  inc dx
  in ax, dx
  movzx edi, ax
  imul edi, ebx
  test edi, edi
  jz .done
  mov eax, esi
  shl eax, 2
  xor edx, edx
  div edi
  mov ecx, eax
  mov eax, edx
  xor edx, edx
  div ebx
  mov esi, eax
  mov dx, 0x1ce
  mov ax, 8
  out dx, ax
  inc dx
  mov eax, esi
  out dx, ax
  dec dx
  mov ax, 9
  out dx, ax
  inc dx
  mov eax, ecx
  out dx, ax
.done:
  pop edi
  pop esi
  pop edx
  pop ecx
  pop ebx
  pop eax
  mov ax, 0x004f
  ret
; 4F09h: BL = 0 or 80h; CX entries from DX on at EDI, four bytes each: blue, green, red, 0
pm_palette:
  push ecx
  push edx
  push edi
  movzx ecx, cx
  jecxz .done
  mov eax, edx
  mov dx, 0x3c8
  out dx, al
  inc dx
.next:
  mov al, [edi+2]
  out dx, al
  mov al, [edi+1]
  out dx, al
  mov al, [edi]
  out dx, al
  add edi, 4
  loop .next
.done:
  pop edi
  pop edx
  pop ecx
  mov ax, 0x004f
  ret
pm_end:
bits 16
`;
