// What a vCPU's thread is made with; everything else goes through its mailbox.

export interface VcpuThreadStart {
  readonly index: number;
  readonly count: number;
  /** The device thread made the vCPU, and closes it. */
  readonly vcpuDescriptor: number;
  readonly runPageBytes: number;
  readonly hasXcrs: boolean;
  readonly mailboxes: SharedArrayBuffer;
}
