// Writes dist/nestbox-demo.img, the floppy of the machine that the first start shows: assembling it there would take longer
// than everything else that the library does until it can be listed.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildDemoImage } from '../core/firmware/demo/demo-image.ts';

const path = fileURLToPath(new URL('../dist/nestbox-demo.img', import.meta.url));
const image = buildDemoImage();
if (!existsSync(path) || Buffer.compare(readFileSync(path), image) !== 0) {
  mkdirSync(fileURLToPath(new URL('../dist', import.meta.url)), { recursive: true });
  writeFileSync(path, image);
}
