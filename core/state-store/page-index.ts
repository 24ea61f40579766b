// Finds pages by content id: an open-addressing table over plain arrays, because a guest has hundreds of thousands of them.

import { HASH_BYTES } from './format.ts';

const KEY_WORDS = HASH_BYTES / 4;

export class PageIndex {
  private keys: Uint32Array;
  /** Reference of the page; 0 = free slot. */
  private refs: Uint32Array;
  private mask: number;
  private count = 0;

  constructor(expected = 1024) {
    let capacity = 2048;
    while (capacity < expected * 2) capacity *= 2;
    this.keys = new Uint32Array(capacity * KEY_WORDS);
    this.refs = new Uint32Array(capacity);
    this.mask = capacity - 1;
  }

  get size(): number {
    return this.count;
  }

  /** The slot of the id, or the free one where it belongs. */
  private slot(id: Uint32Array, at: number): number {
    const { keys, refs, mask } = this;
    let slot = (id[at] as number) & mask;
    while (refs[slot] !== 0) {
      const key = slot * KEY_WORDS;
      if (keys[key] === id[at] && keys[key + 1] === id[at + 1] && keys[key + 2] === id[at + 2] && keys[key + 3] === id[at + 3]) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  /** @param at word in `ids` where the id starts. @returns the reference, or 0 */
  find(ids: Uint32Array, at: number): number {
    return this.refs[this.slot(ids, at)] as number;
  }

  /** Enters an id unless it is there. @param ref above 0 */
  add(ids: Uint32Array, at: number, ref: number): void {
    if ((this.count + 1) * 2 > this.mask) this.grow();
    const slot = this.slot(ids, at);
    if (this.refs[slot] !== 0) return;
    this.keys.set(ids.subarray(at, at + KEY_WORDS), slot * KEY_WORDS);
    this.refs[slot] = ref;
    this.count++;
  }

  private grow(): void {
    const { keys, refs } = this;
    this.keys = new Uint32Array(keys.length * 2);
    this.refs = new Uint32Array(refs.length * 2);
    this.mask = this.refs.length - 1;
    for (let old = 0; old < refs.length; old++) {
      const ref = refs[old] as number;
      if (ref === 0) continue;
      const slot = this.slot(keys, old * KEY_WORDS);
      this.keys.set(keys.subarray(old * KEY_WORDS, (old + 1) * KEY_WORDS), slot * KEY_WORDS);
      this.refs[slot] = ref;
    }
  }
}
