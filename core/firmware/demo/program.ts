// The demo guest's main program in 32-bit mode and all of its data and texts.

import { DEVICE_PANELS } from './device-panels.ts';
import { INTERRUPTS } from './interrupts.ts';
import { MENU } from './menu.ts';
import { MACHINE_CHECKS } from './machine-checks.ts';
import { PROCESSOR_CHECKS } from './processor-checks.ts';
import { PROCESSOR_PANELS } from './processor-panels.ts';
import { REAL_MODE } from './real-mode.ts';
import { SCREEN } from './screen.ts';

export const DEMO_VERSION = '1.0';

const CONSTANTS = `
%define MAX_MEMORY_ENTRIES 32
%define MAX_DISKS 8

; selectors
%define CODE32 0x08
%define DATA32 0x10
%define CODE64 0x18

; colours: background in the high half
%define BODY 0x07
%define BORDER 0x03
%define TITLE 0x0b
%define LABEL 0x07
%define VALUE 0x0f
%define DETAILS 0x07
%define WAITING 0x08
%define RUNNING 0x0e
%define GOOD 0x0a
%define PRESENT 0x0a
%define ABSENT 0x08
%define ALARM 0x0c
%define BAR 0x1f
%define BAR_NAME 0x1b
%define BAR_FULL 0x0b
%define BAR_EMPTY 0x08
%define FOOT 0x70
%define FOOT_KEY 0x74
%define FOOT_ECHO 0x71
%define FOOT_GOOD 0x2f
%define FOOT_BAD 0x4f
`;

const MAIN = `
bits 32
protected_start:
        mov ax, DATA32
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov esp, 0x7c00
        cld
        call serial_start
        call interrupts_start
        line text_line_start
        call clear_screen
        goto 0, 0
        mov byte [attribute], BAR
        mov al, ' '
        mov ecx, 80
        call fill
        goto 0, 1
        say BAR_NAME, text_brand
        say BAR, text_subtitle
        call show_clock
        call processor_panel
        call memory_panel
        call disks_panel
        call pci_panel
        call checks_panel
        call check_modes
        call check_exceptions
        call check_arithmetic
        call check_timers
        call check_memory
        call check_speed
        jmp menu
`;

interface Glyphs {
  readonly check: number;
  readonly arrow: number;
  readonly block: number;
  readonly dot: number;
}

/** Code page 437. */
const GLYPH: Glyphs = { check: 0xfb, arrow: 0x10, block: 0xfe, dot: 0xfa };

const TEXTS = `
text_brand: db ${GLYPH.block}, ' NESTBOX ', 0
text_subtitle: db ${GLYPH.dot}, ' machine check-up', 0
text_check: db ${GLYPH.check}, 0
text_cross: db 'x', 0
text_running: db ${GLYPH.arrow}, 0
text_newline: db 10, 0
text_gap: db ' ', 0

text_line_start: db 10, 'NESTBOX DEMO ${DEMO_VERSION}', 10, 0
text_ready: db 'NESTBOX DEMO READY', 10, 0
text_failed: db 'NESTBOX DEMO FAILED', 10, 0
text_passed: db 'passed', 0
text_some_wrong: db 'failed', 0
text_line_passed: db ': passed', 10, 0
text_line_failed: db ': FAILED', 10, 0
text_exception: db 'NESTBOX DEMO: unexpected exception ', 0

text_processor: db 'Processor', 0
text_vendor: db 'Vendor   ', 0
text_family: db 'family ', 0
text_model: db ' model ', 0
text_name: db 'Name     ', 0
text_unknown: db '(not given)', 0
text_address: db 'Address  ', 0
text_physical: db ' bits physical, ', 0
text_linear: db ' bits linear', 0
text_no_cpuid: db 'no CPUID: an 80386 or 80486', 0
text_line_no_cpuid: db 'cpu: no CPUID', 10, 0
text_line_vendor: db 'cpu: vendor ', 0
text_line_family: db ', family ', 0
text_line_model: db ' model ', 0
text_line_stepping: db ' stepping ', 0
text_line_name: db 'cpu: name ', 0
text_line_features: db 'cpu: features', 0

text_memory_map: db 'Memory map', 0
text_usable: db 'Usable', 0
text_more: db ' more', 0
text_line_memory: db 'memory: ', 0
text_line_total: db 'memory: usable ', 0
type_usable: db 'usable', 0
type_reserved: db 'reserved', 0
type_acpi: db 'ACPI data', 0
type_nvs: db 'ACPI NVS', 0
type_bad: db 'defective', 0

text_disks: db 'Disks', 0
text_no_disks: db 'none', 0
text_line_no_disks: db 'disk: none', 10, 0
kind_floppy: db 'Floppy ', 0
kind_disk: db 'Disk   ', 0
kind_cd: db 'CD     ', 0
text_line_disk: db 'disk: ', 0
text_boot: db 'boot', 0
text_line_boot: db ' boot', 0

text_pci: db 'PCI devices', 0
text_no_pci: db 'no PCI bus', 0
text_line_no_pci: db 'pci: none', 10, 0
text_line_pci: db 'pci: ', 0

text_checks: db 'Checks', 0
check_names:
text_modes: db 'CPU modes', 0
text_exceptions: db 'Exceptions', 0
text_arithmetic: db 'Arithmetic', 0
text_timers: db 'Timers', 0
text_memory: db 'Memory', 0
text_speed: db 'Speed', 0
        db 0
text_line_modes: db 'check: modes real, protected', 0
text_line_exceptions: db 'check: exceptions', 0
text_line_divide: db ' divide', 0
text_line_breakpoint: db ', breakpoint', 0
text_line_undefined: db ', undefined opcode', 0
text_line_protection: db ', protection', 0
text_line_page_fault: db ', page fault', 0
text_line_arithmetic: db 'check: arithmetic', 0
text_line_x87: db ' x87', 0
text_line_sse2: db ', SSE2', 0
text_line_timers: db 'check: timers PIT, RTC', 0
text_line_memory_check: db 'check: memory ', 0
text_line_speed: db 'check: speed ', 0

text_real: db 'real 16-bit ', 0
text_protected: db 'protected 32-bit ', 0
text_long: db 'long 64-bit ', 0
text_line_long: db ', long', 0
text_no_long: db 'no long mode', 0
text_line_no_long: db ' (no long mode)', 0
text_divide: db 'divide ', 0
text_breakpoint: db 'breakpoint ', 0
text_undefined: db 'opcode ', 0
text_protection: db 'protection ', 0
text_page_fault: db 'page ', 0
text_pi: db 'x87 pi ', 0
text_root: db '  SSE2 root of 2 ', 0
text_no_fpu: db 'no floating point unit', 0
text_pit: db 'PIT 1,000 Hz against RTC 1,024 Hz ', 0
text_tsc: db '  TSC ', 0
text_mhz: db ' MHz', 0
text_line_tsc: db ', TSC ', 0
text_disagree: db ' do not agree: ', 0
text_unsteady: db ' unsteady (busy host): ', 0
text_disagree_end: db ' ms in 16 RTC periods (15.6)', 0
text_no_rtc: db 'no interrupts from the RTC', 0
text_of: db ' of ', 0
text_mb_gap: db ' MB  ', 0
text_line_gap: db ' MB, ', 0
text_mb_s: db ' MB/s', 0
text_no_memory: db 'nothing above 1 MB to test', 0
text_bad_memory: db 'wrong at ', 0
text_mips: db ' million instructions a second', 0

text_key_r: db ' R', 0
text_restart: db ' Restart  ', 0
text_key_s: db 'S', 0
text_shut_down: db ' Shut down', 0
text_type: db 'Type here: ', 0
text_all_passed: db ' ', ${GLYPH.check}, ' all passed ', 0
text_some_failed: db ' x some failed ', 0
text_line_key: db 'key: ', 0
text_line_restart: db 'NESTBOX DEMO RESTART', 10, 0
text_line_off: db 'NESTBOX DEMO OFF', 10, 0
text_line_no_off: db 'NESTBOX DEMO: no ACPI power off', 10, 0
text_no_off: db '  This machine can be switched off now.', 0
hex_digits: db '0123456789ABCDEF'

; register (0 EDX, 1 ECX of leaf 1, 2 EDX of 80000001h, 3 EBX of leaf 7), bit, name; six in a row
feature_list:
        db 0, 0, 'FPU', 0, 0, 4, 'TSC', 0, 0, 5, 'MSR', 0, 0, 6, 'PAE', 0, 0, 9, 'APIC', 0, 0, 12, 'MTRR', 0
        db 0, 15, 'CMOV', 0, 0, 17, 'PSE36', 0, 0, 23, 'MMX', 0, 0, 24, 'FXSR', 0, 0, 25, 'SSE', 0, 0, 26, 'SSE2', 0
        db 1, 0, 'SSE3', 0, 1, 9, 'SSSE3', 0, 1, 19, 'SSE4.1', 0, 1, 20, 'SSE4.2', 0, 1, 23, 'POPCNT', 0, 1, 22, 'MOVBE', 0
        db 1, 13, 'CX16', 0, 1, 25, 'AES', 0, 1, 28, 'AVX', 0, 1, 30, 'RDRAND', 0, 2, 20, 'NX', 0, 2, 29, 'LM', 0
        db 0xff

; subclass, class; FFh = any
pci_classes:
        db 1, 1, 'IDE', 0
        db 6, 1, 'SATA', 0
        db 8, 1, 'NVMe', 0
        db 0xff, 1, 'storage', 0
        db 0, 2, 'network', 0
        db 0xff, 2, 'network', 0
        db 0xff, 3, 'display', 0
        db 0xff, 4, 'audio', 0
        db 0, 6, 'host bridge', 0
        db 1, 6, 'ISA bridge', 0
        db 4, 6, 'PCI bridge', 0
        db 0x80, 6, 'power mgmt', 0
        db 0xff, 6, 'bridge', 0
        db 0xff, 7, 'serial', 0
        db 3, 0x0c, 'USB', 0
        db 0xff, 0xff, 'device', 0

; scan codes 00h-39h of a US keyboard
key_map:
        db 0, 27, '1234567890-=', 8, 9, 'qwertyuiop[]', 10, 0, 'asdfghjkl;', 39, 96, 0, 92, 'zxcvbnm,./', 0, '*', 0, ' '
key_map_shifted:
        db 0, 27, '!@#$%^&*()_+', 8, 9, 'QWERTYUIOP{}', 10, 0, 'ASDFGHJKL:', 34, '~', 0, '|', 'ZXCVBNM<>?', 0, '*', 0, ' '
`;

const DATA = `
        align 8
gdt:    dq 0
        dq 0x00cf9a000000ffff   ; 08h code, 32-bit
        dq 0x00cf92000000ffff   ; 10h data
        dq 0x00af9a000000ffff   ; 18h code, 64-bit
gdt_end:
gdt_pointer: dw gdt_end - gdt - 1
        dd gdt
idt_pointer: dw VECTORS * 8 - 1
        dd IDT32
idt64_pointer: dw VECTORS * 16 - 1
        dq IDT64
null_pointer: dw 0
        dd 0
        align 4
memory_types: dd type_usable, type_reserved, type_acpi, type_nvs, type_bad
disk_kinds: dd kind_floppy, kind_disk, kind_cd
number_four: dd 4.0
number_billion: dd 1000000000.0
long_word: dq 0x0123456789abcdef
cpu_vendor: times 13 db 0
cpu_name: times 49 db 0
attribute: db BODY
serial_there: db 0
has_cpuid: db 0
clock_binary: db 0
shifted: db 0
out_of_time: db 0
boot_drive: db 0
this_drive: db 0
echo_one: db 0, 0
echo_text: times ECHO_WIDTH + 1 db 0
        times 24 db 0
number_end: db 0
number_unit: dd 0
        align 4
cpu_signature: dd 0
cpu_features: dd 0, 0, 0, 0
cpu_address_bits: dw 0
memory_entries: dw 0
disk_count: dw 0
        dw 0
ticks:  dd 0
rtc_ticks: dd 0
clock_tick: dd 0
key_head: dd 0
key_tail: dd 0
key_queue: times 16 db 0
echo_length: dd 0
resume: dd 0
caught: dd 0
fault_address: dd 0
failures: dd 0
long_result: dd 0
number_result: dq 0
tsc_start: dd 0
pit_counts: times WINDOWS dd 0
tsc_counts: times WINDOWS dd 0
start_tick: dd 0
this_text: dd 0
this_size: dd 0
this_pci_id: dd 0
this_pci_class: dd 0
total_kb: dd 0
total_blocks: dd 0
tested_mb: dd 0
for_block: dd 0
bad_address: dd 0
speed_data: dd 12345, 0
off_screen: times 80 dw 0
drive_parameters: times 32 db 0
disk_list: times MAX_DISKS * 12 + 12 db 0
memory_map: times MAX_MEMORY_ENTRIES * 20 + 20 db 0
program_end:
PROGRAM_SECTORS equ (program_end - program + 511) / 512
`;

/** Everything behind the boot sector, in order. */
export const PROGRAM = [
  CONSTANTS,
  REAL_MODE,
  SCREEN,
  INTERRUPTS,
  PROCESSOR_PANELS,
  DEVICE_PANELS,
  PROCESSOR_CHECKS,
  MACHINE_CHECKS,
  MENU,
  MAIN,
  TEXTS,
  DATA,
].join('\n');
