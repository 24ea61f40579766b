// Decodes LZMA2 chunks (the LZMA algorithm as in the LZMA SDK's specification and the xz file format, 1.0.4). The output
// array is the dictionary too, so matches are copied inside it.

const STATES = 12;
const POSITION_STATES_MAX = 16;
const LENGTH_LOW = 8;
const LENGTH_HIGH = 256;
const MATCH_MIN = 2;
const DISTANCE_STATES = 4;
const ALIGN_BITS = 4;
const END_POSITION_MODEL = 14;
const FULL_DISTANCES = 128;
const INITIAL_PROBABILITY = 1024;

export function damagedXz(what: string): Error {
  return new Error(`damaged xz data: ${what}`);
}

class LengthDecoder {
  readonly choice = new Uint16Array(2);
  readonly low = new Uint16Array(POSITION_STATES_MAX * LENGTH_LOW);
  readonly middle = new Uint16Array(POSITION_STATES_MAX * LENGTH_LOW);
  readonly high = new Uint16Array(LENGTH_HIGH);

  reset(): void {
    for (const table of [this.choice, this.low, this.middle, this.high]) table.fill(INITIAL_PROBABILITY);
  }
}

export class Lzma2Decoder {
  private readonly source: Uint8Array;
  private readonly out: Uint8Array;
  private at: number;
  private to: number;
  /** Where the dictionary starts: matches may not reach further back. */
  private dictionaryStart: number;

  private range = 0;
  private code = 0;
  private limit = 0;

  private literalContextBits = 0;
  private literalPositionMask = 0;
  private positionMask = 0;
  private state = 0;
  private rep0 = 0;
  private rep1 = 0;
  private rep2 = 0;
  private rep3 = 0;

  private literals = new Uint16Array(0);
  private readonly isMatch = new Uint16Array(STATES * POSITION_STATES_MAX);
  private readonly isRep = new Uint16Array(STATES);
  private readonly isRep0 = new Uint16Array(STATES);
  private readonly isRep1 = new Uint16Array(STATES);
  private readonly isRep2 = new Uint16Array(STATES);
  private readonly isRep0Long = new Uint16Array(STATES * POSITION_STATES_MAX);
  private readonly distanceSlots = new Uint16Array(DISTANCE_STATES * 64);
  private readonly distanceSpecial = new Uint16Array(FULL_DISTANCES);
  private readonly distanceAlign = new Uint16Array(1 << ALIGN_BITS);
  private readonly matchLength = new LengthDecoder();
  private readonly repLength = new LengthDecoder();

  constructor(source: Uint8Array, from: number, out: Uint8Array, to: number) {
    this.source = source;
    this.at = from;
    this.out = out;
    this.to = to;
    this.dictionaryStart = to;
  }

  /** Decodes all chunks. @returns the end of the input and of the output */
  run(): { readonly from: number; readonly to: number } {
    let needDictionary = true;
    let needProperties = true;
    for (;;) {
      const control = this.byte();
      if (control === 0) return { from: this.at, to: this.to };
      if (control === 1 || control >= 0xe0) {
        this.dictionaryStart = this.to;
        needDictionary = false;
      } else if (needDictionary) throw damagedXz('no dictionary reset');
      if (control < 0x80) {
        if (control > 2) throw damagedXz('unknown chunk');
        this.copyChunk(this.number16() + 1);
        continue;
      }
      const unpackedBytes = ((control & 0x1f) << 16) + this.number16() + 1;
      const packedBytes = this.number16() + 1;
      if (control >= 0xc0) {
        this.setProperties(this.byte());
        needProperties = false;
      } else if (needProperties) throw damagedXz('no properties');
      if (control >= 0xa0) this.resetState();
      this.lzmaChunk(unpackedBytes, packedBytes);
    }
  }

  private byte(): number {
    if (this.at >= this.source.length) throw damagedXz('it ends too early');
    return this.source[this.at++] as number;
  }

  private number16(): number {
    const high = this.byte();
    return (high << 8) | this.byte();
  }

  private copyChunk(length: number): void {
    if (this.at + length > this.source.length || this.to + length > this.out.length)
      throw damagedXz('a chunk is too long');
    this.out.set(this.source.subarray(this.at, this.at + length), this.to);
    this.at += length;
    this.to += length;
  }

  private setProperties(value: number): void {
    if (value >= 9 * 5 * 5) throw damagedXz('bad properties');
    const contextBits = value % 9;
    const positionBits = Math.floor(value / 9) % 5;
    if (contextBits + positionBits > 4) throw damagedXz('bad properties');
    this.literalContextBits = contextBits;
    this.literalPositionMask = (1 << positionBits) - 1;
    this.positionMask = (1 << Math.floor(value / 45)) - 1;
    this.literals = new Uint16Array(0x300 << (contextBits + positionBits));
  }

  private resetState(): void {
    this.state = 0;
    this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
    for (const table of [
      this.literals,
      this.isMatch,
      this.isRep,
      this.isRep0,
      this.isRep1,
      this.isRep2,
      this.isRep0Long,
      this.distanceSlots,
      this.distanceSpecial,
      this.distanceAlign,
    ]) {
      table.fill(INITIAL_PROBABILITY);
    }
    this.matchLength.reset();
    this.repLength.reset();
  }

  private nextByte(): void {
    if (this.range >>> 0 < 0x100_0000) {
      if (this.at >= this.limit) throw damagedXz('a chunk ends too early');
      this.range = (this.range << 8) >>> 0;
      this.code = ((this.code << 8) | (this.source[this.at++] as number)) >>> 0;
    }
  }

  private bit(table: Uint16Array, index: number): number {
    const probability = table[index] as number;
    const bound = (this.range >>> 11) * probability;
    let result: number;
    if (this.code < bound) {
      this.range = bound;
      table[index] = probability + ((2048 - probability) >>> 5);
      result = 0;
    } else {
      this.range -= bound;
      this.code -= bound;
      table[index] = probability - (probability >>> 5);
      result = 1;
    }
    this.nextByte();
    return result;
  }

  private tree(table: Uint16Array, base: number, bits: number): number {
    let node = 1;
    for (let index = 0; index < bits; index++) node = (node << 1) | this.bit(table, base + node);
    return node - (1 << bits);
  }

  private reverseTree(table: Uint16Array, base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let index = 0; index < bits; index++) {
      const bit = this.bit(table, base + node);
      node = (node << 1) | bit;
      value |= bit << index;
    }
    return value;
  }

  private direct(bits: number): number {
    let value = 0;
    for (let index = 0; index < bits; index++) {
      this.range >>>= 1;
      const bit = this.code >= this.range ? 1 : 0;
      if (bit === 1) this.code -= this.range;
      value = (value << 1) | bit;
      this.nextByte();
    }
    return value >>> 0;
  }

  private length(decoder: LengthDecoder, positionState: number): number {
    if (this.bit(decoder.choice, 0) === 0) return MATCH_MIN + this.tree(decoder.low, positionState * LENGTH_LOW, 3);
    if (this.bit(decoder.choice, 1) === 0)
      return MATCH_MIN + 8 + this.tree(decoder.middle, positionState * LENGTH_LOW, 3);
    return MATCH_MIN + 16 + this.tree(decoder.high, 0, 8);
  }

  private lzmaChunk(unpackedBytes: number, packedBytes: number): void {
    const end = this.to + unpackedBytes;
    this.limit = this.at + packedBytes;
    if (this.limit > this.source.length || end > this.out.length || packedBytes < 5)
      throw damagedXz('a chunk is too long');
    this.byte();
    this.range = 0xffff_ffff;
    this.code = 0;
    for (let index = 0; index < 4; index++) this.code = ((this.code << 8) | this.byte()) >>> 0;
    while (this.to < end) {
      const positionState = (this.to - this.dictionaryStart) & this.positionMask;
      if (this.bit(this.isMatch, this.state * POSITION_STATES_MAX + positionState) === 0) this.literal();
      else this.match(positionState, end);
    }
    if (this.at !== this.limit) throw damagedXz('a chunk has bytes left over');
  }

  private literal(): void {
    const { out, to } = this;
    const before = to > this.dictionaryStart ? (out[to - 1] as number) : 0;
    const position = (to - this.dictionaryStart) & this.literalPositionMask;
    const base = 0x300 * ((position << this.literalContextBits) + (before >>> (8 - this.literalContextBits)));
    let symbol = 1;
    if (this.state >= 7) {
      // After a match the byte at its distance helps to predict.
      if (this.rep0 >= to - this.dictionaryStart) throw damagedXz('a distance is too long');
      let matched = out[to - this.rep0 - 1] as number;
      do {
        const matchBit = (matched >>> 7) & 1;
        matched <<= 1;
        const bit = this.bit(this.literals, base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      } while (symbol < 0x100);
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.bit(this.literals, base + symbol);
    out[this.to++] = symbol & 0xff;
    this.state = this.state < 4 ? 0 : this.state < 10 ? this.state - 3 : this.state - 6;
  }

  private match(positionState: number, end: number): void {
    const { state } = this;
    let length: number;
    if (this.bit(this.isRep, state) === 0) {
      this.rep3 = this.rep2;
      this.rep2 = this.rep1;
      this.rep1 = this.rep0;
      length = this.length(this.matchLength, positionState);
      this.rep0 = this.distance(length);
      this.state = state < 7 ? 7 : 10;
    } else {
      if (this.bit(this.isRep0, state) === 0) {
        if (this.bit(this.isRep0Long, state * POSITION_STATES_MAX + positionState) === 0) {
          this.state = state < 7 ? 9 : 11;
          this.copy(1, end);
          return;
        }
      } else {
        let distance: number;
        if (this.bit(this.isRep1, state) === 0) distance = this.rep1;
        else {
          if (this.bit(this.isRep2, state) === 0) distance = this.rep2;
          else {
            distance = this.rep3;
            this.rep3 = this.rep2;
          }
          this.rep2 = this.rep1;
        }
        this.rep1 = this.rep0;
        this.rep0 = distance;
      }
      length = this.length(this.repLength, positionState);
      this.state = state < 7 ? 8 : 11;
    }
    this.copy(length, end);
  }

  private distance(length: number): number {
    const slot = this.tree(this.distanceSlots, Math.min(length - MATCH_MIN, DISTANCE_STATES - 1) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >>> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < END_POSITION_MODEL) return base + this.reverseTree(this.distanceSpecial, base - slot, bits);
    return (
      base + this.direct(bits - ALIGN_BITS) * (1 << ALIGN_BITS) + this.reverseTree(this.distanceAlign, 0, ALIGN_BITS)
    );
  }

  private copy(length: number, end: number): void {
    const { out } = this;
    const distance = this.rep0 + 1;
    if (distance > this.to - this.dictionaryStart) throw damagedXz('a distance is too long');
    if (this.to + length > end) throw damagedXz('a match leaves its chunk');
    if (distance >= length) out.copyWithin(this.to, this.to - distance, this.to - distance + length);
    else for (let index = 0; index < length; index++) out[this.to + index] = out[this.to + index - distance] as number;
    this.to += length;
  }
}
