// Registers and bits of the PC16550D.

export const RBR = 0;
export const IER = 1;
export const IIR = 2;
export const LCR = 3;
export const MCR = 4;
export const LSR = 5;
export const MSR = 6;
export const SCR = 7;

export const CRYSTAL_HZ = 1_843_200;
/** 9600 baud. */
export const DEFAULT_DIVISOR = 12;

export const IER_RECEIVE = 0x01;
export const IER_THRE = 0x02;
export const IER_LINE = 0x04;
export const IER_MODEM = 0x08;
export const IER_WRITABLE = 0x0f;

export const IIR_NONE = 0x01;
export const IIR_MODEM = 0x00;
export const IIR_THRE = 0x02;
export const IIR_RECEIVE = 0x04;
export const IIR_LINE = 0x06;
export const IIR_TIMEOUT = 0x0c;
export const IIR_FIFOS = 0xc0;

export const FCR_ENABLE = 0x01;
export const FCR_CLEAR_RECEIVE = 0x02;
export const FCR_CLEAR_TRANSMIT = 0x04;
export const FCR_KEPT = 0xc9;
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

export const LCR_BREAK = 0x40;
export const LCR_DLAB = 0x80;

export const MCR_DTR = 0x01;
export const MCR_RTS = 0x02;
export const MCR_OUT1 = 0x04;
export const MCR_OUT2 = 0x08;
export const MCR_LOOP = 0x10;
export const MCR_WRITABLE = 0x1f;

export const LSR_DATA_READY = 0x01;
export const LSR_OVERRUN = 0x02;
export const LSR_PARITY = 0x04;
export const LSR_FRAMING = 0x08;
export const LSR_BREAK = 0x10;
export const LSR_ERRORS = 0x1e;
export const LSR_THRE = 0x20;
export const LSR_TEMT = 0x40;
export const LSR_FIFO_ERROR = 0x80;

export const MSR_DELTA_CTS = 0x01;
export const MSR_DELTA_DSR = 0x02;
export const MSR_TRAILING_RI = 0x04;
export const MSR_DELTA_DCD = 0x08;
export const MSR_CTS = 0x10;
export const MSR_DSR = 0x20;
export const MSR_RI = 0x40;
export const MSR_DCD = 0x80;
export const MSR_STATUS = 0xf0;
