// Code page 437 as the VGA character generator shows it: one Unicode character for each of the 256 codes.

const ROWS = [
  ' ☺☻♥♦♣♠•◘○◙♂♀♪♫☼', // 00, shown blank
  '►◄↕‼¶§▬↨↑↓→←∟↔▲▼',
  ' !"#$%&\'()*+,-./',
  '0123456789:;<=>?',
  '@ABCDEFGHIJKLMNO',
  'PQRSTUVWXYZ[\\]^_',
  '`abcdefghijklmno',
  'pqrstuvwxyz{|}~⌂',
  'ÇüéâäàåçêëèïîìÄÅ',
  'ÉæÆôöòûùÿÖÜ¢£¥₧ƒ',
  'áíóúñÑªº¿⌐¬½¼¡«»',
  '░▒▓│┤╡╢╖╕╣║╗╝╜╛┐',
  '└┴┬├─┼╞╟╚╔╩╦╠═╬╧',
  '╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀',
  'αßΓπΣσµτΦΘΩδ∞φε∩',
  '≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ', // FF, shown blank
];

/** The 256 characters in code order; every one is a single UTF-16 unit. */
export const CP437_TO_UNICODE: string = ROWS.join('');

const codes = new Map<string, number>();
for (let code = 255; code >= 0; code--) codes.set(CP437_TO_UNICODE.charAt(code), code);
codes.set(' ', 0x20);

/** The code of a character in code page 437, or undefined when it has none. */
export function cp437CodeOf(character: string): number | undefined {
  return codes.get(character);
}
