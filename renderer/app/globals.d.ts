/** True only in the development build that runs against testing/fake-manager.ts. */
declare const __NESTBOX_FAKE__: boolean;
