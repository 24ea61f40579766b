// Everything a person or a script puts into a machine: keys, typed text, mouse, serial bytes. One place, so that it can be
// logged with an instruction count.

import type { Clock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import { comboToKeys, parseKeyCombo, textToKeys } from '../devices/input/text-to-keys.ts';
import { type KeyEvent, KeyTyper } from './key-typer.ts';
import type { PcBoard } from './pc-board.ts';

export class MachineInput implements Disposable {
  private readonly board: PcBoard;
  private readonly wake: () => void;
  private readonly typer: KeyTyper;

  /** @param wake ends the processor's idle wait, so that input is seen at once */
  constructor(board: PcBoard, clock: Clock, wake: () => void) {
    this.board = board;
    this.wake = wake;
    this.typer = new KeyTyper(
      {
        keyEvent: (code, down) => board.keyboard.keyEvent(code, down),
        get hasPendingBytes() {
          return board.keyboard.keyboard.hasData;
        },
      },
      clock,
    );
  }

  key(code: string, down: boolean): void {
    this.board.keyboard.keyEvent(code, down);
    this.wake();
  }

  async keyCombination(combination: string): Promise<void> {
    await this.type(comboToKeys(parseKeyCombo(combination)));
  }

  async typeText(text: string): Promise<void> {
    await this.type(textToKeys(text));
  }

  private async type(events: readonly KeyEvent[]): Promise<void> {
    const typing = this.typer.type(events);
    this.wake();
    await typing;
  }

  mouse(dx: number, dy: number, dz: number, buttons: number): void {
    this.board.keyboard.mouseButtons(buttons);
    this.board.keyboard.mouseMove(dx, dy, dz);
    this.wake();
  }

  pointer(x: number, y: number, dz: number, buttons: number): void {
    this.board.pointer.point(x, y, dz, buttons);
    this.wake();
  }

  serial(bytes: Uint8Array): void {
    this.board.serial[0]?.receive(bytes);
    this.wake();
  }

  dispose(): void {
    this.typer.dispose();
  }
}
