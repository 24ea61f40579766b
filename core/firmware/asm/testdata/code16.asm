bits 16
org 0x7c00
start: mov ax, cx
mov bl, cl
mov ax, [bx]
mov ax,[start]
mov [start], al
mov eax,[start]
mov eax,[eax]
mov eax,[es:eax+ebx*4+5]
mov [fs:bp], cx
mov [bp+di-300], dl
mov byte [si+1],5
mov word [si],500
mov dword [di+label2],500
mov ds, ax
mov ax, ds
mov eax, ds
mov [bx], es
mov es, [bx]
mov eax, cr0
mov cr3, eax
mov dr7, eax
label2:
add ax, 5
add ax, 0xffff
add ax, 500
add eax, -1
add al, 3
add bl, 3
add byte [bx], 3
add word [bx], 3
add dword [bx], 300000
add [bx], ax
cmp cx, [bx+si]
xchg ax, bx
xchg bx, ax
xchg bl, cl
xchg [bx], cl
xchg cl,[bx]
xchg cx,dx
xchg eax,edx
test al,5
test bl,5
test ax,bx
test [bx],ax
test ax,[bx]
test word [bx],9
inc ax
inc eax
inc al
inc word [bx]
dec byte [bx]
push ax
push eax
push es
push fs
push 5
push 500
push word 5
push dword 5
push dword 500000
push word [bx]
push dword [bx]
push start
push byte 5
pop word [bx]
pop gs
pop ds
pusha
pushad
popad
pushf
pushfd
jmp short label2
jmp label2
jmp start
jmp near label2
jmp fwd
jz fwd
jnz near fwd
call fwd
call far [bx]
jmp far [bx]
jmp word [bx]
call [bx]
call dword [bx]
call ax
jmp eax
jmp 0xf000:0xfff0
jmp dword 0x8:0x12345
call 0x1234:fwd
jmp dword fwd
loop $
fwd:
loop fwd
loop fwd, ecx
jcxz fwd
jecxz fwd
ret
ret 4
retf
retf 2
o32 retf
iret
iretd
int 0x13
int3
rep movsb
rep movsd
repne scasb
es lodsb
rep es movsw
a32 rep movsb
cs xlatb
lock inc dword [bx]
shl ax,1
shl ax,cl
shl ax,5
shr byte [bx],1
sar dword [bx],3
rcl ecx,2
imul ax,bx
imul ax,5
imul ax,bx,5
imul eax,[bx],5000
mul bl
div ecx
neg word [bx]
movzx ax,bl
movzx eax,bx
movzx eax,byte [bx]
movsx ecx,word [bx]
lea ax,[bx+si+5]
lea eax,[ebx+ecx]
lea eax,[eax*2]
lea eax,[eax*2+5]
lea eax,[ecx*4]
lea eax,[ecx*3]
lea eax,[esp]
lea eax,[esp+ecx]
lea eax,[ecx+esp]
lea eax,[ebp]
lea eax,[ebp+ecx]
lea eax,[ecx+ebp]
lea eax,[ecx+ebp*2]
lea eax,[ebx+ecx*8+label2]
les di,[bx]
lds esi,[bx]
lss sp,[bx]
lgs ax,[bx]
bt ax,5
bts [bx],ax
btr dword [bx],3
bsf ax,bx
bsr eax,[bx]
shld ax,bx,5
shrd eax,ebx,cl
setz al
setnbe [bx]
cmovz eax,ecx
cmpxchg [bx],al
cmpxchg [bx],eax
cmpxchg8b [bx]
xadd [bx],cx
bswap eax
in al,0x60
in ax,dx
in eax,dx
out 0x20,al
out dx,eax
insb
rep insw
outsd
lgdt [bx]
o32 lgdt [cs:start]
lidt [start]
lmsw ax
smsw ax
invlpg [bx]
clts
lldt ax
ltr [bx]
str ax
sldt [bx]
verr ax
arpl ax,bx
lar ax,bx
lsl ecx,[bx]
cpuid
rdmsr
wrmsr
rdtsc
wbinvd
hlt
cli
sti
pause
nop
enter 16,0
leave
cbw
cwde
cdq
xlatb
aam
aad
aad 5
daa
bound ax,[bx]
into
fld dword [bx]
fld qword [bx]
fld tword [bx]
fstp qword [bx]
fild word [bx]
fild dword [bx]
fistp qword [bx]
fadd st0,st1
fadd st1,st0
fadd st1
faddp
faddp st1
fsub st0,st2
fsub st2,st0
fsubp st2,st0
fsubr st2,st0
fsubrp st3
fdivp
fdivr dword [bx]
fiadd word [bx]
fmul qword [bx]
fxch
fxch st2
fninit
finit
fnstsw ax
fstsw ax
fnstcw [bx]
fldcw [bx]
fld1
fldpi
fsin
fsqrt
fcompp
fucomi st0,st1
fcomp st1
fwait
db 1,2,"abc",0
dw 1,"a",start,"abc"
dd 0x12345678, 1.5
dq 0x1122334455667788, -2.25
align 16
times 5 db 0
times 3 nop
val equ 5*3
mov ax, val
mov ax, end-start
add bx, end-fwd2
fwd2:
add cx, end-fwd2
mov ax,[bx+end-fwd2]
.loc: jmp .loc
other:
.loc: jmp .loc
jmp start
end:
align 4, db 0
dw $-$$
dw $
%macro foo 2
mov ax, %1
%%l: jmp %%l
mov bx, %2
%endmacro
foo 1, 2
foo 3, 4
%define X(a,b) ((a)+(b)*2)
mov cx, X(3,4)
%rep 3
nop
%endrep
%assign i 0
%rep 4
db i
%assign i i+1
%endrep
%if i = 4
db "four"
%else
db "bad"
%endif
times 2000-($-$$) db 0x55
