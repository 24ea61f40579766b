// Runs single instructions, or a few, on the host's CPU. Cases come on stdin, results go to stdout, both as the binary records of
// records.ts. Each case loads all registers, jumps to the instruction, which is followed by a jump back, and stores all
// registers; a fault ends in a signal handler that continues at the same way back. 32-bit cases run in compatibility mode
// through a far jump into the kernel's 32-bit code segment, 16-bit cases in segments of the local descriptor table.

#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define DATA_AT 0x10000000ul
#define DATA_BYTES 0x2000u    // two writable pages; a read-only one follows, then nothing
#define CODE_AT 0x20000000ul
#define CODE_START (CODE_AT + 0x800)
#define TRAMPOLINE (CODE_AT + 0x100)
#define WAY_BACK (CODE_AT + 0x180)
#define NO_FAULT 0xffffffffu
#define CODE32 0x23
#define CODE64 0x33
#define CODE16 0x07

struct input {
  uint32_t mode;  // 16, 32 or 64
  uint32_t code_bytes;
  uint8_t code[64];
  uint64_t gpr[16];
  uint64_t rflags;
  uint32_t patch_offset;
  uint32_t patch_bytes;  // the patch follows the record, padded to 16
  uint16_t segments[4];  // ES, SS, DS, unused
  uint8_t fx[512];
} __attribute__((aligned(16)));

struct output {
  uint32_t vector;
  uint32_t error;
  uint64_t cr2;
  uint64_t rip;  // of the fault
  uint64_t reserved[6];
  uint64_t gpr[16];
  uint64_t rflags;
  uint32_t changed_offset;
  uint32_t changed_bytes;  // the bytes follow the record, padded to 16
  uint16_t segments[4];  // ES, SS, DS; CS of a fault
  uint8_t fx[512];
} __attribute__((aligned(16)));

struct input in __attribute__((aligned(64)));
struct output out __attribute__((aligned(64)));
uint64_t host_rsp;
uint64_t target;
uint64_t fault_gpr[16];
struct {
  uint32_t offset;
  uint16_t selector;
} __attribute__((packed, aligned(16))) far_target;

void run_case(void);
extern char landing[], enter32[], __executable_start, etext;

__asm__(
    ".text\n"
    ".globl run_case\n"
    "run_case:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, host_rsp(%rip)\n"
    "  mov in+216(%rip), %es\n  mov in+218(%rip), %ss\n  mov in+220(%rip), %ds\n"
    "  fxrstor64 in+224(%rip)\n"
    "  pushq in+200(%rip)\n"
    "  popfq\n"
    "  mov in+72(%rip), %rax\n  mov in+80(%rip), %rcx\n  mov in+88(%rip), %rdx\n  mov in+96(%rip), %rbx\n"
    "  mov in+104(%rip), %rsp\n  mov in+112(%rip), %rbp\n  mov in+120(%rip), %rsi\n  mov in+128(%rip), %rdi\n"
    "  mov in+136(%rip), %r8\n  mov in+144(%rip), %r9\n  mov in+152(%rip), %r10\n  mov in+160(%rip), %r11\n"
    "  mov in+168(%rip), %r12\n  mov in+176(%rip), %r13\n  mov in+184(%rip), %r14\n  mov in+192(%rip), %r15\n"
    "  jmp *target(%rip)\n"
    ".globl enter32\n"
    "enter32:\n"
    "  ljmp *far_target(%rip)\n"
    ".globl landing\n"
    "landing:\n"
    "  mov %rax, out+72(%rip)\n  mov %rcx, out+80(%rip)\n  mov %rdx, out+88(%rip)\n  mov %rbx, out+96(%rip)\n"
    "  mov %rsp, out+104(%rip)\n  mov %rbp, out+112(%rip)\n  mov %rsi, out+120(%rip)\n  mov %rdi, out+128(%rip)\n"
    "  mov %r8, out+136(%rip)\n  mov %r9, out+144(%rip)\n  mov %r10, out+152(%rip)\n  mov %r11, out+160(%rip)\n"
    "  mov %r12, out+168(%rip)\n  mov %r13, out+176(%rip)\n  mov %r14, out+184(%rip)\n  mov %r15, out+192(%rip)\n"
    "  mov host_rsp(%rip), %rsp\n"
    "  mov %es, out+216(%rip)\n  mov %ss, out+218(%rip)\n  mov %ds, out+220(%rip)\n"
    "  mov flat_data(%rip), %ss\n"
    "  pushfq\n"
    "  popq out+200(%rip)\n"
    "  pushq $0x202\n"
    "  popfq\n"
    "  fxsave64 out+224(%rip)\n"
    "  fninit\n"
    "  ldmxcsr default_mxcsr(%rip)\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n"
    "  ret\n"
    ".data\n"
    "default_mxcsr: .long 0x1f80\n"
    "flat_data: .word 0x2b\n"
    ".text\n");

_Static_assert(offsetof(struct input, gpr) == 72 && offsetof(struct input, rflags) == 200 && offsetof(struct input, segments) == 216 && offsetof(struct input, fx) == 224, "layout");
_Static_assert(offsetof(struct output, gpr) == 72 && offsetof(struct output, rflags) == 200 && offsetof(struct output, segments) == 216 && offsetof(struct output, fx) == 224, "layout");

static void on_fault(int signal_number, siginfo_t *info, void *context) {
  // Alignment checks of the case must not go on here.
  __asm__ volatile("pushfq\n andq $~0x40000, (%%rsp)\n popfq" ::: "memory", "cc");
  ucontext_t *uc = context;
  greg_t *regs = uc->uc_mcontext.gregs;
  (void)signal_number;
  (void)info;
  out.vector = (uint32_t)regs[REG_TRAPNO];
  out.error = (uint32_t)regs[REG_ERR];
  out.cr2 = out.vector == 14 ? (uint64_t)regs[REG_CR2] : 0;
  out.rip = (uint64_t)regs[REG_RIP];
  // The kernel's return to a 16-bit stack segment may spoil the upper half of ESP: registers are taken from here.
  static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (int i = 0; i < 16; i++) fault_gpr[i] = (uint64_t)regs[order[i]];
  uint64_t ip = out.rip;
  // A branch may end anywhere but in this program.
  if (ip >= (uint64_t)(uintptr_t)&__executable_start && ip < (uint64_t)(uintptr_t)&etext) {
    static const char text[] = "host-runner: fault outside of the test instruction\n";
    if (write(2, text, sizeof text - 1) < 0) _exit(4);
    _exit(3);
  }
  regs[REG_RIP] = (greg_t)(uintptr_t)landing;
  uint64_t selectors = (uint64_t)regs[REG_CSGSFS];
  out.segments[3] = (uint16_t)selectors;
  regs[REG_CSGSFS] = (greg_t)((selectors & ~0xfffful) | CODE64);
}

static void *map_at(uint64_t address, size_t bytes) {
  void *at = mmap((void *)address, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != (void *)address) {
    perror("host-runner: mmap");
    exit(2);
  }
  return at;
}

// The page that cases run in: they cannot write to it, so that none damages its way back; `code` is where this program does.
static uint8_t *map_code(void) {
  int file = memfd_create("code", 0);
  if (file < 0 || ftruncate(file, 0x1000) != 0) {
    perror("host-runner: memfd_create");
    exit(2);
  }
  void *at = mmap((void *)CODE_AT, 0x1000, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
  void *code = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at != (void *)CODE_AT || code == MAP_FAILED) {
    perror("host-runner: mmap");
    exit(2);
  }
  return code;
}

static int read_all(void *to, size_t bytes) {
  return fread(to, 1, bytes, stdin) == bytes;
}

static void write_all(const void *from, size_t bytes) {
  if (fwrite(from, 1, bytes, stdout) != bytes) exit(2);
}

// The local descriptor table of 16-bit cases; segmentsOf() in records.ts knows the same list.
static void make_segments(void) {
  static const struct {
    unsigned base, limit, wide, contents, read_only, pages, absent;
  } list[] = {
      {CODE_AT, 0xffff, 0, 2, 0, 0},    // 0 code
      {DATA_AT, 0x2fff, 0, 0, 0, 0},    // 1 data
      {DATA_AT, 0x2fff, 0, 0, 1, 0},    // 2 read-only data
      {DATA_AT, 0x03ff, 0, 1, 0, 0},    // 3 expand-down data, 16-bit
      {DATA_AT, 0x03ff, 1, 1, 0, 0},    // 4 expand-down data, 32-bit
      {DATA_AT, 0x2fff, 1, 0, 0, 0},    // 5 data with a 32-bit stack
      {DATA_AT, 0x1fff, 0, 2, 0, 0},    // 6 readable code
      {DATA_AT, 0x1fff, 0, 2, 1, 0},    // 7 code that cannot be read
      {DATA_AT, 0x0001, 1, 0, 0, 1},    // 8 data, limit in pages
      {DATA_AT, 0x2fff, 0, 0, 0, 0, 1}, // 9 data, not present
      {CODE_AT, 0x0fff, 0, 3, 0, 0, 1}, // 10 conforming code, not present (Linux allows no other)
      {CODE_AT, 0x0fff, 1, 2, 1, 0},    // 11 32-bit code that cannot be read
      {CODE_AT, 0x0fff, 0, 2, 0, 0, 1}, // 12 code, not present
      {CODE_AT, 0x0fff, 1, 2, 0, 0},    // 13 32-bit code
  };
  for (unsigned i = 0; i < sizeof list / sizeof list[0]; i++) {
    struct user_desc entry;
    memset(&entry, 0, sizeof entry);
    entry.entry_number = i;
    entry.base_addr = list[i].base;
    entry.limit = list[i].limit;
    entry.seg_32bit = list[i].wide;
    entry.contents = list[i].contents;
    entry.read_exec_only = list[i].read_only;
    entry.limit_in_pages = list[i].pages;
    entry.seg_not_present = list[i].absent;
    if (syscall(SYS_modify_ldt, 0x11, &entry, sizeof entry) != 0) {
      perror("host-runner: modify_ldt");
      exit(2);
    }
  }
}

// jmp *WAY_BACK(%rip), to run at `address`.
static void put_jump(uint8_t *at, uint32_t address) {
  uint32_t displacement = (uint32_t)WAY_BACK - (address + 6);
  at[0] = 0xff;
  at[1] = 0x25;
  memcpy(at + 2, &displacement, 4);
}

int main(void) {
  uint8_t *data = map_at(DATA_AT, DATA_BYTES + 0x1000);
  uint8_t *code = map_code();
  static uint8_t pattern[DATA_BYTES + 0x1000] __attribute__((aligned(64)));
  uint32_t x = 0x2545f491;
  for (size_t i = 0; i < sizeof pattern; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    pattern[i] = (uint8_t)(x >> 11);
  }
  memcpy(data, pattern, sizeof pattern);
  if (mprotect(data + DATA_BYTES, 0x1000, PROT_READ) != 0) return 2;

  // The address of the way back stands aligned (alignment checks may be on); TRAMPOLINE jumps through it.
  void *way_back = landing;
  memset(code, 0xf4, 0x1000);
  memcpy(code + (WAY_BACK - CODE_AT), &way_back, 8);
  put_jump(code + (TRAMPOLINE - CODE_AT), TRAMPOLINE);

  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  if (stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0) return 2;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP};
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) sigaction(signals[i], &action, NULL);
  make_segments();
  syscall(SYS_arch_prctl, ARCH_SET_GS, DATA_AT + 0x100);

  static uint8_t patch[4096 + 16] __attribute__((aligned(16)));
  while (read_all(&in, sizeof in)) {
    if (in.patch_bytes > 4096 || in.patch_offset + in.patch_bytes > DATA_BYTES || in.code_bytes > 64) return 2;
    if (in.patch_bytes != 0 && !read_all(patch, (in.patch_bytes + 15) & ~15u)) return 2;
    memcpy(data + in.patch_offset, patch, in.patch_bytes);
    uint8_t *at = code + (CODE_START - CODE_AT);
    memcpy(at, in.code, in.code_bytes);
    at += in.code_bytes;
    if (in.mode == 64) {
      put_jump(at, CODE_START + in.code_bytes);
      target = CODE_START;
    } else {
      uint32_t offset = TRAMPOLINE;
      uint16_t selector = CODE64;
      if (in.mode == 16) *at++ = 0x66;
      at[0] = 0xea;
      memcpy(at + 1, &offset, 4);
      memcpy(at + 5, &selector, 2);
      far_target.offset = in.mode == 16 ? CODE_START - CODE_AT : CODE_START;
      far_target.selector = in.mode == 16 ? CODE16 : CODE32;
      target = (uint64_t)enter32;
    }
    memset(&out, 0, offsetof(struct output, gpr));
    memset(out.segments, 0, sizeof out.segments);
    out.vector = NO_FAULT;
    run_case();
    if (out.vector != NO_FAULT) memcpy(out.gpr, fault_gpr, sizeof fault_gpr);
    memset(code + (CODE_START - CODE_AT), 0xf4, 96);

    // The range of data that differs from what the case began with.
    static uint8_t before[DATA_BYTES] __attribute__((aligned(64)));
    memcpy(before, pattern, DATA_BYTES);
    memcpy(before + in.patch_offset, patch, in.patch_bytes);
    uint32_t first = DATA_BYTES, last = 0;
    for (uint32_t i = 0; i < DATA_BYTES; i += 8) {
      if (*(uint64_t *)(data + i) == *(uint64_t *)(before + i)) continue;
      if (first == DATA_BYTES) first = i;
      last = i + 8;
    }
    out.changed_offset = last == 0 ? 0 : first;
    out.changed_bytes = last == 0 ? 0 : last - first;
    write_all(&out, sizeof out);
    if (last != 0) write_all(data + first, (last - first + 15) & ~15u);
    memcpy(data, pattern, DATA_BYTES);
  }
  return 0;
}
