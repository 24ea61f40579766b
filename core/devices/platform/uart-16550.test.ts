import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { TestClock, TestLine } from './testing.ts';
import { UART_BACKLOG_BYTES } from './uart-16550-backlog.ts';
import { Uart16550, type Uart16550Options } from './uart-16550.ts';

const MS = 1_000_000;
const encode = (text: string) => new TextEncoder().encode(text);

function setUp(options: Partial<Uart16550Options> = {}) {
  const clock = new TestClock();
  const irq = new TestLine();
  const sent: number[] = [];
  const events: string[] = [];
  const uart = new Uart16550({
    id: 'com1',
    base: 0x3f8,
    clock,
    irq,
    onTransmit: (byte) => sent.push(byte),
    onBreak: (active) => events.push(`break ${active}`),
    onModemOutputs: ({ dtr, rts }) => events.push(`dtr ${dtr} rts ${rts}`),
    ...options,
  });
  const ports = new PortBus();
  uart.attach(ports);
  const read = (register: number) => ports.read(0x3f8 + register, 1);
  const write = (register: number, value: number) => ports.write(0x3f8 + register, 1, value);
  write(3, 0x03);
  return { clock, irq, sent, events, uart, read, write };
}

describe('16550A registers', () => {
  it('divisor latch, scratch and power-on values', () => {
    const { read, write } = setUp();
    expect(read(1)).toBe(0);
    expect(read(2)).toBe(0x01);
    expect(read(5)).toBe(0x60);
    expect(read(6)).toBe(0xb0);
    write(3, 0x83);
    write(0, 0x34);
    write(1, 0x12);
    expect(read(0)).toBe(0x34);
    expect(read(1)).toBe(0x12);
    write(3, 0x03);
    expect(read(1)).toBe(0);
    write(7, 0xa5);
    expect(read(7)).toBe(0xa5);
    write(1, 0xff);
    expect(read(1)).toBe(0x0f);
    write(4, 0xff);
    expect(read(4)).toBe(0x1f);
  });

  it('shows the FIFOs in IIR once they are on', () => {
    const { read, write } = setUp();
    write(2, 0xc6);
    expect(read(2)).toBe(0x01);
    write(2, 0xc1);
    expect(read(2)).toBe(0xc1);
  });
});

describe('16550A transmitter', () => {
  it('sends at once and requests the next byte', () => {
    const { read, write, sent, irq } = setUp();
    write(1, 0x02);
    expect(irq.level).toBe(true);
    expect(read(2)).toBe(0x02);
    expect(irq.level).toBe(false);
    expect(read(2)).toBe(0x01);
    write(0, 0x41);
    expect(sent).toEqual([0x41]);
    expect(irq.level).toBe(true);
    const rises = irq.rises;
    write(0, 0x42);
    expect(irq.rises).toBe(rises + 1);
    expect(read(5)).toBe(0x60);
    write(1, 0x00);
    expect(irq.level).toBe(false);
    write(1, 0x02);
    expect(irq.level).toBe(true);
  });

  it('sends whole bytes before the word length is set, and with pacing only as many bits as a character has', () => {
    const { write, sent } = setUp();
    write(0, 0xff);
    expect(sent).toEqual([0xff]);
    const paced = setUp({ pacing: 'baud' });
    paced.write(3, 0x02);
    paced.write(0, 0xff);
    expect(paced.sent).toEqual([0x7f]);
  });

  it('with pacing takes the time that the divisor says', () => {
    const { clock, read, write, sent, irq } = setUp({ pacing: 'baud' });
    write(3, 0x83);
    write(0, 1);
    write(1, 0);
    write(3, 0x03);
    write(2, 0x01);
    write(1, 0x02);
    read(2);
    for (let i = 0; i < 17; i++) write(0, i);
    expect(read(5) & 0x60).toBe(0);
    expect(irq.level).toBe(false);
    clock.advance(16 * 86_806);
    expect(sent).toHaveLength(17);
    expect(read(5) & 0x60).toBe(0x20);
    expect(irq.level).toBe(true);
    clock.advance(86_806);
    expect(read(5) & 0x60).toBe(0x60);
  });

  it('tells break and modem outputs', () => {
    const { write, events } = setUp();
    write(3, 0x43);
    write(3, 0x03);
    write(4, 0x03);
    write(4, 0x01);
    expect(events).toEqual(['break true', 'break false', 'dtr true rts true', 'dtr true rts false']);
  });
});

describe('16550A receiver', () => {
  it('interrupts at the trigger level and by timeout below it', () => {
    const { clock, uart, read, write, irq } = setUp();
    write(2, 0x81);
    write(1, 0x01);
    uart.receive(encode('1234567'));
    expect(irq.level).toBe(false);
    clock.advance(4 * MS);
    expect(irq.level).toBe(false);
    clock.advance(MS);
    expect(irq.level).toBe(true);
    expect(read(2)).toBe(0xcc);
    expect(read(0)).toBe(0x31);
    expect(irq.level).toBe(false);
    expect(read(2)).toBe(0xc1);
    uart.receive(encode('89'));
    expect(irq.level).toBe(true);
    expect(read(2)).toBe(0xc4);
    clock.advance(10 * MS);
    expect(read(2)).toBe(0xc4);
    read(0);
    expect(read(2)).toBe(0xc1);
  });

  it('loses no byte of a long input, with and without FIFO', () => {
    const { uart, read, write } = setUp();
    const text = 'x'.repeat(100) + 'the end';
    expect(uart.receive(encode(text))).toBe(text.length);
    let got = '';
    for (let i = 0; i < 40; i++) got += String.fromCharCode(read(0));
    write(2, 0x01);
    expect(uart.pendingReceive).toBe(text.length - 41);
    while ((read(5) & 1) !== 0) got += String.fromCharCode(read(0));
    expect(read(5) & 0x02).toBe(0);
    // Switching the FIFOs on dropped the one character that the chip held.
    expect(got).toBe(text.slice(0, 40) + text.slice(41));
  });

  it('bounds what the host may push', () => {
    const { uart } = setUp();
    expect(uart.receive(new Uint8Array(UART_BACKLOG_BYTES + 5))).toBe(UART_BACKLOG_BYTES);
    // One byte moved into the receiver buffer.
    expect(uart.receive(new Uint8Array(10))).toBe(1);
    expect(uart.receive(new Uint8Array(10))).toBe(0);
  });

  it('tells line errors first and once', () => {
    const { uart, read, write, irq } = setUp();
    write(2, 0x01);
    write(1, 0x0f);
    read(2);
    uart.receiveBreak();
    expect(irq.level).toBe(true);
    expect(read(2)).toBe(0xc6);
    expect(read(5)).toBe(0xf1);
    expect(read(5)).toBe(0x61);
    expect(read(2)).toBe(0xc4);
    expect(read(0)).toBe(0);
    expect(irq.level).toBe(false);
  });

  it('with pacing delivers one byte per character time', () => {
    const { clock, uart, read, write } = setUp({ pacing: 'baud' });
    write(2, 0x01);
    uart.receive(encode('abcd'));
    expect(read(0)).toBe(0x61);
    expect(read(5) & 1).toBe(0);
    clock.advance(1_042_000);
    expect(read(0)).toBe(0x62);
    clock.advance(10 * MS);
    expect(uart.pendingReceive).toBe(2);
  });
});

describe('16550A modem status and loopback', () => {
  it('reports changes once, the ring by its trailing edge', () => {
    const { uart, read, write, irq } = setUp();
    write(1, 0x08);
    uart.setModemInputs({ cts: false, dsr: true, ri: true, dcd: true });
    expect(irq.level).toBe(true);
    expect(read(2)).toBe(0x00);
    expect(read(6)).toBe(0xe1);
    expect(irq.level).toBe(false);
    uart.setModemInputs({ cts: false, dsr: false, ri: false, dcd: false });
    expect(read(6)).toBe(0x0e);
    expect(read(6)).toBe(0x00);
  });

  it('loops data and modem lines back', () => {
    const { uart, read, write, sent } = setUp();
    write(4, 0x1a);
    expect(read(6) & 0xf0).toBe(0x90);
    write(0, 0x5a);
    expect(sent).toEqual([]);
    expect(read(5) & 1).toBe(1);
    uart.receive(encode('Z'));
    expect(read(0)).toBe(0x5a);
    expect(read(5) & 1).toBe(0);
    write(4, 0x0b);
    expect(read(6) & 0xf0).toBe(0xb0);
    expect(read(0)).toBe(0x5a);
  });

  it('overruns in loopback when nobody reads', () => {
    const { read, write } = setUp();
    write(4, 0x10);
    write(0, 1);
    write(0, 2);
    expect(read(5) & 0x03).toBe(0x03);
    expect(read(5) & 0x02).toBe(0);
    expect(read(0)).toBe(1);
  });

  it('lets interrupts through only with OUT2 when the board says so', () => {
    const { write, irq } = setUp({ gateIrqWithOut2: true });
    write(1, 0x02);
    expect(irq.level).toBe(false);
    write(4, 0x08);
    expect(irq.level).toBe(true);
  });
});

describe('16550A state', () => {
  it('keeps FIFO, backlog and timeout', () => {
    const a = setUp();
    a.write(2, 0xc1);
    a.write(1, 0x01);
    a.uart.receive(encode('0123456789'));
    const b = setUp();
    b.uart.load(a.uart.save());
    expect(b.irq.level).toBe(false);
    b.clock.advance(5 * MS);
    expect(b.irq.level).toBe(true);
    expect(b.read(2)).toBe(0xcc);
    expect(Array.from({ length: 10 }, () => String.fromCharCode(b.read(0))).join('')).toBe('0123456789');
  });
});
