// All dialogs, for DialogHost to load together.

export { default as EditVmSheet } from '../edit-vm/EditVmSheet.svelte';
export { default as NewVmSheet } from '../new-vm/NewVmSheet.svelte';
export { default as BrowseDialog } from './BrowseDialog.svelte';
export { default as CloneDialog } from './CloneDialog.svelte';
export { default as ConfirmDialog } from './ConfirmDialog.svelte';
export { default as DeleteDialog } from './DeleteDialog.svelte';
export { default as ExportDialog } from './ExportDialog.svelte';
export { default as ImportDiskDialog } from './ImportDiskDialog.svelte';
export { default as TakeSnapshotDialog } from './TakeSnapshotDialog.svelte';
