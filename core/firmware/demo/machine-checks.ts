// The demo guest's checks of the machine: timers, memory, speed. Uses the row macros of processor-checks.ts.

export const MACHINE_CHECKS = `
bits 32
; ---- timers: 16 times 16 interrupts of the RTC at 1,024 Hz against the PIT at 1,000 Hz ---------------------------------
; The middle of the 16 results counts, because a busy host may hold a virtual machine up now and then.
%define WINDOWS 16
%define WINDOW_PERIODS 16

check_timers:
        begin ROW_TIMERS, text_timers, text_line_timers
        mov byte [tries], 3
.again: call rtc_on
        xor ebp, ebp
.window:
        mov ecx, [rtc_ticks]    ; a window starts with an interrupt
        mov ebx, [ticks]
.first: mov eax, [ticks]
        sub eax, ebx
        cmp eax, 1000
        ja .no_rtc
        cmp ecx, [rtc_ticks]
        je .first
        mov ecx, [rtc_ticks]
        mov ebx, [ticks]
        call read_tsc
        mov [tsc_start], eax
.count: hlt
        mov eax, [ticks]
        sub eax, ebx
        cmp eax, 1000
        ja .no_rtc
        mov edx, [rtc_ticks]
        sub edx, ecx
        cmp edx, WINDOW_PERIODS
        jb .count
        mov [pit_counts + ebp * 4], eax
        call read_tsc
        sub eax, [tsc_start]
        mov [tsc_counts + ebp * 4], eax
        inc ebp
        cmp ebp, WINDOWS
        jb .window
        call rtc_off
        mov esi, pit_counts
        call sort_windows
        mov esi, tsc_counts
        call sort_windows
        xor ecx, ecx            ; how many windows had 14 to 17 ticks; 15.6 are right
        xor edx, edx
.judge: mov eax, [pit_counts + ecx * 4]
        sub eax, 14
        cmp eax, 4
        adc edx, 0
        inc ecx
        cmp ecx, WINDOWS
        jb .judge
        cmp edx, 4
        jae .agree
        dec byte [tries]
        jnz .again
        mov eax, [pit_counts + WINDOWS / 2 * 4]
        sub eax, 5              ; interrupts that come in bursts: not the timers' fault
        cmp eax, 60
        mov esi, text_unsteady
        jb .remark
        mov esi, text_disagree
.remark: pushfd
        mov byte [attribute], RUNNING
        call both
        mov eax, [pit_counts + WINDOWS / 2 * 4]
        call decimal
        call both
        mov esi, text_disagree_end
        call both
        popfd
        jb .passed
        failed ROW_TIMERS
        ret
.no_rtc: call rtc_off
        say DETAILS, text_no_rtc
        failed ROW_TIMERS
        ret
.agree: say DETAILS, text_pit
        say GOOD, text_check
        test byte [cpu_features], 0x10
        jz .passed
        say DETAILS, text_tsc
        mov eax, [tsc_counts + WINDOWS / 2 * 4]
        xor edx, edx
        mov ecx, 15625          ; microseconds in 16 periods
        div ecx
        mov byte [attribute], VALUE
        call decimal
        line text_line_tsc
        call both
        say DETAILS, text_mhz
        line text_mhz
.passed: passed ROW_TIMERS
        ret

sort_windows: ; the numbers at ESI, smallest first
        push ebx
        mov ecx, 1
.take:  mov eax, [esi + ecx * 4]
        mov edx, ecx
.down:  mov ebx, [esi + edx * 4 - 4]
        cmp ebx, eax
        jbe .place
        mov [esi + edx * 4], ebx
        dec edx
        jnz .down
.place: mov [esi + edx * 4], eax
        inc ecx
        cmp ecx, WINDOWS
        jb .take
        pop ebx
        ret

rtc_on: ; periodic interrupts, 1,024 a second
        cli
        mov al, 0x0a            ; rate 6
        out 0x70, al
        in al, 0x71
        and al, 0xf0
        or al, 6
        mov ah, al
        mov al, 0x0a
        out 0x70, al
        mov al, ah
        out 0x71, al
        mov al, 0x0b
        out 0x70, al
        in al, 0x71
        or al, 0x40
        mov ah, al
        mov al, 0x0b
        out 0x70, al
        mov al, ah
        out 0x71, al
        mov al, 0x0c            ; forget what is pending
        out 0x70, al
        in al, 0x71
        sti
        ret

rtc_off:
        mov al, 0x0b
        out 0x70, al
        in al, 0x71
        and al, 0xbf
        mov ah, al
        mov al, 0x0b
        out 0x70, al
        mov al, ah
        out 0x71, al
        ret

read_tsc: ; EDX:EAX, 0 without a counter
        xor eax, eax
        xor edx, edx
        test byte [cpu_features], 0x10
        jz .end
        rdtsc
.end:   ret

; ---- memory: patterns and addresses in all usable RAM above 1 MiB and below 4 GiB, for three seconds at most -----------------
%define BAR_COLUMN DETAIL
%define BAR_WIDTH 22
%define BLOCK_BYTES 0x100000
%define MEMORY_TICKS 3000

check_memory:
        begin ROW_MEMORY, text_memory, text_line_memory_check
        mov byte [attribute], BAR_EMPTY
        mov al, 0xb0
        mov ecx, BAR_WIDTH
        call fill
        mov dword [tested_mb], 0
        mov dword [total_blocks], 0
        mov byte [out_of_time], 0
        mov dword [for_block], count_block
        call each_block
        cmp dword [total_blocks], 0
        je .nothing
        mov eax, [ticks]
        mov [start_tick], eax
        mov dword [for_block], test_block
        call each_block
        jc .bad
        mov eax, [ticks]
        sub eax, [start_tick]
        inc eax
        mov [this_size], eax
        mov eax, [tested_mb]
        call decimal
        call serial_print
        line text_line_gap
        call show_tested
        say DETAILS, text_mb_gap
        mov eax, [tested_mb]    ; four passes over each MB, in MB a second
        mov ecx, 4000
        mul ecx
        div dword [this_size]
        mov byte [attribute], VALUE
        call decimal
        call both
        say DETAILS, text_mb_s
        line text_mb_s
        passed ROW_MEMORY
        ret
.nothing:
        say DETAILS, text_no_memory
        passed ROW_MEMORY
        ret
.bad:   goto ROW_MEMORY, BAR_COLUMN + BAR_WIDTH + 1
        say ALARM, text_bad_memory
        mov eax, [bad_address]
        xor edx, edx
        mov ecx, 8
        call hexadecimal
        call both
        failed ROW_MEMORY
        ret

; Calls [for_block] with EBX = address of every whole MiB of usable RAM; carry ends it
each_block:
        mov esi, memory_map
        movzx ecx, word [memory_entries]
.entry: cmp dword [esi + 16], 1
        jne .next
        cmp dword [esi + 4], 0
        jne .next
        mov ebx, [esi]
        mov edx, ebx
        add edx, [esi + 8]
        jc .top
        cmp dword [esi + 12], 0
        je .bounded
.top:   mov edx, 0xfff00000
.bounded:
        add ebx, BLOCK_BYTES - 1
        jc .next
        and ebx, 0xfff00000
        cmp ebx, 0x100000
        jae .block
        mov ebx, 0x100000
.block: lea eax, [ebx + BLOCK_BYTES]
        cmp eax, edx
        ja .next
        pushad
        call [for_block]
        popad
        jc .end
        cmp byte [out_of_time], 0
        jne .done
        add ebx, BLOCK_BYTES
        jmp .block
.next:  add esi, 20
        loop .entry
.done:  clc
.end:   ret

count_block:
        inc dword [total_blocks]
        clc
        ret

test_block:
        cld
        mov eax, 0x5aa5a55a
        call .pattern
        jne .bad
        mov eax, 0xa55a5aa5
        call .pattern
        jne .bad
        mov edi, ebx            ; every 4 KiB its own address
        mov ecx, BLOCK_BYTES / 4096
.write: mov [edi], edi
        add edi, 4096
        loop .write
        mov edi, ebx
        mov ecx, BLOCK_BYTES / 4096
.read:  cmp [edi], edi
        jne .wrong
        add edi, 4096
        loop .read
        inc dword [tested_mb]
        call show_progress
        mov eax, [ticks]
        sub eax, [start_tick]
        cmp eax, MEMORY_TICKS
        jb .good
        mov byte [out_of_time], 1
.good:  clc
        ret
.bad:   sub edi, 4
.wrong: mov [bad_address], edi
        stc
        ret
.pattern: ; ZF when it reads back
        mov edi, ebx
        mov ecx, BLOCK_BYTES / 4
        rep stosd
        mov edi, ebx
        mov ecx, BLOCK_BYTES / 4
        repe scasd
        ret

show_progress:
        goto ROW_MEMORY, BAR_COLUMN
        mov eax, [tested_mb]
        mov ecx, BAR_WIDTH
        mul ecx
        div dword [total_blocks]
        mov ecx, eax
        mov byte [attribute], BAR_FULL
        mov al, 0xdb
        call fill
        test byte [tested_mb], 15       ; the number not for every MB: the screen is slow
        jnz .end
        call show_tested
.end:   ret

show_tested:
        goto ROW_MEMORY, BAR_COLUMN + BAR_WIDTH + 1
        mov eax, [tested_mb]
        mov byte [attribute], VALUE
        call decimal
        call print
        cmp byte [out_of_time], 0
        je .end
        say DETAILS, text_of
        mov eax, [total_blocks]
        call decimal
        call print
.end:   ret

; ---- speed: a loop of ten simple instructions for a quarter of a second ------------------------------------------------
%define SPEED_ROUNDS 2000
%define SPEED_INSTRUCTIONS 10

check_speed:
        begin ROW_SPEED, text_speed, text_line_speed
        mov eax, [ticks]
.edge:  cmp eax, [ticks]
        je .edge
        mov eax, [ticks]
        mov [start_tick], eax
        xor ebp, ebp            ; batches done
        mov edi, speed_data
.batch: mov ecx, SPEED_ROUNDS
.loop:  mov eax, [edi]
        add eax, ecx
        xor edx, eax
        rol edx, 5
        mov [edi + 4], edx
        lea ebx, [eax + edx * 2]
        sub ebx, ecx
        and ebx, 0x7fffffff
        dec ecx
        jnz .loop
        inc ebp
        mov eax, [ticks]
        sub eax, [start_tick]
        cmp eax, 250
        jb .batch
        mov ecx, eax
        mov eax, SPEED_ROUNDS * SPEED_INSTRUCTIONS / 1000       ; instructions a millisecond
        mul ebp
        div ecx
        goto ROW_SPEED, DETAIL
        mov byte [attribute], VALUE
        call decimal
        call both
        say DETAILS, text_mips
        line text_mips
        passed ROW_SPEED
        ret
`;
