// What firmware images are called.

import type { FirmwareChoice } from '../../../core/protocol/library.ts';
import { t } from '../../i18n/i18n.svelte.ts';

export function firmwareLabel(choice: FirmwareChoice): string {
  return choice.kind === 'other' ? choice.fileName : t(`firmwareKind.${choice.kind}`);
}
