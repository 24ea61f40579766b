// The least that a virtual machine monitor can do for a port access: ioctl(KVM_RUN), look at the exit, again. The peer of
// test/perf/exit-cost.ts. Prints microseconds of one access.
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 10000;
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  unsigned char *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (kvm < 0 || vm < 0 || memory == MAP_FAILED) return 1;
  const unsigned char code[] = {0xe6, 0x80, 0xeb, 0xfc};
  memcpy(memory + 0x7c00, code, sizeof code);
  struct kvm_userspace_memory_region region = {.memory_size = 65536, .userspace_addr = (unsigned long)memory};
  if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) return 1;
  int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  struct kvm_sregs sregs;
  if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0) return 1;
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  struct kvm_regs regs = {.rip = 0x7c00, .rflags = 2};
  if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0) return 1;
  volatile unsigned long sum = 0;
  double start = 0;
  for (long i = -rounds / 10; i < rounds; i++) {
    if (i == 0) start = now();
    if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO) return 1;
    if (run->io.port == 0x80) sum += *((unsigned char *)run + run->io.data_offset);
  }
  printf("%.4f\n", (now() - start) / rounds);
  return 0;
}
