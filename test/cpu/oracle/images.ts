// Instructions whose memory operand is an image of x87 or SSE state.

export function isStateImage(name: string): boolean {
  return /^(f?xsave|f?xrstor|fnsave|frstor|fnstenv|fldenv)/.test(name);
}
