// Encodings of the instructions that the assembler knows, one form a line: `mnemonic operands = encoding`, after the
// Intel SDM volume 2. Where several forms match the first one is taken; the order is NASM's.
//
// Operands: rN register in ModRM.reg (or +r), rmN register or memory in ModRM.rm, gN register in ModRM.rm, m/mN memory,
//   immN, simm8 (fits a sign-extended byte), sreg cr dr mm xmm, mm64/xmN (register or memory), st sti, rel8 rel, ptr
//   (seg:off), moffsN, fixed registers, 1. `v` stands for 16, 32 and 64 and makes three forms (`accv` = ax/eax/rax,
//   `ov` the operand size, `iv` the immediate, 32 bits at most); `w` the same for 16 and 32.
// Encoding: hex bytes, /r /0-/7, /rr (register in both fields), +r, ib iw id iq iv, ibs, jb jv (jump distance), fp (far
//   pointer), mo (memory offset), o16 o32 o64 (operand size), a16 a32 a64, d64 (64 bits without REX.W), odf (size
//   keyword or default), p66 pF2 pF3 (mandatory prefix), n64/x64 (not / only in 64-bit code), defsize.

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFTS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'];
const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const CONDITION_ALIASES: Record<string, string> = {
  c: 'b',
  nae: 'b',
  nb: 'ae',
  nc: 'ae',
  z: 'e',
  nz: 'ne',
  na: 'be',
  nbe: 'a',
  pe: 'p',
  po: 'np',
  nge: 'l',
  nl: 'ge',
  ng: 'le',
  nle: 'g',
};

const hex = (n: number): string => n.toString(16).padStart(2, '0');

function aluForms(): string {
  return ALU.map((name, i) => {
    const b = i * 8;
    return `
${name} rm8,r8 = ${hex(b)} /r
${name} rmv,rv = ov ${hex(b + 1)} /r
${name} r8,rm8 = ${hex(b + 2)} /r
${name} rv,rmv = ov ${hex(b + 3)} /r
${name} rmv,simm8 = ov 83 /${i} ibs
${name} al,imm8 = ${hex(b + 4)} ib
${name} accv,immv = ov ${hex(b + 5)} iv
${name} rm8,imm8 = 80 /${i} ib
${name} rmv,immv = ov 81 /${i} iv`;
  }).join('');
}

function shiftForms(): string {
  return SHIFTS.map((name, i) => {
    const n = name === 'sal' ? 4 : i;
    return `
${name} rm8,1 = d0 /${n}
${name} rm8,cl = d2 /${n}
${name} rm8,imm8 = c0 /${n} ib
${name} rmv,1 = ov d1 /${n}
${name} rmv,cl = ov d3 /${n}
${name} rmv,imm8 = ov c1 /${n} ib`;
  }).join('');
}

function conditionForms(): string {
  const names: [string, number][] = CONDITIONS.map((name, i) => [name, i]);
  for (const [alias, name] of Object.entries(CONDITION_ALIASES)) names.push([alias, CONDITIONS.indexOf(name)]);
  return names
    .map(
      ([cc, i]) => `
j${cc} rel8 = ${hex(0x70 + i)} jb
j${cc} rel = 0f ${hex(0x80 + i)} jv
set${cc} rm8 = 0f ${hex(0x90 + i)} /0
cmov${cc} rv,rmv = ov 0f ${hex(0x40 + i)} /r`,
    )
    .join('');
}

const BITS = [
  ['bt', 'a3', 4],
  ['bts', 'ab', 5],
  ['btr', 'b3', 6],
  ['btc', 'bb', 7],
] as const;
const bitForms = (): string =>
  BITS.map(([name, op, n]) => `\n${name} rmv,rv = ov 0f ${op} /r\n${name} rmv,imm8 = ov 0f ba /${n} ib`).join('');

const UNARY = [
  ['not', 2],
  ['neg', 3],
  ['mul', 4],
  ['imul', 5],
  ['div', 6],
  ['idiv', 7],
] as const;
const unaryForms = (): string =>
  UNARY.map(([name, n]) => `\n${name} rm8 = f6 /${n}\n${name} rmv = ov f7 /${n}`).join('');

const STRINGS = [
  ['movs', 0xa4],
  ['cmps', 0xa6],
  ['stos', 0xaa],
  ['lods', 0xac],
  ['scas', 0xae],
] as const;
const stringForms = (): string =>
  STRINGS.map(
    ([n, op]) =>
      `\n${n}b = ${hex(op)}\n${n}w = o16 ${hex(op + 1)}\n${n}d = o32 ${hex(op + 1)}\n${n}q = o64 ${hex(op + 1)}`,
  ).join('') + '\ninsb = 6c\ninsw = o16 6d\ninsd = o32 6d\noutsb = 6e\noutsw = o16 6f\noutsd = o32 6f';

const INTEGER = `
mov m,sreg = 8c /r
mov g16,sreg = o16 8c /r
mov g32,sreg = o32 8c /r
mov g64,sreg = d64 8c /r
mov sreg,rm16 = 8e /r
mov sreg,g32 = 8e /r
mov al,moffs8 = a0 mo
mov ax,moffs16 = o16 a1 mo
mov eax,moffs32 = o32 a1 mo
mov rax,moffs64 = o64 a1 mo
mov moffs8,al = a2 mo
mov moffs16,ax = o16 a3 mo
mov moffs32,eax = o32 a3 mo
mov moffs64,rax = o64 a3 mo
mov g32,cr = n64 0f 20 /r
mov g64,cr = x64 0f 20 /r
mov cr,g32 = n64 0f 22 /r
mov cr,g64 = x64 0f 22 /r
mov g32,dr = n64 0f 21 /r
mov g64,dr = x64 0f 21 /r
mov dr,g32 = n64 0f 23 /r
mov dr,g64 = x64 0f 23 /r
mov rm8,r8 = 88 /r
mov rmv,rv = ov 89 /r
mov r8,rm8 = 8a /r
mov rv,rmv = ov 8b /r
mov r8,imm8 = b0 +r ib
mov r16,imm16 = o16 b8 +r iw
mov r32,imm32 = o32 b8 +r id
mov r64,uimm32 = x64 o32 b8 +r id
mov g64,simm32 = o64 c7 /0 id
mov r64,imm64 = o64 b8 +r iq
mov rm8,imm8 = c6 /0 ib
mov rm16,imm16 = o16 c7 /0 iw
mov rm32,imm32 = o32 c7 /0 id
mov rm64,imm32 = o64 c7 /0 id
movzx rv,rm8 = ov 0f b6 /r
movzx r32,rm16 = o32 0f b7 /r
movzx r64,rm16 = o64 0f b7 /r
movsx rv,rm8 = ov 0f be /r
movsx r32,rm16 = o32 0f bf /r
movsx r64,rm16 = o64 0f bf /r
movsx r64,rm32 = o64 63 /r
movsxd r64,rm32 = o64 63 /r
lea rv,m = ov 8d /r
xchg ax,r16 = o16 90 +r
xchg eax,r32 = o32 90 +r
xchg rax,r64 = o64 90 +r
xchg r16,ax = o16 90 +r
xchg r32,eax = o32 90 +r
xchg r64,rax = o64 90 +r
xchg r8,rm8 = 86 /r
xchg rv,rmv = ov 87 /r
xchg m8,r8 = 86 /r
xchg m16,r16 = o16 87 /r
xchg m32,r32 = o32 87 /r
xchg m64,r64 = o64 87 /r
test rm8,r8 = 84 /r
test rmv,rv = ov 85 /r
test r8,rm8 = 84 /r
test rv,rmv = ov 85 /r
test al,imm8 = a8 ib
test accv,immv = ov a9 iv
test rm8,imm8 = f6 /0 ib
test rmv,immv = ov f7 /0 iv
inc r16 = n64 o16 40 +r
inc r32 = n64 o32 40 +r
inc rm8 = fe /0
inc rmv = ov ff /0
dec r16 = n64 o16 48 +r
dec r32 = n64 o32 48 +r
dec rm8 = fe /1
dec rmv = ov ff /1
imul rv,rmv = ov 0f af /r
imul rv,rmv,simm8 = ov 6b /r ibs
imul rv,rmv,immv = ov 69 /r iv
imul rv,simm8 = ov 6b /rr ibs
imul rv,immv = ov 69 /rr iv
shld rmv,rv,imm8 = ov 0f a4 /r ib
shld rmv,rv,cl = ov 0f a5 /r
shrd rmv,rv,imm8 = ov 0f ac /r ib
shrd rmv,rv,cl = ov 0f ad /r
bsf rv,rmv = ov 0f bc /r
bsr rv,rmv = ov 0f bd /r
popcnt rv,rmv = ov pF3 0f b8 /r
lzcnt rv,rmv = ov pF3 0f bd /r
tzcnt rv,rmv = ov pF3 0f bc /r
bswap r32 = o32 0f c8 +r
bswap r64 = o64 0f c8 +r
cmpxchg rm8,r8 = 0f b0 /r
cmpxchg rmv,rv = ov 0f b1 /r
xadd rm8,r8 = 0f c0 /r
xadd rmv,rv = ov 0f c1 /r
cmpxchg8b m64 = 0f c7 /1
cmpxchg16b m128 = o64 0f c7 /1
push r16 = o16 50 +r
push r32 = n64 o32 50 +r
push r64 = d64 50 +r
push es = n64 odf 06
push cs = n64 odf 0e
push ss = n64 odf 16
push ds = n64 odf 1e
push fs = odf 0f a0
push gs = odf 0f a8
push simm8 = odf 6a ibs
push imm = odf 68 iv
push rm16 = o16 ff /6
push rm32 = n64 o32 ff /6
push rm64 = d64 ff /6
pop r16 = o16 58 +r
pop r32 = n64 o32 58 +r
pop r64 = d64 58 +r
pop es = n64 odf 07
pop ss = n64 odf 17
pop ds = n64 odf 1f
pop fs = odf 0f a1
pop gs = odf 0f a9
pop rm16 = o16 8f /0
pop rm32 = n64 o32 8f /0
pop rm64 = d64 8f /0
pusha = n64 60
pushaw = n64 o16 60
pushad = n64 o32 60
popa = n64 61
popaw = n64 o16 61
popad = n64 o32 61
pushf = 9c
pushfw = o16 9c
pushfd = n64 o32 9c
pushfq = x64 9c
popf = 9d
popfw = o16 9d
popfd = n64 o32 9d
popfq = x64 9d
enter imm16,imm8 = c8 iw ib
leave = c9
cbw = o16 98
cwde = o32 98
cdqe = o64 98
cwd = o16 99
cdq = o32 99
cqo = o64 99
lahf = 9f
sahf = 9e
xlatb = d7
xlat = d7
aaa = n64 37
aas = n64 3f
daa = n64 27
das = n64 2f
aam = n64 d4 0a
aam imm8 = n64 d4 ib
aad = n64 d5 0a
aad imm8 = n64 d5 ib
salc = n64 d6
nop = 90
nop rmw = ow 0f 1f /0
pause = pF3 90
clc = f8
stc = f9
cli = fa
sti = fb
cld = fc
std = fd
cmc = f5
jmp rel8 = eb jb
jmp rel = e9 jv
jmp ptr = n64 fp ea
jmp mfar = odf ff /5
jmp rm16 = o16 ff /4 defsize
jmp rm32 = n64 o32 ff /4 defsize
jmp rm64 = d64 ff /4 defsize
call rel = e8 jv
call ptr = n64 fp 9a
call mfar = odf ff /3
call rm16 = o16 ff /2 defsize
call rm32 = n64 o32 ff /2 defsize
call rm64 = d64 ff /2 defsize
loop rel8 = e2 jb
loop rel8,cx = a16 e2 jb
loop rel8,ecx = a32 e2 jb
loop rel8,rcx = a64 e2 jb
loope rel8 = e1 jb
loopz rel8 = e1 jb
loopne rel8 = e0 jb
loopnz rel8 = e0 jb
jcxz rel8 = a16 e3 jb
jecxz rel8 = a32 e3 jb
jrcxz rel8 = a64 e3 jb
ret = c3
ret imm16 = c2 iw
retn = c3
retn imm16 = c2 iw
retf = cb
retf imm16 = ca iw
retfd = o32 cb
retfq = o64 cb
iret = cf
iretw = o16 cf
iretd = o32 cf
iretq = o64 cf
int imm8 = cd ib
int3 = cc
int1 = f1
into = n64 ce
bound rw,m = n64 ow 62 /r
in al,imm8 = e4 ib
in ax,imm8 = o16 e5 ib
in eax,imm8 = o32 e5 ib
in al,dx = ec
in ax,dx = o16 ed
in eax,dx = o32 ed
out imm8,al = e6 ib
out imm8,ax = o16 e7 ib
out imm8,eax = o32 e7 ib
out dx,al = ee
out dx,ax = o16 ef
out dx,eax = o32 ef
les rw,m = n64 ow c4 /r
lds rw,m = n64 ow c5 /r
lss rv,m = ov 0f b2 /r
lfs rv,m = ov 0f b4 /r
lgs rv,m = ov 0f b5 /r
movbe rv,m = ov 0f 38 f0 /r
movbe m,rv = ov 0f 38 f1 /r
`;

const SYSTEM = `
hlt = f4
lgdt m = 0f 01 /2
lidt m = 0f 01 /3
sgdt m = 0f 01 /0
sidt m = 0f 01 /1
lmsw rm16 = 0f 01 /6
smsw m = 0f 01 /4
smsw gv = ov 0f 01 /4
invlpg m = 0f 01 /7
clts = 0f 06
lldt rm16 = 0f 00 /2
ltr rm16 = 0f 00 /3
sldt rm16 = o16 0f 00 /0
str rm16 = o16 0f 00 /1
verr rm16 = 0f 00 /4
verw rm16 = 0f 00 /5
arpl rm16,r16 = n64 63 /r
lar rv,rm16 = ov 0f 02 /r
lar rw,gw = ow 0f 02 /r
lsl rv,rm16 = ov 0f 03 /r
lsl rw,gw = ow 0f 03 /r
cpuid = 0f a2
rdmsr = 0f 32
wrmsr = 0f 30
rdtsc = 0f 31
rdtscp = 0f 01 f9
rdpmc = 0f 33
wbinvd = 0f 09
invd = 0f 08
syscall = 0f 05
sysret = 0f 07
sysretq = o64 0f 07
o64sysret = o64 0f 07
sysenter = 0f 34
sysexit = 0f 35
swapgs = x64 0f 01 f8
rsm = 0f aa
ud0 = 0f ff
ud2 = 0f 0b
mfence = 0f ae f0
lfence = 0f ae e8
sfence = 0f ae f8
clflush m = 0f ae /7
monitor = 0f 01 c8
mwait = 0f 01 c9
xgetbv = 0f 01 d0
xsetbv = 0f 01 d1
vmcall = 0f 01 c1
vmmcall = 0f 01 d9
rdrand rv = ov 0f c7 /6g
rdseed rv = ov 0f c7 /7g
`;

const X87_ARITHMETIC = [
  ['fadd', 0],
  ['fmul', 1],
  ['fcom', 2],
  ['fcomp', 3],
  ['fsub', 4],
  ['fsubr', 5],
  ['fdiv', 6],
  ['fdivr', 7],
] as const;

function x87Arithmetic(): string {
  let text = '';
  for (const [name, n] of X87_ARITHMETIC) {
    text += `\n${name} m32 = d8 /${n}\n${name} m64 = dc /${n}\n${name} sti = d8 ${hex(0xc0 + n * 8)} +i\n${name} st,sti = d8 ${hex(0xc0 + n * 8)} +i`;
    text += `\nfi${name.slice(1)} m32 = da /${n}\nfi${name.slice(1)} m16 = de /${n}`;
    if (n === 2 || n === 3) continue;
    // With ST(i) as destination the subtract and divide opcodes are swapped with their reversed twins.
    const swapped = n < 4 ? n : n ^ 1;
    text += `\n${name} sti,st = dc ${hex(0xc0 + swapped * 8)} +i\n${name}p sti,st = de ${hex(0xc0 + swapped * 8)} +i\n${name}p sti = de ${hex(0xc0 + swapped * 8)} +i\n${name}p = de ${hex(0xc1 + swapped * 8)}`;
  }
  return text;
}

const X87 = `
fld m32 = d9 /0
fld m64 = dd /0
fld m80 = db /5
fld sti = d9 c0 +i
fst m32 = d9 /2
fst m64 = dd /2
fst sti = dd d0 +i
fstp m32 = d9 /3
fstp m64 = dd /3
fstp m80 = db /7
fstp sti = dd d8 +i
fild m16 = df /0
fild m32 = db /0
fild m64 = df /5
fist m16 = df /2
fist m32 = db /2
fistp m16 = df /3
fistp m32 = db /3
fistp m64 = df /7
fbld m80 = df /4
fbstp m80 = df /6
fxch = d9 c9
fxch sti = d9 c8 +i
fucom sti = dd e0 +i
fucomp sti = dd e8 +i
fucompp = da e9
fcompp = de d9
fcomi st,sti = db f0 +i
fcomip st,sti = df f0 +i
fucomi st,sti = db e8 +i
fucomip st,sti = df e8 +i
ffree sti = dd c0 +i
fldcw m16 = d9 /5
fnstcw m16 = d9 /7
fstcw m16 = 9b d9 /7
fnstsw m16 = dd /7
fnstsw ax = df e0
fstsw m16 = 9b dd /7
fstsw ax = 9b df e0
fninit = db e3
finit = 9b db e3
fnclex = db e2
fclex = 9b db e2
fldenv m = d9 /4
fnstenv m = d9 /6
frstor m = dd /4
fnsave m = dd /6
fwait = 9b
fxsave m = 0f ae /0
fxrstor m = 0f ae /1
emms = 0f 77
ldmxcsr m32 = 0f ae /2
stmxcsr m32 = 0f ae /3
`;

const X87_PLAIN: Record<string, number> = {
  fnop: 0xd0,
  fchs: 0xe0,
  fabs: 0xe1,
  ftst: 0xe4,
  fxam: 0xe5,
  fld1: 0xe8,
  fldl2t: 0xe9,
  fldl2e: 0xea,
  fldpi: 0xeb,
  fldlg2: 0xec,
  fldln2: 0xed,
  fldz: 0xee,
  f2xm1: 0xf0,
  fyl2x: 0xf1,
  fptan: 0xf2,
  fpatan: 0xf3,
  fxtract: 0xf4,
  fprem1: 0xf5,
  fdecstp: 0xf6,
  fincstp: 0xf7,
  fprem: 0xf8,
  fyl2xp1: 0xf9,
  fsqrt: 0xfa,
  fsincos: 0xfb,
  frndint: 0xfc,
  fscale: 0xfd,
  fsin: 0xfe,
  fcos: 0xff,
};
const x87Plain = (): string =>
  Object.entries(X87_PLAIN)
    .map(([name, op]) => `\n${name} = d9 ${hex(op)}`)
    .join('');

const SSE = `
movups xmm,xm128 = 0f 10 /r
movups m128,xmm = 0f 11 /r
movaps xmm,xm128 = 0f 28 /r
movaps m128,xmm = 0f 29 /r
movupd xmm,xm128 = p66 0f 10 /r
movupd m128,xmm = p66 0f 11 /r
movapd xmm,xm128 = p66 0f 28 /r
movapd m128,xmm = p66 0f 29 /r
movdqa xmm,xm128 = p66 0f 6f /r
movdqa m128,xmm = p66 0f 7f /r
movdqu xmm,xm128 = pF3 0f 6f /r
movdqu m128,xmm = pF3 0f 7f /r
movss xmm,xm32 = pF3 0f 10 /r
movss m32,xmm = pF3 0f 11 /r
movsd xmm,xm64 = pF2 0f 10 /r
movsd m64,xmm = pF2 0f 11 /r
movd xmm,rm32 = p66 0f 6e /r
movd rm32,xmm = p66 0f 7e /r
movd mm,rm32 = 0f 6e /r
movd rm32,mm = 0f 7e /r
movq mm,mm64 = 0f 6f /r
movq mm64,mm = 0f 7f /r
movq xmm,xm64 = pF3 0f 7e /r
movq m64,xmm = p66 0f d6 /r
movq xmm,g64 = p66 o64 0f 6e /r
movq g64,xmm = p66 o64 0f 7e /r
movntdq m128,xmm = p66 0f e7 /r
cvtsi2sd xmm,rm32 = pF2 0f 2a /r
cvtsi2sd xmm,rm64 = pF2 o64 0f 2a /r
cvtsi2ss xmm,rm32 = pF3 0f 2a /r
cvttsd2si r32,xm64 = pF2 0f 2c /r
cvttsd2si r64,xm64 = pF2 o64 0f 2c /r
cvttss2si r32,xm32 = pF3 0f 2c /r
cvtss2sd xmm,xm32 = pF3 0f 5a /r
cvtsd2ss xmm,xm64 = pF2 0f 5a /r
ucomiss xmm,xm32 = 0f 2e /r
ucomisd xmm,xm64 = p66 0f 2e /r
comiss xmm,xm32 = 0f 2f /r
comisd xmm,xm64 = p66 0f 2f /r
shufps xmm,xm128,imm8 = 0f c6 /r ib
pshufd xmm,xm128,imm8 = p66 0f 70 /r ib
pslldq xmmg,imm8 = p66 0f 73 /7 ib
psrldq xmmg,imm8 = p66 0f 73 /3 ib
pmovmskb r32,xmmg = p66 0f d7 /r
prefetchnta m = 0f 18 /0
`;

const SSE_ARITHMETIC = [
  ['sqrt', 0x51],
  ['and', 0x54],
  ['andn', 0x55],
  ['or', 0x56],
  ['xor', 0x57],
  ['add', 0x58],
  ['mul', 0x59],
  ['sub', 0x5c],
  ['min', 0x5d],
  ['div', 0x5e],
  ['max', 0x5f],
] as const;
const SSE_INTEGER = [
  ['paddb', 0xfc],
  ['paddw', 0xfd],
  ['paddd', 0xfe],
  ['paddq', 0xd4],
  ['psubb', 0xf8],
  ['psubw', 0xf9],
  ['psubd', 0xfa],
  ['psubq', 0xfb],
  ['pand', 0xdb],
  ['pandn', 0xdf],
  ['por', 0xeb],
  ['pxor', 0xef],
  ['pcmpeqb', 0x74],
  ['pcmpeqw', 0x75],
  ['pcmpeqd', 0x76],
  ['pmullw', 0xd5],
  ['pmuludq', 0xf4],
  ['punpcklbw', 0x60],
  ['punpckldq', 0x62],
  ['punpcklqdq', 0x6c],
] as const;

function sseArithmetic(): string {
  let text = '';
  for (const [name, op] of SSE_ARITHMETIC) {
    text += `\n${name}ps xmm,xm128 = 0f ${hex(op)} /r\n${name}pd xmm,xm128 = p66 0f ${hex(op)} /r`;
    const bitwise = op >= 0x54 && op <= 0x57;
    if (!bitwise) text += `\n${name}ss xmm,xm32 = pF3 0f ${hex(op)} /r\n${name}sd xmm,xm64 = pF2 0f ${hex(op)} /r`;
  }
  for (const [name, op] of SSE_INTEGER) {
    if (name !== 'punpcklqdq') text += `\n${name} mm,mm64 = 0f ${hex(op)} /r`;
    text += `\n${name} xmm,xm128 = p66 0f ${hex(op)} /r`;
  }
  return text;
}

/** The whole table as text. */
export function formTableText(): string {
  return [
    aluForms(),
    shiftForms(),
    conditionForms(),
    bitForms(),
    unaryForms(),
    stringForms(),
    INTEGER,
    SYSTEM,
    x87Arithmetic(),
    X87,
    x87Plain(),
    SSE,
    sseArithmetic(),
  ].join('\n');
}
