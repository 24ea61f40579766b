// Which keys the guest holds down, and the one combination that the window keeps for itself: Ctrl and the left Alt pressed
// and let go with nothing else give keyboard and mouse back. Keys are told by their place (KeyboardEvent.code), so the
// guest's own layout and dead keys work. The emulated keyboard repeats held keys itself: the host's repeats are dropped.

export type KeyAnswer = 'send' | 'ignore' | 'release';

export class KeyTracker {
  private readonly held = new Set<string>();
  /** Only Ctrl and Alt have been pressed since the last time that nothing was held. */
  private onlyHostKeys = true;

  /** @returns `send`: pass it on; `release`: pass it on, then leave the screen; `ignore`: nothing */
  down(code: string, repeat: boolean): KeyAnswer {
    if (code === '' || code === 'Unidentified' || repeat) return 'ignore';
    if (this.held.size === 0) this.onlyHostKeys = true;
    if (code !== 'ControlLeft' && code !== 'ControlRight' && code !== 'AltLeft') this.onlyHostKeys = false;
    this.held.add(code);
    return 'send';
  }

  up(code: string): KeyAnswer {
    // PrintScreen, and keys that were pressed before the window had the focus, come up only.
    if (code === 'PrintScreen' && !this.held.has(code)) return 'send';
    if (!this.held.has(code)) return 'ignore';
    const release = this.onlyHostKeys && this.held.has('AltLeft') && (this.held.has('ControlLeft') || this.held.has('ControlRight'));
    this.held.delete(code);
    if (release) this.onlyHostKeys = false;
    return release ? 'release' : 'send';
  }

  /** The focus went: nothing is held any more. @returns whether something was */
  clear(): boolean {
    const any = this.held.size > 0;
    this.held.clear();
    return any;
  }
}
