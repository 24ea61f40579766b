import { describe, expect, it } from 'vitest';
import { TimerQueue } from '../../base/timer-queue.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { PortBus } from '../../bus/port-bus.ts';
import { BusPciMapper } from '../pci/pci-mapper.ts';
import { VgaAdapter } from './vga-adapter.ts';
import { VgaPci } from './vga-pci.ts';
import * as T from './vga-test-modes.ts';

const clock = new TimerQueue(() => 0);
const ACCESS_SIZES = [1, 2, 4] as const;

/** A small seeded generator, so that failures repeat. */
function randomStream(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * limit);
  };
}

function randomAccess(vga: VgaAdapter, random: (limit: number) => number): void {
  const choice = random(10);
  if (choice < 5) {
    const ranges = vga.ports();
    const range = ranges[random(ranges.length)];
    if (range === undefined) return;
    if (random(2)) range.device.writePort(random(range.count), 1, random(256));
    else range.device.readPort(random(range.count), 1);
  } else if (choice < 6) {
    T.setDispi(vga, random(12), random(0x10000) >> random(16));
  } else {
    const size = ACCESS_SIZES[random(3)] ?? 1;
    const offset = random(0x20000);
    if (random(2)) vga.window.writeMmio(offset, size, random(0x1_0000_0000));
    else expect(vga.window.readMmio(offset, size)).toBeGreaterThanOrEqual(0);
  }
}

describe('saved state', () => {
  it.each([1, 2, 3, 4])('survives random accesses (seed %i): no throw, save, load and save again are equal', (seed) => {
    const random = randomStream(seed);
    const vga = new VgaAdapter({ vram: new Uint8Array(1 << 20), clock });
    const pristine = vga.save();
    for (let step = 0; step < 2000; step++) {
      randomAccess(vga, random);
      if (step % 100 === 0) {
        const { frame } = vga.refresh();
        expect(frame.pixels.length).toBe(frame.width * frame.height * 4);
        vga.textScreen();
      }
    }
    const saved = vga.save();
    const other = new VgaAdapter({ vram: new Uint8Array(1 << 20), clock });
    other.load(saved);
    expect(other.save()).toEqual(saved);
    expect(other.directWindow()).toEqual(vga.directWindow());
    expect(other.textScreen()).toEqual(vga.textScreen());
    // The loaded adapter draws the same picture and goes on the same way.
    for (let step = 0; step < 200; step++) {
      const again = randomStream(seed * 1000 + step);
      randomAccess(vga, randomStream(seed * 1000 + step));
      randomAccess(other, again);
    }
    expect(other.refresh().frame.pixels).toEqual(new VgaAdapterClone(vga).pixels());
    vga.reset('power');
    expect(vga.save()).toEqual(pristine);
  });

  it('refuses damaged states and stays as it was', () => {
    const vga = new VgaAdapter({ vram: new Uint8Array(1 << 20), clock });
    T.setMode(vga, T.MODE_12);
    const good = vga.save();
    const damage: ((fields: Record<string, unknown>) => void)[] = [
      (fields) => { delete fields['dispi']; },
      (fields) => { fields['extra'] = 1; },
      (fields) => { (fields['registers'] as Record<string, unknown>)['crtc'] = new Uint8Array(24); },
      (fields) => { (fields['registers'] as Record<string, unknown>)['attributeIndex'] = 64; },
      (fields) => { (fields['dispi'] as Record<string, unknown>)['bitsPerPixel'] = 7; },
      (fields) => { fields['vram'] = [{ index: 16, data: new Uint8Array(0x10000) }]; },
      (fields) => { fields['vram'] = [{ index: 1, data: new Uint8Array(0x10000) }, { index: 1, data: new Uint8Array(0x10000) }]; },
      (fields) => { fields['latch'] = 2 ** 31; },
    ];
    for (const change of damage) {
      const bad = structuredClone(vga.save());
      change(bad.fields);
      expect(() => vga.load(bad)).toThrow(/Saved state of vga/);
      expect(vga.save()).toEqual(good);
    }
    expect(() => vga.load({ version: 99, fields: good.fields })).toThrow(/version/);
  });
});

/** A second adapter with the same state, as an independent drawing from scratch. */
class VgaAdapterClone {
  private readonly adapter: VgaAdapter;

  constructor(source: VgaAdapter) {
    this.adapter = new VgaAdapter({ vram: new Uint8Array(1 << 20), clock });
    this.adapter.load(source.save());
  }

  pixels(): Uint8Array {
    return this.adapter.refresh().frame.pixels;
  }
}

describe('PCI function 1234:1111', () => {
  function plugged(rom?: Uint8Array) {
    const mmio = new MmioBus();
    const ports = new PortBus();
    const maps: (number | undefined)[] = [];
    const vga = new VgaPci({ vram: new Uint8Array(16 << 20), clock, rom, onFrameBufferMap: (base) => maps.push(base) });
    vga.plug({ mapper: new BusPciMapper({ mmio, ports }), setPin: () => undefined });
    return { vga, mmio, maps };
  }

  it('shows ids, sizes its ranges and maps the frame buffer and the registers', () => {
    const { vga, mmio, maps } = plugged();
    expect(vga.readConfig(0, 4)).toBe(0x11111234);
    expect(vga.readConfig(8, 4)).toBe(0x03000002);
    vga.writeConfig(0x10, 4, 0xffffffff);
    expect(vga.readConfig(0x10, 4)).toBe(0xff000008);
    vga.writeConfig(0x18, 4, 0xffffffff);
    expect(vga.readConfig(0x18, 4)).toBe(0xfffff000);
    vga.writeConfig(0x10, 4, 0xe0000000);
    vga.writeConfig(0x18, 4, 0xfebf0000);
    vga.writeConfig(4, 2, 2);
    expect(maps).toEqual([0xe0000000]);
    expect(mmio.read(0xfebf0500, 2)).toBe(0xb0c5);
    mmio.write(0xfebf0502, 2, 1024);
    mmio.write(0xfebf0504, 2, 768);
    mmio.write(0xfebf0506, 2, 32);
    mmio.write(0xfebf0508, 2, 0x41);
    mmio.write(0xfebf0400, 1, 0x20); // attribute port: unblank
    expect(vga.adapter.refresh().frame).toMatchObject({ width: 1024, height: 768 });
    expect(mmio.read(0xfebf0600, 4)).toBe(8);
    mmio.write(0xfebf0604, 4, 0xbebebebe);
    expect(mmio.read(0xfebf0604, 4)).toBe(0xbebebebe);
    expect(vga.adapter.bigEndian).toBe(true);
    vga.writeConfig(4, 2, 0);
    expect(maps).toEqual([0xe0000000, undefined]);
  });

  it('offers a valid EDID and the expansion ROM', () => {
    const { vga, mmio } = plugged(new Uint8Array([0x55, 0xaa, 0x50]));
    vga.writeConfig(0x18, 4, 0xfebf0000);
    vga.writeConfig(0x30, 4, 0xfeb00001);
    vga.writeConfig(4, 2, 2);
    const edid = Array.from({ length: 128 }, (_, index) => mmio.read(0xfebf0000 + index, 1));
    expect(edid.slice(0, 8)).toEqual([0, 255, 255, 255, 255, 255, 255, 0]);
    expect(edid.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    expect((edid[56] ?? 0) | (((edid[58] ?? 0) & 0xf0) << 4)).toBe(1280);
    expect(mmio.read(0xfeb00000, 2)).toBe(0xaa55);
  });

  it('saves and loads with its configuration space', () => {
    const { vga } = plugged();
    vga.writeConfig(0x10, 4, 0xe0000000);
    vga.writeConfig(4, 2, 3);
    T.setMode(vga.adapter, T.MODE_12);
    vga.adapter.window.writeMmio(5, 1, 0x77);
    const saved = vga.save();
    const second = plugged();
    second.vga.load(saved);
    expect(second.vga.save()).toEqual(saved);
    expect(second.maps).toEqual([0xe0000000]);
    second.vga.reset('system');
    expect(second.maps).toEqual([0xe0000000, undefined]);
  });
});
