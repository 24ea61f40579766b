// How operand tokens of the opcode table are read: a capital letter for the kind, small letters for the size.

/** Kind and size; names of registers (AL, DX, ST0 …) do not match. `RdMb` is a register form and a memory form. */
export const OPERAND_TOKEN = /^([A-Z])([a-z]*)(?:M([a-z]+))?$/;

/** The size part of a token that matches OPERAND_TOKEN. */
export function sizeLetterOf(token: string): string {
  return OPERAND_TOKEN.exec(token)?.[2] ?? '';
}
