// Accesses of up to 8 bytes to device memory, as a bus of 32 bits takes them: their data lie in a vCPU's pages.

import type { VcpuIo } from '../contract.ts';

type Piece = 1 | 2 | 4;

const pieceOf = (left: number): Piece => (left >= 4 ? 4 : left >= 2 ? 2 : 1);

/** @param at of the data in `view` */
export function writePieces(io: VcpuIo, view: DataView, address: number, length: number, at: number): void {
  for (let done = 0; done < length; ) {
    const size = pieceOf(length - done);
    const from = at + done;
    io.mmioWrite(address + done, size, size === 4 ? view.getUint32(from, true) : size === 2 ? view.getUint16(from, true) : view.getUint8(from));
    done += size;
  }
}

/** @param at where in `view` the data go */
export function readPieces(io: VcpuIo, view: DataView, address: number, length: number, at: number): void {
  for (let done = 0; done < length; ) {
    const size = pieceOf(length - done);
    const value = io.mmioRead(address + done, size);
    const to = at + done;
    if (size === 4) view.setUint32(to, value, true);
    else if (size === 2) view.setUint16(to, value, true);
    else view.setUint8(to, value);
    done += size;
  }
}
