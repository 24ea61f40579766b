// Answers of the CD-ROM drive that depend only on the disc's size and the command: table of contents, disc and track
// information, features, mode pages, inquiry (MMC-3, SPC-2). Multi-byte fields are big-endian.

import * as S from './scsi-codes.ts';

/** Discs larger than a CD can be are shown as a DVD-ROM. */
const LARGEST_CD_SECTORS = 90 * 60 * 75;
const PROFILE_CD_ROM = 0x0008;
const PROFILE_DVD_ROM = 0x0010;
const LEAD_OUT_TRACK = 0xaa;
/** Data track, copying allowed; position by Q subchannel. */
const DATA_TRACK = 0x14;

export function be16(value: number): number[] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

export function be32(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** Minute, second and frame of a sector. */
export function msf(lba: number): [minute: number, second: number, frame: number] {
  const frames = lba + S.MSF_OFFSET;
  return [Math.floor(frames / 4500) & 0xff, Math.floor(frames / 75) % 60, frames % 75];
}

function address(lba: number, asMsf: boolean): number[] {
  return asMsf ? [0, ...msf(lba)] : be32(lba);
}

/** READ TOC/PMA/ATIP, formats 0 (tracks), 1 (sessions) and 2 (raw); undefined = invalid field. */
export function tableOfContents(format: number, asMsf: boolean, startTrack: number, sectors: number): number[] | undefined {
  switch (format) {
    case 0: {
      if (startTrack > 1 && startTrack !== LEAD_OUT_TRACK) return undefined;
      const entries: number[] = [];
      if (startTrack <= 1) entries.push(0, DATA_TRACK, 1, 0, ...address(0, asMsf));
      entries.push(0, DATA_TRACK, LEAD_OUT_TRACK, 0, ...address(sectors, asMsf));
      return [...be16(entries.length + 2), 1, 1, ...entries];
    }
    case 1: return [...be16(10), 1, 1, 0, DATA_TRACK, 1, 0, ...address(0, asMsf)];
    case 2: {
      const point = (number: number, position: readonly number[]): number[] => [1, DATA_TRACK, 0, number, 0, 0, 0, 0, ...position];
      const entries = [
        ...point(0xa0, [1, 0, 0]),
        ...point(0xa1, [1, 0, 0]),
        ...point(0xa2, msf(sectors)),
        ...point(1, msf(0)),
      ];
      return [...be16(entries.length + 2), 1, 1, ...entries];
    }
    default: return undefined;
  }
}

export function discInformation(sectors: number): number[] {
  const data = new Array<number>(34).fill(0);
  data.splice(0, 12, ...be16(32), 0x0e, 1, 1, 1, 1, 0x20, 0, 0, 0, 0);
  data.splice(16, 4, ...be32(0xffffffff));
  data.splice(20, 4, 0, ...msf(sectors));
  return data;
}

/** READ TRACK INFORMATION by sector (type 0), track (1) or session (2); undefined = no such track. */
export function trackInformation(type: number, number: number, sectors: number): number[] | undefined {
  const found = type === 0 ? number < sectors : number === 1;
  if (!found || type > 2) return undefined;
  const data = new Array<number>(36).fill(0);
  data.splice(0, 8, ...be16(34), 1, 1, 0, 0x04, 0x41, 0);
  data.splice(24, 4, ...be32(sectors));
  return data;
}

export function inquiry(model: string, firmware: string): number[] {
  const text = (value: string, length: number): number[] => [...value.padEnd(length, ' ').slice(0, length)].map((letter) => letter.charCodeAt(0));
  return [0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0, ...text('NESTBOX', 8), ...text(model, 16), ...text(firmware, 4)];
}

/** GET CONFIGURATION: features from `first`, all (type 0), current ones (1) or that one only (2). */
export function configuration(type: number, first: number, sectors: number | undefined): number[] {
  const isDvd = sectors !== undefined && sectors > LARGEST_CD_SECTORS;
  const isCd = sectors !== undefined && !isDvd;
  const profile = sectors === undefined ? 0 : isDvd ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
  const feature = (code: number, version: number, persistent: boolean, current: boolean, data: readonly number[]) => ({
    code,
    current: persistent || current,
    bytes: [...be16(code), (version << 2) | (persistent ? 2 : 0) | (persistent || current ? 1 : 0), data.length, ...data],
  });
  const present = sectors !== undefined;
  const features = [
    feature(0x0000, 0, true, true, [...be16(PROFILE_DVD_ROM), isDvd ? 1 : 0, 0, ...be16(PROFILE_CD_ROM), isCd ? 1 : 0, 0]),
    feature(0x0001, 0, true, true, [0, 0, 0, 2]), // core: ATAPI
    feature(0x0002, 0, true, true, [0, 0, 0, 0]), // morphing
    feature(0x0003, 0, true, true, [0x29, 0, 0, 0]), // tray that locks and ejects
    feature(0x0010, 0, false, present, [...be32(S.CD_SECTOR_BYTES), ...be16(isDvd ? 16 : 1), 0, 0]), // random readable
    feature(0x001e, 0, false, isCd, [0, 0, 0, 0]), // CD read
    feature(0x001f, 0, false, isDvd, []), // DVD read
    feature(0x0100, 0, true, true, []), // power management
  ];
  const chosen = features.filter((entry) => {
    if (type === 2) return entry.code === first;
    return entry.code >= first && (type !== 1 || entry.current);
  });
  const data = chosen.flatMap((entry) => entry.bytes);
  return [...be32(data.length + 4), 0, 0, ...be16(profile), ...data];
}

const PAGE_ERROR_RECOVERY = 0x01;
const PAGE_AUDIO = 0x0e;
const PAGE_CAPABILITIES = 0x2a;
const PAGE_ALL = 0x3f;

/** MODE SENSE (10): pages 01, 0E, 2A or all; undefined = no such page. `changeable` shows masks: nothing can be changed. */
export function modeSense(page: number, changeable: boolean, medium: 'none' | 'open' | 'data', locked: boolean): number[] | undefined {
  const pages: Readonly<Record<number, readonly number[]>> = {
    [PAGE_ERROR_RECOVERY]: [0, 3, 0, 0, 0, 0],
    [PAGE_AUDIO]: [4, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff, 0, 0, 0, 0],
    // Reads CD-R, CD-RW, DVD-ROM; mode 2, multi-session; locks, ejects; tray; 176 KB/s times 24.
    [PAGE_CAPABILITIES]: [
      0x0b, 0, 0x70, 0, 0x29 | (locked ? 0x02 : 0), 0, ...be16(176 * 24), ...be16(0), ...be16(512), ...be16(176 * 24), 0, 0, 0, 0,
    ],
  };
  const numbers = page === PAGE_ALL ? [PAGE_ERROR_RECOVERY, PAGE_AUDIO, PAGE_CAPABILITIES] : [page];
  const body: number[] = [];
  for (const number of numbers) {
    const content = pages[number];
    if (content === undefined) return undefined;
    body.push(number, content.length, ...(changeable ? content.map(() => 0) : content));
  }
  const mediumType = medium === 'none' ? 0x70 : medium === 'open' ? 0x71 : 0x01;
  return [...be16(body.length + 6), mediumType, 0, 0, 0, 0, 0, ...body];
}
