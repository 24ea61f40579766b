// What closing a VM's window does, by the user's choice.

import type { VmSummary } from '../../../core/protocol/library.ts';
import type { AppSettings } from '../../../core/protocol/manager-api.ts';
import type { AppState } from '../../app/app-state.svelte.ts';
import { shutDown } from '../../app/vm-actions.ts';

export type CloseAction = Exclude<AppSettings['closeAction'], 'ask'>;

/** After *shut down* the window stays: the guest may ask something. */
export async function closeWith(app: AppState, vm: VmSummary, action: CloseAction): Promise<void> {
  if (action === 'shut-down') return shutDown(app, vm);
  const done = await app.attempt(async () => {
    if (action === 'save-state') await app.api.saveVmState(vm.id, { taskId: app.newTaskId('save') });
    if (action === 'power-off') await app.api.powerOffVm(vm.id);
    return true;
  });
  if (done === true) app.shell.closeWindow();
}
