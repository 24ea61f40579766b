// One sentence about why a VM stopped.

import type { VmExit } from '../../../core/protocol/vm-messages.ts';
import { t } from '../../i18n/i18n.svelte.ts';

export function exitText(exit: VmExit): string {
  if (exit.reason === 'power-off') return t('exit.powerOff');
  if (exit.reason === 'debug-exit') return t('exit.debugExit', { status: exit.status ?? 0 });
  if (exit.reason === 'fault') return t('exit.fault');
  if (exit.reason === 'host') return t('exit.host');
  return t('exit.error');
}
