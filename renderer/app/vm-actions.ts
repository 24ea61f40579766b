// What can be done with a VM in each of its states, as menu entries and calls: one list for cards, pages and windows.

import Camera from '@lucide/svelte/icons/camera';
import Copy from '@lucide/svelte/icons/copy';
import Monitor from '@lucide/svelte/icons/monitor';
import Moon from '@lucide/svelte/icons/moon';
import Pause from '@lucide/svelte/icons/pause';
import Play from '@lucide/svelte/icons/play';
import Power from '@lucide/svelte/icons/power';
import RotateCcw from '@lucide/svelte/icons/rotate-ccw';
import Settings2 from '@lucide/svelte/icons/settings-2';
import Terminal from '@lucide/svelte/icons/terminal';
import Trash2 from '@lucide/svelte/icons/trash';
import Upload from '@lucide/svelte/icons/upload';
import Unplug from '@lucide/svelte/icons/unplug';
import Undo2 from '@lucide/svelte/icons/undo-2';
import type { VmPowerState, VmSummary } from '../../core/protocol/library.ts';
import { t } from '../i18n/i18n.svelte.ts';
import { menuOf, type MenuEntry } from '../ui/menu.ts';
import { toasts } from '../ui/toasts.svelte.ts';
import type { AppState } from './app-state.svelte.ts';

export const isOff = (state: VmPowerState): boolean => state === 'off' || state === 'saved' || state === 'failed';
export const isLive = (state: VmPowerState): boolean => state === 'running' || state === 'paused';

export async function startVm(app: AppState, vm: VmSummary, options: { readonly openWindow: boolean }): Promise<void> {
  const started = await app.attempt(async () => {
    await app.api.startVm(vm.id);
    return true;
  });
  if (started === true && options.openWindow) app.shell.openVmWindow(vm.id, 'screen');
}

export async function shutDown(app: AppState, vm: VmSummary): Promise<void> {
  const heard = await app.attempt(() => app.api.shutDownVm(vm.id));
  if (heard === true) toasts.show({ tone: 'info', text: t('power.shutDownSent', { name: vm.name }) });
  if (heard === false) toasts.show({ tone: 'error', text: t('power.shutDownIgnored', { name: vm.name }) });
}

export function powerOff(app: AppState, vm: VmSummary): void {
  app.confirm({
    title: t('power.powerOffTitle', { name: vm.name }),
    text: t('power.powerOffText'),
    confirm: t('power.powerOff'),
    danger: true,
    run: () => void app.attempt(() => app.api.powerOffVm(vm.id)),
  });
}

function reset(app: AppState, vm: VmSummary): void {
  app.confirm({
    title: t('power.resetTitle', { name: vm.name }),
    text: t('power.resetText'),
    confirm: t('power.reset'),
    danger: true,
    run: () => void app.attempt(() => app.api.resetVm(vm.id)),
  });
}

/** Entries that switch a VM on, off and between. */
export function powerEntries(app: AppState, vm: VmSummary): MenuEntry[] {
  const { state } = vm;
  return menuOf(
    isOff(state) && { label: state === 'saved' ? t('power.continue') : t('power.start'), icon: Play, select: () => void startVm(app, vm, { openWindow: true }) },
    state === 'saved' && {
      label: t('power.discard'),
      icon: Undo2,
      select: () =>
        app.confirm({
          title: t('power.discardTitle', { name: vm.name }),
          text: t('power.discardText'),
          confirm: t('power.discard'),
          danger: true,
          run: () => void app.attempt(() => app.api.discardSavedState(vm.id)),
        }),
    },
    state === 'running' && { label: t('power.pause'), icon: Pause, select: () => void app.attempt(() => app.api.pauseVm(vm.id)) },
    state === 'paused' && { label: t('power.resume'), icon: Play, select: () => void app.attempt(() => app.api.resumeVm(vm.id)) },
    isLive(state) && { label: t('power.saveState'), icon: Moon, select: () => void app.attempt(() => app.api.saveVmState(vm.id, { taskId: app.newTaskId('save') })) },
    isLive(state) && 'separator',
    state === 'running' && { label: t('power.shutDown'), icon: Power, select: () => void shutDown(app, vm) },
    isLive(state) && { label: t('power.reset'), icon: RotateCcw, select: () => reset(app, vm) },
    (isLive(state) || state === 'starting' || state === 'stopping') && { label: t('power.powerOff'), icon: Unplug, danger: true, select: () => powerOff(app, vm) },
  );
}

/** The whole menu of a VM in the library. */
export function vmEntries(app: AppState, vm: VmSummary): MenuEntry[] {
  const live = isLive(vm.state);
  return menuOf(
    live && { label: t('vm.openWindow'), icon: Monitor, select: () => app.shell.openVmWindow(vm.id, 'screen') },
    live && { label: t('vm.openSerial'), icon: Terminal, select: () => app.shell.openVmWindow(vm.id, 'serial') },
    live && 'separator',
    ...powerEntries(app, vm),
    'separator',
    { label: t('vm.edit'), icon: Settings2, select: () => app.open({ kind: 'edit', vmId: vm.id }) },
    { label: t('snapshots.take'), icon: Camera, select: () => app.open({ kind: 'snapshot', vm }) },
    { label: t('vm.clone'), icon: Copy, disabled: live, select: () => app.open({ kind: 'clone', vm }) },
    { label: t('vm.export'), icon: Upload, disabled: vm.state !== 'off' && vm.state !== 'failed', select: () => app.open({ kind: 'export', vm }) },
    'separator',
    { label: t('vm.delete'), icon: Trash2, danger: true, disabled: !isOff(vm.state), select: () => app.open({ kind: 'delete', vm }) },
  );
}
