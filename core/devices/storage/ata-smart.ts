// The data that SMART commands of a healthy drive return (ATA/ATAPI-5, 8.41).

const READ_DATA = 0xd0;
const READ_LOG = 0xd5;

/** Attributes: id, flags, value, raw. */
const ATTRIBUTES: readonly (readonly [id: number, flags: number, value: number, raw: number])[] = [
  [0x01, 0x0003, 100, 0], // read errors
  [0x05, 0x0003, 100, 0], // reallocated sectors
  [0x09, 0x0003, 100, 1], // power-on hours
  [0x0c, 0x0003, 100, 1], // power cycles
];

/** One 512-byte block with its checksum. */
export function smartData(feature: number, logAddress: number): Uint8Array {
  const block = new Uint8Array(512);
  if (feature === READ_LOG) {
    // The log directory and the error log (0 and 1) have a version; all logs are empty.
    if (logAddress <= 1) block[0] = 1;
  } else {
    block[0] = 0x10;
    ATTRIBUTES.forEach(([id, flags, value, raw], index) => {
      const at = 2 + index * 12;
      block[at] = id;
      if (feature !== READ_DATA) return;
      block.set([flags & 0xff, flags >> 8, value, value, raw], at + 1);
    });
    if (feature === READ_DATA) {
      block[362] = 0x82; // off-line data collection was never started
      block[367] = 0x5b; // off-line capabilities
      block[368] = 0x03; // data is saved over power modes
      block[370] = 0x01;
    }
  }
  block[511] = -block.reduce((sum, byte) => sum + byte, 0);
  return block;
}
