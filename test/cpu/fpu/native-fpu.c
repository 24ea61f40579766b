/* Runs single x87, MMX and SSE instructions on the host processor with given state: the oracle of the x87, MMX and SSE
 * tests. Reads case records from standard input and writes result records to standard output; both layouts are in
 * fpu-cases.ts. Memory operands of the code bytes are addressed by RDI. A signal becomes the result's status. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

struct input {
  uint8_t code[12];
  uint8_t length, pad[3];
  uint8_t op[32];
  uint8_t fsave[108];
  uint32_t eflags;
  uint8_t memory[32];
  uint8_t xmm0[16], xmm1[16];
  uint32_t mxcsr;
  uint32_t eax;
  uint32_t pad2[2];
};

struct output {
  uint8_t fsave[108];
  uint32_t eflags;
  uint8_t memory[32];
  uint8_t xmm0[16];
  uint32_t mxcsr;
  uint32_t eax;
  uint32_t status;
  uint32_t pad;
};

static uint8_t *page;
static volatile int code_length;
static volatile uint32_t status;

static void on_signal(int number, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  (void)info;
  if ((uint64_t)uc->uc_mcontext.gregs[REG_RIP] != (uint64_t)page) _exit(3);
  status = number;
  uc->uc_mcontext.gregs[REG_RIP] = (uint64_t)(page + code_length);
}

static void run(const struct input *in, struct output *out) {
  static uint8_t memory[64] __attribute__((aligned(64)));
  static uint8_t xmm0[16] __attribute__((aligned(16))), xmm1[16] __attribute__((aligned(16)));
  uint64_t flags = (in->eflags & 0x8d5) | 0x202;
  uint64_t rax = in->eax;
  uint32_t mxcsr_default = 0x1f80, mxcsr = in->mxcsr;
  memcpy(page, in->code, in->length);
  page[in->length] = 0xc3;
  code_length = in->length;
  status = 0;
  memset(memory, 0, sizeof memory);
  memcpy(memory, in->memory, 32);
  memcpy(xmm0, in->xmm0, 16);
  memcpy(xmm1, in->xmm1, 16);
  __asm__ volatile(
      "movaps %[x0], %%xmm0\n\tmovaps %[x1], %%xmm1\n\t"
      "ldmxcsr %[mx]\n\tfrstor %[fin]\n\t"
      "push %[fl]\n\tpopfq\n\tcall *%[page]\n\tpushfq\n\tpop %[fl]\n\t"
      "fnsave %[fout]\n\tfninit\n\tstmxcsr %[mx]\n\tldmxcsr %[mxd]\n\tmovaps %%xmm0, %[x0]\n\t"
      : [fl] "+r"(flags), "+a"(rax), [mx] "+m"(mxcsr), [x0] "+m"(*(uint8_t(*)[16])xmm0), [fout] "=m"(out->fsave)
      : [page] "r"(page), "D"(memory), [fin] "m"(in->fsave), [x1] "m"(*(uint8_t(*)[16])xmm1), [mxd] "m"(mxcsr_default)
      : "memory", "cc", "xmm0", "xmm1", "rcx", "rdx");
  out->eflags = flags & 0x8d5;
  memcpy(out->memory, memory, 32);
  memcpy(out->xmm0, xmm0, 16);
  out->mxcsr = mxcsr;
  out->eax = rax;
  out->status = status;
  out->pad = 0;
}

int main(void) {
  static char stack[65536];
  stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  struct input in;
  struct output out;
  page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 2;
  sigaltstack(&alt, 0);
  sigaction(SIGFPE, &action, 0);
  sigaction(SIGILL, &action, 0);
  setvbuf(stdin, 0, _IOFBF, 1 << 20);
  setvbuf(stdout, 0, _IOFBF, 1 << 20);
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    run(&in, &out);
    if (fwrite(&out, sizeof out, 1, stdout) != 1) return 1;
  }
  return fflush(stdout) != 0;
}
