bits 32
org 0x100000
start: mov ax, cx
mov eax,[ebx]
mov eax,[bx+si]
mov eax,[start]
mov [start],ax
mov ds, ax
mov ax, ds
mov eax, ds
mov [ebx], ds
mov cr0, eax
push es
push ax
push eax
push 5
push word 5
push dword [ebx]
push start
pop dword [ebx+ecx*4]
inc ax
dec ecx
jmp 0x8:0x10000
jmp dword 0x8:start
jmp word 0x8:0x1000
call start
jz start
loop $
jmp far [ebx]
jmp [ebx]
jmp eax
call dword [eax*4+start]
o16 iret
iretd
retf
lgdt [start]
ltr ax
fxsave [eax]
movaps xmm0,[eax]
movups [eax],xmm1
movd xmm0,eax
movq xmm0,[eax]
pxor xmm1,xmm2
pxor mm1,mm2
addps xmm1,[eax]
sysenter
movzx eax, byte [eax+1]
imul eax, eax, 1000
bt dword [eax], 4
cmpxchg8b [esi]
xchg eax, ebx
xchg ebx, eax
xchg ebx,ecx
mov dword [edi+4], start
mov byte [edi], 'A'
mov eax, 'abcd'
rep stosd
in eax,dx
add eax, 0xffffffff
sub esp, 0x80
sub esp, -128
and eax, ~1
and ax, 0xff00
test eax, 1
lea esi,[esi*4]
lea esi,[esi+edi*1]
lea esi,[esi*1+edi]
lea esi,[edi*2+ebp]
les eax,[ebx]
enter 8,1
bits 64
l64: mov rax, rbx
mov rax, 5
mov rax, -1
mov rax, 0x123456789abcdef
mov rax, l64
mov eax, l64
mov rax, 0x80000000
mov rax, 0xffffffff
mov r8, r15
mov r8d, 1
mov r9b, 4
mov sil, 3
mov ah, 3
mov [rax], r8
mov [r13], eax
mov [r12+5], eax
mov [rsp+8], rdi
mov rax,[rbx+r9*8+100]
mov rax,[l64]
mov rax,[rel l64]
mov qword [rel l64], 5
cmp byte [rel l64], 5
mov eax,[ebx]
lea rax,[rel l64]
lea rax,[r8+r8*2]
mov rax,[fs:0x28]
mov al,[0x1234]
push rax
push r12
push 5
push 500
push qword [rax]
pop r9
push fs
pop gs
inc eax
inc qword [rax]
dec r10
add rax, 5
add rax, 500
add r9, -1
add qword [rax], 100000
cmp rax, rbx
imul rax, rbx, 10
imul r9, [rax], 1000
movzx rax, byte [rbx]
movzx r8d, word [rbx]
movsx rax, ebx
movsxd rax, dword [rbx]
jmp rax
jmp [rax]
call r9
call [rel l64]
call l64
jmp l64
jz near l64
jrcxz $
ret
retfq
iretq
syscall
o64 sysret
sysret
swapgs
lgdt [rel l64]
lidt [rax]
ltr ax
mov cr3, rax
mov rax, cr2
mov cr8, rax
mov dr0, rax
mov ds, ax
mov eax, ds
mov rax, ds
rdmsr
cpuid
cqo
cdqe
movsq
rep stosq
stosd
lodsq
bswap rax
bswap r9
bsf rax, rbx
popcnt rax,rbx
cmpxchg16b [rax]
lock cmpxchg [rax], r9
xadd [rax], rcx
xchg rax, rbx
xchg r8, rax
xchg eax, ecx
xchg rcx, [rax]
shl rax, 5
shr r9, cl
sar qword [rax], 1
shld rax, rbx, 3
setz r9b
setz sil
cmovz rax, [rbx]
movaps xmm8,[rax]
movdqu [r9], xmm15
movq xmm0, rax
movq rax, xmm9
movd xmm3, r9d
cvtsi2sd xmm0, rax
cvttsd2si rax, xmm1
sqrtsd xmm1, xmm2
addsd xmm9,[rel l64]
xorps xmm1,xmm1
pshufd xmm1,xmm2,5
movsd xmm1,[rax]
movss [rax],xmm3
pslldq xmm1, 4
fxsave [rax]
invlpg [rax]
test rax, rax
test al, 1
test rax, 5
test r9d, 5
neg rax
not r9
mul rcx
div qword [rbx]
mov [rax+rcx*2+0x12345], r10w
xor r10, r10
xor eax, eax
in al, dx
rdtscp
wbinvd
rdrand rax
rdseed r9d
pause
mov rcx, [rax+l64end-l65]
l65: nop
l64end:
jmp far [rax]
jmp far dword [rax]
leave
enter 16,0
nop
nop dword [rax]
int 0x80
hlt
movbe eax,[rbx]
lar eax, bx
str ax
loop $
mov r8, 5
mov [r8], rsp
