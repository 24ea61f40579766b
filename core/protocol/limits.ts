// Bounds of a machine's configuration that forms need too; without the schema, so that a window need not carry it.

export const MEMORY_MIB_MIN = 1;
export const MEMORY_MIB_MAX = 3328;
export const CPUS_MAX = 16;
/** A firmware image is a multiple of the least size. */
export const FIRMWARE_BYTES_MIN = 64 * 1024;
export const FIRMWARE_BYTES_MAX = 16 * 2 ** 20;
