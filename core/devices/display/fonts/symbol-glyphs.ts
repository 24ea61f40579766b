// Drawings of the symbols, Greek letters and unaccented foreign letters of code page 437; format as in letter-glyphs.ts.

export const SYMBOL_GLYPHS = `
☺ 2 7e 81 a5 81 81 a5 99 81 81 7e | 0 7e 81 a5 81 bd 99 81 7e
☻ 2 7e ff db ff ff db e7 ff ff 7e | 0 7e ff db ff c3 e7 ff 7e
♥ 4 6c fe fe fe fe 7c 38 10 | 0 6c fe fe fe 7c 38 10
♦ 4 10 38 7c fe 7c 38 10 | 0 10 38 7c fe 7c 38 10
♣ 3 18 3c 3c 5a ff ff 5a 18 3c | 0 18 3c 5a ff 5a 18 3c
♠ 3 18 3c 7e ff ff 7e 18 18 3c | 0 18 3c 7e ff 7e 18 3c
• 6 18 3c 3c 18 | 2 18 3c 3c 18
○ 5 3c 66 42 42 66 3c | 1 3c 66 42 42 66 3c
♂ 2 1e 06 0e 1a 78 cc cc cc cc 78 | 0 0f 07 0d 78 cc cc 78
♀ 2 3c 66 66 66 66 3c 18 7e 18 18 | 0 3c 66 66 3c 18 7e 18
♪ 2 3f 33 3f 30 30 30 30 70 f0 e0 | 0 3f 33 3f 30 30 70 e0
♫ 2 7f 63 7f 63 63 63 63 67 e7 e6 c0 | 0 7f 63 7f 63 63 67 e6 c0
☼ 3 18 18 db 3c e7 3c db 18 18 | 0 18 db 3c e7 e7 3c db 18
► 2 80 c0 e0 f8 fe fe f8 e0 c0 80 | 0 80 e0 f8 fe f8 e0 80
◄ 2 02 06 0e 3e fe fe 3e 0e 06 02 | 0 02 0e 3e fe 3e 0e 02
↕ 2 18 3c 7e 18 18 18 18 7e 3c 18 | 0 18 3c 7e 18 18 7e 3c 18
‼ 2 66 66 66 66 66 66 66 00 66 66 | 0 66 66 66 66 66 00 66
¶ 2 7f db db db 7b 1b 1b 1b 1b 1b | 0 7f db db 7b 1b 1b 1b
§ 1 7c c6 60 38 6c c6 c6 6c 38 0c c6 7c | 0 7e c0 7c c6 7c 06 fc
▬ 8 fe fe fe fe | 4 7e 7e 7e
↨ 2 18 3c 7e 18 18 18 7e 3c 18 7e | 0 18 3c 7e 18 7e 3c 18 ff
↑ 2 18 3c 7e 18 18 18 18 18 18 18 | 0 18 3c 7e 18 18 18 18
↓ 2 18 18 18 18 18 18 18 7e 3c 18 | 0 18 18 18 18 7e 3c 18
→ 5 18 0c fe 0c 18 | 1 18 0c fe 0c 18
← 5 30 60 fe 60 30 | 1 30 60 fe 60 30
∟ 5 c0 c0 c0 fe | 2 c0 c0 c0 fe
↔ 5 24 66 ff 66 24 | 1 24 66 ff 66 24
▲ 4 10 38 38 7c 7c fe fe | 1 18 3c 7e ff ff
▼ 4 fe fe 7c 7c 38 38 10 | 1 ff ff 7e 3c 18
⌂ 4 10 38 6c c6 c6 c6 fe | 0 10 38 6c c6 c6 fe
æ 5 7e 1b 1b 7f d8 d8 7f | 2 7e 1b 7f d8 7f
Æ 2 3e 6c cc cc fe cc cc cc cc ce | 0 3e 6c cc fe cc cc ce
¢ 3 18 18 7c c6 c0 c0 c6 7c 18 18 | 0 18 7c c6 c0 c6 7c 18
£ 2 38 6c 64 60 f0 60 60 60 e6 fc | 0 38 6c 60 f8 60 66 fc
¥ 2 66 66 66 3c 7e 18 7e 18 18 18 | 0 66 66 3c 7e 18 7e 18
₧ 2 f8 cc cc f8 c4 cc de cc cc c6 | 0 f8 cc f8 c4 de cc c6
ƒ 2 0e 1b 18 18 7e 18 18 18 18 18 d8 70 | 0 0e 1b 18 7e 18 18 d8 70
ª 2 3c 6c 6c 3e 00 7e | 0 3c 6c 3e 00 7e
º 2 38 6c 6c 38 00 7c | 0 38 6c 38 00 7c
¿ 2 30 30 00 30 30 60 c0 c6 c6 7c | 0 30 00 30 30 60 c6 7c
⌐ 7 fe c0 c0 c0 | 3 fe c0 c0
¬ 7 fe 06 06 06 | 3 fe 06 06
½ 1 60 e0 66 6c 18 30 60 ce 9b 06 0c 1f | 0 c3 c6 cc de 33 66 cc 0f
¼ 1 60 e0 66 6c 18 30 66 ce 9e 3e 06 06 | 0 c3 c6 cc db 37 6f cf 03
¡ 2 18 18 00 18 18 18 3c 3c 3c 18 | 0 18 00 18 18 3c 3c 18
« 5 36 6c d8 6c 36 | 1 36 6c d8 6c 36
» 5 d8 6c 36 6c d8 | 1 d8 6c 36 6c d8
α 5 76 dc d8 d8 d8 dc 76 | 2 76 dc d8 dc 76
ß 2 78 cc cc cc d8 cc c6 c6 c6 dc | 0 78 cc cc d8 c6 c6 dc
Γ 2 fe c0 c0 c0 c0 c0 c0 c0 c0 c0 | 0 fe c0 c0 c0 c0 c0 c0
π 5 fe 6c 6c 6c 6c 6c 6c | 1 fe 6c 6c 6c 6c 6c
Σ 2 fe c0 60 30 18 18 30 60 c0 fe | 0 fe c0 60 30 60 c0 fe
σ 5 7e d8 cc cc cc cc 78 | 2 7e d8 cc cc 78
µ 5 c6 c6 c6 c6 c6 ce fa c0 c0 c0 | 2 c6 c6 c6 ce fa c0
τ 5 fe 30 30 30 30 36 1c | 2 fe 30 30 36 1c
Φ 2 7e 18 3c 66 66 66 66 3c 18 7e | 0 7e 18 3c 66 3c 18 7e
Θ 2 38 6c c6 c6 fe c6 c6 c6 6c 38 | 0 38 6c c6 fe c6 6c 38
Ω 2 38 6c c6 c6 c6 c6 6c 6c 6c ee | 0 38 6c c6 c6 6c 6c ee
δ 2 1e 30 18 0c 3e 66 66 66 66 3c | 0 1e 30 18 3c 66 66 3c
∞ 6 7e db db db 7e | 2 7e db db 7e
φ 3 18 18 7e db db db 7e 18 18 | 0 18 7e db db db 7e 18
ε 4 3e 60 c0 fc c0 c0 60 3e | 1 3e 60 fc c0 60 3e
∩ 3 7c c6 c6 c6 c6 c6 c6 c6 c6 | 0 7c c6 c6 c6 c6 c6 c6
≡ 4 fe 00 00 fe 00 00 fe | 1 fe 00 fe 00 fe
± 4 18 18 7e 18 18 00 00 7e | 0 18 18 7e 18 18 00 7e
≥ 3 30 18 0c 06 0c 18 30 00 7e | 0 30 18 0c 18 30 00 7e
≤ 3 0c 18 30 60 30 18 0c 00 7e | 0 0c 18 30 18 0c 00 7e
⌠ 1 0e 1b 1b 18 18 18 18 18 18 18 18 18 18 18 18 | 0 0e 1b 1b 18 18 18 18 18
⌡ 0 18 18 18 18 18 18 18 18 18 18 d8 d8 70 | 0 18 18 18 18 18 d8 d8 70
÷ 5 18 18 00 7e 00 18 18 | 1 18 00 7e 00 18
≈ 5 76 dc 00 76 dc | 1 76 dc 00 76 dc
° 1 38 6c 6c 38 | 0 38 6c 6c 38
∙ 7 18 18 | 3 18 18
· 7 18 | 3 18
√ 1 0f 0c 0c 0c 0c 0c ec 6c 6c 3c 1c | 0 0f 0c 0c 0c ec 6c 3c 1c
ⁿ 2 f8 cc cc cc cc | 0 f8 cc cc cc
² 1 70 d8 18 30 60 f8 | 0 70 18 30 60 78
■ 5 7e 7e 7e 7e 7e 7e | 2 7e 7e 7e 7e
`;
