; Paging: 32-bit with PSE, PAE with NX, error codes, write protection, SMEP, SMAP, accessed and dirty bits, INVLPG, global pages.
bits 16
main16:
  xor ax, ax
  mov ss, ax
  mov sp, 0x7000
  jmp enter32
bits 32
gate64_entry equ 0
%define PD 0x100000
%define PT 0x101000
%define PT_HIGH 0x102000
%define PDPT 0x103000
%define PD64 0x104000
%define PT64 0x105000
%define PAGE_A 0x200000
%define PAGE_B 0x201000
%define WINDOW 0x400000
%define LARGE 0x800000

; legacy: first 4 MiB by PT, 4-8 MiB by PT_HIGH, 8-12 MiB a large page onto 2 MiB.. no: onto 0
build_legacy:
  mov edi, PD
  xor eax, eax
  mov ecx, 3*1024
  rep stosd
  mov dword [PD], PT|7
  mov dword [PD+4], PT_HIGH|7
  mov dword [PD+8], 0|0x87
  mov edi, PT
  mov eax, 7
  mov ecx, 1024
.fill:
  stosd
  add eax, 0x1000
  loop .fill
  mov dword [PT_HIGH], PAGE_A|7
  mov dword [PT_HIGH+4], PAGE_B|7
  mov dword [PT_HIGH+8], PAGE_B|5      ; user, read-only
  mov dword [PT_HIGH+12], PAGE_B|3     ; supervisor, writable
  mov dword [PT_HIGH+16], PAGE_B|1     ; supervisor, read-only
  mov dword [PT_HIGH+20], 0            ; absent
  mov dword [PAGE_A], 0xaaaaaaaa
  mov dword [PAGE_B], 0xbbbbbbbb
  ret
legacy_on:
  call build_legacy
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, PD
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov eax, [WINDOW]
  ret
flush:
  mov eax, cr3
  mov cr3, eax
  ret
read_b: mov eax, [WINDOW+0x1000]
  ret
cross_pages:
  mov eax, [WINDOW+0xffe]
  ret
cross_write:
  mov dword [WINDOW+0xffe], 0x12345678
  mov eax, [WINDOW+0xffc]
  SHOW " low=", eax
  mov eax, [WINDOW+0x1000]
  mov dword [WINDOW], 0xaaaaaaaa
  mov dword [WINDOW+0x1000], 0xbbbbbbbb
  ret
absent_read: mov eax, [WINDOW+0x5008]
  ret
absent_write: mov [WINDOW+0x5008], eax
  ret
absent_cross:
  mov eax, [WINDOW+0x4ffe]
  ret
absent_cross_write:
  or dword [0x400000-2], 0
  mov dword [WINDOW+0x1000], 0xbbbbbbbb
  mov [WINDOW+0x4ffe], eax
  ret
absent_push: USER user_absent_push
user_absent_push:
  mov esp, WINDOW+0x6000
  push eax
absent_execute:
  mov eax, WINDOW+0x5000
  jmp eax
absent_directory: mov eax, [0xc00000]
  ret
supervisor_write_readonly:
  mov dword [WINDOW+0x2000], 0xbbbbbbbb
  mov eax, [WINDOW+0x2000]
  ret
wp_on:
  mov eax, cr0
  or eax, 0x10000
  mov cr0, eax
  ret
wp_write_user: mov dword [WINDOW+0x2000], 1
  ret
wp_write_supervisor: mov dword [WINDOW+0x4000], 1
  ret
wp_rmw: inc dword [WINDOW+0x2000]
  ret
wp_off:
  mov eax, cr0
  and eax, ~0x10000
  mov cr0, eax
  ret
user_read_ok_test: USER user_read_ok
user_read_ok:
  mov eax, [WINDOW]
  mov ebx, [WINDOW+0x2000]
  mov [WINDOW], eax
  int 0x40
user_read_supervisor_test: USER user_read_supervisor
user_read_supervisor: mov eax, [WINDOW+0x3000]
user_write_supervisor_test: USER user_write_supervisor
user_write_supervisor: mov [WINDOW+0x3000], eax
user_write_readonly_test: USER user_write_readonly
user_write_readonly: mov [WINDOW+0x2000], eax
user_write_absent_test: USER user_write_absent
user_write_absent: mov [WINDOW+0x5000], eax
user_execute_supervisor_test: USER user_execute_supervisor
user_execute_supervisor:
  mov eax, WINDOW+0x3000
  jmp eax
; accessed and dirty bits
accessed:
  mov dword [PT_HIGH], PAGE_A|7
  mov dword [PD+4], PT_HIGH|7
  call flush
  mov ebx, [PT_HIGH]
  SHOW " before=", ebx
  mov eax, [WINDOW]
  mov ebx, [PT_HIGH]
  SHOW " read=", ebx
  mov dword [WINDOW], 0xaaaaaaaa
  mov ebx, [PT_HIGH]
  SHOW " written=", ebx
  mov ebx, [PD+4]
  SHOW " directory=", ebx
  ret
dirty_after_read:
  mov dword [PT_HIGH], PAGE_A|0x27
  call flush
  mov eax, [WINDOW]
  mov [WINDOW], eax
  mov eax, [PT_HIGH]
  ret
accessed_fault:
  mov dword [PT_HIGH+8], PAGE_B|5
  mov dword [PD+4], PT_HIGH|7
  call flush
  USER user_write_readonly
accessed_fault_result:
  mov eax, [PT_HIGH+8]
  mov ebx, [PD+4]
  and ebx, ~0x20
  SHOW " directory=", ebx
  ret
; the TLB may keep an entry until INVLPG
invlpg_test:
  mov eax, [WINDOW]
  mov dword [PT_HIGH], PAGE_B|7
  invlpg [WINDOW+0x123]
  mov eax, [WINDOW]
  mov dword [PT_HIGH], PAGE_A|7
  invlpg [WINDOW]
  ret
cr3_test:
  mov eax, [WINDOW]
  mov dword [PT_HIGH], PAGE_B|7
  call flush
  mov eax, [WINDOW]
  mov dword [PT_HIGH], PAGE_A|7
  call flush
  ret
large_page:
  mov dword [PD+8], 0x87
  call flush
  mov eax, [LARGE+PAGE_A]
  mov dword [LARGE+PAGE_A], 0xcccccccc
  mov ebx, [PD+8]
  SHOW " entry=", ebx
  mov eax, [PAGE_A]
  mov dword [PAGE_A], 0xaaaaaaaa
  ret
large_pieces:
  mov eax, [LARGE+PAGE_A]
  mov ebx, [LARGE+PAGE_B]
  mov dword [PD+8], 0
  invlpg [LARGE]
  mov eax, [LARGE+PAGE_B]
  ret
large_restore:
  mov dword [PD+8], 0x87
  call flush
  ret
; self-modifying code through an alias
alias_call:
  mov byte [PAGE_A+0x800], 0xb8
  mov dword [PAGE_A+0x801], 0x11111111
  mov byte [PAGE_A+0x805], 0xc3
  mov ecx, WINDOW+0x800
  call ecx
  mov edx, eax
  mov dword [PAGE_A+0x801], 0x22222222
  call ecx
  shl eax, 16
  mov ax, dx
  ret
; SMEP and SMAP
smep_on:
  mov eax, cr4
  or eax, 0x100000
  mov cr4, eax
  ret
; kernel code lies in user pages: make the image supervisor first
make_supervisor:
  mov edi, PT
  mov ecx, 1024
.next:
  and dword [edi], ~4
  add edi, 4
  loop .next
  ; data that user code needs stays: stack page 7000h
  or dword [PT+7*4], 4
  call flush
  mov eax, 1
  ret
make_user:
  mov edi, PT
  mov ecx, 1024
.next:
  or dword [edi], 4
  add edi, 4
  loop .next
  call flush
  ret
smep_execute:
  mov byte [PAGE_A+0x900], 0xc3
  mov eax, WINDOW+0x900
  call eax
  ret
smap_on:
  mov eax, cr4
  or eax, 0x200000
  mov cr4, eax
  ret
smap_read: mov eax, [WINDOW]
  ret
smap_write: mov dword [WINDOW], 1
  ret
smap_stac:
  db 0x0f, 0x01, 0xcb
  mov eax, [WINDOW]
  mov [WINDOW], eax
  db 0x0f, 0x01, 0xca
  ret
smap_stac_clac:
  db 0x0f, 0x01, 0xcb
  mov eax, [WINDOW]
  db 0x0f, 0x01, 0xca
  mov eax, [WINDOW]
  ret
smap_popf:
  push dword 0x40002
  popfd
  mov eax, [WINDOW]
  push dword 2
  popfd
  ret
smap_supervisor: mov eax, [WINDOW+0x3000]
  ret
features_off:
  mov eax, cr4
  and eax, ~0x300000
  mov cr4, eax
  ret
paging_off:
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov eax, [WINDOW]
  ret

; --- PAE
pae_on:
  mov edi, PDPT
  xor eax, eax
  mov ecx, 3*1024
  rep stosd
  mov dword [PDPT], PD64|1
  mov dword [PD64], 0x87
  mov dword [PD64+4], 0
  mov dword [PD64+8], 0x200087
  mov dword [PD64+16], PT64|7
  mov dword [PT64], PAGE_A|7
  mov dword [PT64+8], PAGE_B|7
  mov dword [PT64+12], 0x80000000
  mov dword [PT64+16], PAGE_B|7
  mov dword [PT64+20], 0x400
  mov dword [PT64+24], PAGE_B|7
  mov dword [PT64+28], 0x00100000
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax
  mov eax, PDPT
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov eax, [WINDOW]
  ret
nx_reserved: mov eax, [WINDOW+0x1000]
  ret
nxe_on:
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x800
  wrmsr
  ret
nx_read: mov eax, [WINDOW+0x1000]
  ret
nx_execute:
  mov eax, WINDOW+0x1000
  jmp eax
user_nx_test: USER user_nx
user_nx:
  mov eax, WINDOW+0x1000
  jmp eax
reserved_high: mov eax, [WINDOW+0x2000]
  ret
reserved_write: mov [WINDOW+0x3000], eax
  ret
pae_absent_pdpte: mov eax, [0x40000000]
  ret
pae_large_reserved:
  mov dword [PD64+24], 0x2087
  mov eax, [0x600000]
  ret
pdpte_reserved:
  mov dword [PDPT+8], PD64|3
  mov eax, cr3
  mov cr3, eax
  ret
pdpte_restore:
  mov dword [PDPT+8], 0
  mov eax, cr3
  mov cr3, eax
  ret
; PDPTEs are read when CR3 is loaded, not at the walk
pdpte_cached:
  mov dword [PDPT+8], PD64|1
  invlpg [0x40000000]
  mov eax, [0x40000000]
  ret
pdpte_loaded:
  mov eax, cr3
  mov cr3, eax
  mov eax, [0x40000000+PAGE_A]
  ret
pae_accessed:
  mov dword [PT64], PAGE_A|7
  mov dword [PD64+16], PT64|7
  mov eax, cr3
  mov cr3, eax
  mov eax, [WINDOW]
  mov [WINDOW], eax
  mov eax, [PD64+16]
  SHOW " directory=", eax
  mov eax, [PT64]
  ret
clear_pae: ; outside IA-32e mode PAE may go off while paging: back to 32-bit tables is not tried here
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov eax, cr4
  and eax, ~0x20
  mov cr4, eax
  ret

; global pages survive a load of CR3, not INVLPG and not a change of CR4.PGE
global_test:
  mov eax, cr4
  or eax, 0x80
  mov cr4, eax
  mov dword [PT_HIGH], PAGE_A|0x107
  invlpg [WINDOW]
  mov eax, [WINDOW]
  mov dword [PT_HIGH], PAGE_B|7
  call flush
  mov eax, [WINDOW]
  SHOW " cr3=", eax
  invlpg [WINDOW]
  mov eax, [WINDOW]
  SHOW " invlpg=", eax
  mov dword [PT_HIGH], PAGE_A|0x107
  invlpg [WINDOW]
  mov eax, [WINDOW]
  mov dword [PT_HIGH], PAGE_B|7
  mov eax, cr4
  and eax, ~0x80
  mov cr4, eax
  mov eax, [WINDOW]
  mov dword [PT_HIGH], PAGE_A|7
  invlpg [WINDOW]
  ret

large_reserved:
  mov dword [PD+8], 0x200087
  call flush
  mov eax, [LARGE]
  ret

absent_rmw: add dword [WINDOW+0x5008], 1
  ret
; implicit accesses ignore AC: the LDT lies in a user page
smap_implicit:
  mov esi, LDT_AREA
  mov edi, PAGE_A+0x40
  mov ecx, 8
  rep movsd
  mov dword [A(gdt)+LDT_SELECTOR+2], 0x82400040
  mov byte [A(gdt)+LDT_SELECTOR+5], 0x82
  mov byte [A(gdt)+LDT_SELECTOR+4], 0x40
  mov ax, LDT_SELECTOR
  lldt ax
  db 0x0f, 0x01, 0xcb
  mov ax, 0x0c
  mov fs, ax
  ret
main32:
%ifdef MANUAL
  RUN "legacy on", legacy_on
  RUN "absent rmw", absent_rmw
  RUN "global", global_test
  RUN "large reserved", large_reserved
  RUN "large restore", large_restore
  RUN "make supervisor", make_supervisor
  RUN "smap on", smap_on
  RUN "smap implicit", smap_implicit
  RUN "features off", features_off
  RUN "make user", make_user
  RUN "paging off", paging_off
  RUN "pae on", pae_on
  RUN "nx reserved", nx_reserved
  RUN "reserved high", reserved_high
  RUN "nxe on", nxe_on
  RUN "reserved write", reserved_write
  RUN "pae large reserved", pae_large_reserved
  RUN "pdpte cached", pdpte_cached
  RUN "pdpte loaded", pdpte_loaded
  RUN "pdpte reserved", pdpte_reserved
  RUN "pdpte restore", pdpte_restore
  RUN "pae off", clear_pae
%else
  RUN "legacy on", legacy_on
  RUN "read b", read_b
  RUN "cross", cross_pages
  RUN "cross write", cross_write
  RUN "absent read", absent_read
  RUN "absent write", absent_write
  RUN "absent cross", absent_cross
  RUN "absent cross write", absent_cross_write
  RUN "absent push", absent_push
  RUN "absent execute", absent_execute
  RUN "absent directory", absent_directory
  RUN "supervisor write read-only", supervisor_write_readonly
  RUN "wp on", wp_on
  RUN "wp write user", wp_write_user
  RUN "wp write supervisor", wp_write_supervisor
  RUN "wp rmw", wp_rmw
  RUN "wp off", wp_off
  RUN "write again", supervisor_write_readonly
  RUN "user read", user_read_ok_test
  RUN "user read supervisor", user_read_supervisor_test
  RUN "user write supervisor", user_write_supervisor_test
  RUN "user write read-only", user_write_readonly_test
  RUN "user write absent", user_write_absent_test
  RUN "user execute supervisor", user_execute_supervisor_test
  RUN "accessed", accessed
  RUN "dirty after read", dirty_after_read
  RUN "accessed fault", accessed_fault
  RUN "accessed fault result", accessed_fault_result
  RUN "invlpg", invlpg_test
  RUN "cr3", cr3_test
  RUN "large page", large_page
  RUN "large pieces", large_pieces
  RUN "large restore", large_restore
  RUN "alias code", alias_call
  RUN "make supervisor", make_supervisor
  RUN "smep on", smep_on
  RUN "smep execute", smep_execute
  RUN "smap on", smap_on
  RUN "smap read", smap_read
  RUN "smap write", smap_write
  RUN "smap stac", smap_stac
  RUN "smap clac", smap_stac_clac
  RUN "smap popf", smap_popf
  RUN "smap supervisor", smap_supervisor
  RUN "features off", features_off
  RUN "make user", make_user
  RUN "paging off", paging_off
  RUN "pae on", pae_on
  RUN "nxe on", nxe_on
  RUN "nx read", nx_read
  RUN "nx execute", nx_execute
  RUN "user nx", user_nx_test
  RUN "pae absent", pae_absent_pdpte
  RUN "pdpte loaded", pdpte_loaded
  RUN "pdpte restore", pdpte_restore
  RUN "pae accessed", pae_accessed
  RUN "pae off", clear_pae
%endif
  jmp finish32
