// What a storage controller sees of a disk image: a flat range of bytes. Formats, backing chains and host files lie behind it.

export interface BlockDevice {
  /** Capacity in bytes, a multiple of 512 for disks (2048 for optical media). */
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Fills `target` from byte `offset`. Reading past the end is a bug of the caller. @throws NestboxError `io` */
  read(offset: number, target: Uint8Array): Promise<void>;
  /** @throws NestboxError `io`, `no-space`, `permission` */
  write(offset: number, source: Uint8Array): Promise<void>;
  /** Returns when every completed write is on stable storage. @throws NestboxError `io` */
  flush(): Promise<void>;
  /** The range reads as zeroes afterwards and need not use host space. */
  writeZeroes(offset: number, length: number): Promise<void>;
  /** A hint that the content is not needed; the range may read as anything that was there or zeroes. */
  discard(offset: number, length: number): Promise<void>;
  /** Flushes and closes; the device is not used afterwards. */
  close(): Promise<void>;
}
