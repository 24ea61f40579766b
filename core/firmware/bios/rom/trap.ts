// The trap between the ROM's stubs and the services in TypeScript. A stub pushes a frame and reads a byte from the trap
// port; the service works on the frame in guest memory and the byte tells the stub how to go on.

/** First of four I/O ports that no PC device uses; PCI I/O windows are assigned above C000h. */
export const TRAP_PORT_BASE = 0xb8b0;
export const TRAP_PORT_COUNT = 4;
/** Offset 0: interrupt service with the 16-bit frame. 1: PCI BIOS with the 32-bit frame. 2: reset (POST). 3: next ROM to initialise. */
export const TRAP_SERVICE = 0;
export const TRAP_PCI32 = 1;
export const TRAP_POST = 2;
export const TRAP_OPTION_ROM = 3;

/** Finished: restore the registers and return. */
export const ACTION_DONE = 0;
/** Host work is under way: let interrupts in and ask again. */
export const ACTION_PENDING = 1;
/** Wait for an interrupt (STI, HLT) and ask again. */
export const ACTION_HALT = 2;
/** Stub-specific actions start here. */
export const ACTION_OTHER = 3;

/** Keyboard stub: interrupts to call after the key was handled. */
export const KEY_CALL_PRINT_SCREEN = 3;
export const KEY_CALL_BREAK = 4;
export const KEY_CALL_SYSTEM_REQUEST_DOWN = 5;
export const KEY_CALL_SYSTEM_REQUEST_UP = 6;
export const KEY_PAUSE = 7;
export const KEY_RESET = 8;
/** Mouse and RTC stubs: call the user's handler. */
export const CALL_USER = 3;

/** POST actions. */
export const POST_BOOT = 0;
/** Shutdown codes 5 and 0Ah: jump through 40:67. */
export const POST_JUMP = 1;
/** Shutdown code 9: return from a block move through 40:67. */
export const POST_BLOCK_MOVE_RETURN = 2;

/** Size of the frame that the stubs push. */
export const FRAME_BYTES = 44;
/** Offset of the service word inside the frame: service in the low byte, request handle in the high byte. */
export const FRAME_SERVICE = 36;
