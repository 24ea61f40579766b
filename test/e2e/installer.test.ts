// A system that is installed: its CD writes to the new disk and restarts the machine, which then starts from the disk although
// the CD is still in the drive.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import { type App, dialog, dropFiles, missing, screenText, startApp, windowFrom, xorrisoMissing } from './app.ts';

const reason = missing ?? (xorrisoMissing ? 'no xorriso' : undefined);

const PRINT = `
print: lodsb
  test al, al
  jz .end
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp print
.end: ret
`;

/** Boot sector of the installed system. */
const SYSTEM = `bits 16
org 0x7c00
start: xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov si, text
  call print
stop: hlt
  jmp stop
${PRINT}
text: db 'The installed system has started', 13, 10, 0
times 510-($-$$) db 0
dw 0xaa55
`;

/** Loaded from the CD with the system's sector behind it: writes that to the first disk (INT 13h, extended write) and restarts. */
const INSTALLER = `bits 16
org 0x7c00
start: xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov si, packet
  mov ax, 0x4300
  mov dl, 0x80
  int 0x13
  jc failed
  mov al, 0xfe
  out 0x64, al
stop: hlt
  jmp stop
failed: mov si, text
  call print
  jmp stop
${PRINT}
packet: db 16, 0
  dw 1, 0x7e00, 0
  dq 0
text: db 'The disk could not be written', 13, 10, 0
times 512-($-$$) db 0
`;

function installerCd(folder: string): string {
  const tree = join(folder, 'installer');
  mkdirSync(tree, { recursive: true });
  writeFileSync(join(tree, 'install.bin'), Buffer.concat([assemble(INSTALLER).bytes, assemble(SYSTEM).bytes, new Uint8Array(1024)]));
  const path = join(folder, 'installer.iso');
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-V', 'INSTALLER', '-o', path, '-b', 'install.bin', '-no-emul-boot', '-boot-load-size', '4', tree], { stdio: 'ignore' });
  return path;
}

describe.skipIf(reason !== undefined)(`an installed system${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let app: App;

  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  it('starts from its disk after the installer has restarted the machine', async () => {
    await dropFiles(app.page, installerCd(app.root));
    const window = await windowFrom(app, () => dialog(app.page).getByRole('button', { name: 'Create and start' }).click());
    await screenText(window, /The installed system has started/);
  });
});
