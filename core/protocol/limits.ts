// Bounds of a machine's configuration that forms need too; without the schema, so that a window need not carry it.

export const MEMORY_MIB_MIN = 1;
export const MEMORY_MIB_MAX = 3328;
export const CPUS_MAX = 1;
