// Drawings of the printable ASCII characters: own design, sans serif, two-pixel stems, seven columns wide.
// A line is: character, first row and row bytes (bit 7 = left) in the 8x16 cell (capitals stand on rows 2-11, small letters
// on rows 5-11, descenders reach row 14), then the same for the 8x8 cell (capitals rows 0-6, small letters rows 2-6).

export const LETTER_GLYPHS = `
! 2 18 3c 3c 3c 18 18 18 00 18 18 | 0 18 3c 3c 18 18 00 18
" 1 66 66 66 24 | 0 66 66 24
# 3 6c 6c fe 6c 6c 6c fe 6c 6c | 0 6c 6c fe 6c fe 6c 6c
$ 1 10 10 7c d6 d0 70 1c 16 d6 7c 10 10 | 0 10 7e d0 7c 16 fc 10
% 4 c6 ce 0c 18 30 60 e6 c6 | 0 c6 cc 18 18 30 66 c6
& 2 38 6c 6c 6c 38 76 dc cc cc 76 | 0 38 6c 38 76 dc cc 76
' 1 18 18 18 30 | 0 18 18 30
( 2 0c 18 30 30 30 30 30 30 18 0c | 0 0c 18 30 30 30 18 0c
) 2 30 18 0c 0c 0c 0c 0c 0c 18 30 | 0 30 18 0c 0c 0c 18 30
* 5 66 3c ff 3c 66 | 1 66 3c ff 3c 66
+ 5 18 18 7e 18 18 | 1 18 18 7e 18 18
, 10 18 18 18 30 | 5 18 18 30
- 7 7e | 3 7e
. 10 18 18 | 5 18 18
/ 2 06 06 0c 0c 18 18 30 30 60 60 | 0 06 0c 0c 18 30 30 60
0 2 7c c6 c6 ce de f6 e6 c6 c6 7c | 0 7c c6 ce d6 e6 c6 7c
1 2 18 38 78 18 18 18 18 18 18 7e | 0 18 38 18 18 18 18 7e
2 2 7c c6 06 06 0c 18 30 60 c0 fe | 0 7c c6 06 1c 70 c0 fe
3 2 7c c6 06 06 3c 06 06 06 c6 7c | 0 7c c6 06 3c 06 c6 7c
4 2 0c 1c 3c 6c cc cc fe 0c 0c 0c | 0 1c 3c 6c cc fe 0c 0c
5 2 fe c0 c0 c0 fc 06 06 06 c6 7c | 0 fe c0 fc 06 06 c6 7c
6 2 3c 60 c0 c0 fc c6 c6 c6 c6 7c | 0 3c 60 c0 fc c6 c6 7c
7 2 fe 06 06 0c 0c 18 18 30 30 30 | 0 fe 06 0c 18 30 30 30
8 2 7c c6 c6 c6 7c c6 c6 c6 c6 7c | 0 7c c6 c6 7c c6 c6 7c
9 2 7c c6 c6 c6 c6 7e 06 06 0c 78 | 0 7c c6 c6 7e 06 0c 78
: 5 18 18 00 00 00 18 18 | 1 18 18 00 00 18 18
; 5 18 18 00 00 00 18 18 30 | 1 18 18 00 00 18 18 30
< 3 06 0c 18 30 60 30 18 0c 06 | 0 06 0c 18 30 18 0c 06
= 6 7e 00 00 7e | 2 7e 00 7e
> 3 60 30 18 0c 06 0c 18 30 60 | 0 60 30 18 0c 18 30 60
? 2 7c c6 c6 0c 18 18 18 00 18 18 | 0 7c c6 0c 18 18 00 18
@ 2 7c c6 c6 de de de dc c0 c0 7c | 0 7c c6 de de dc c0 7c
A 2 38 6c c6 c6 c6 fe c6 c6 c6 c6 | 0 38 6c c6 c6 fe c6 c6
B 2 fc c6 c6 c6 fc c6 c6 c6 c6 fc | 0 fc c6 c6 fc c6 c6 fc
C 2 7c c6 c6 c0 c0 c0 c0 c6 c6 7c | 0 7c c6 c0 c0 c0 c6 7c
D 2 f8 cc c6 c6 c6 c6 c6 c6 cc f8 | 0 f8 cc c6 c6 c6 cc f8
E 2 fe c0 c0 c0 f8 c0 c0 c0 c0 fe | 0 fe c0 c0 f8 c0 c0 fe
F 2 fe c0 c0 c0 f8 c0 c0 c0 c0 c0 | 0 fe c0 c0 f8 c0 c0 c0
G 2 7c c6 c6 c0 c0 de c6 c6 c6 7c | 0 7c c6 c0 ce c6 c6 7c
H 2 c6 c6 c6 c6 fe c6 c6 c6 c6 c6 | 0 c6 c6 c6 fe c6 c6 c6
I 2 3c 18 18 18 18 18 18 18 18 3c | 0 3c 18 18 18 18 18 3c
J 2 0e 06 06 06 06 06 06 c6 c6 7c | 0 0e 06 06 06 06 c6 7c
K 2 c6 c6 cc d8 f0 f0 d8 cc c6 c6 | 0 c6 cc d8 f0 d8 cc c6
L 2 c0 c0 c0 c0 c0 c0 c0 c0 c0 fe | 0 c0 c0 c0 c0 c0 c0 fe
M 2 c6 ee fe fe d6 c6 c6 c6 c6 c6 | 0 c6 ee fe d6 c6 c6 c6
N 2 c6 c6 e6 f6 fe de ce c6 c6 c6 | 0 c6 e6 f6 de ce c6 c6
O 2 7c c6 c6 c6 c6 c6 c6 c6 c6 7c | 0 7c c6 c6 c6 c6 c6 7c
P 2 fc c6 c6 c6 c6 fc c0 c0 c0 c0 | 0 fc c6 c6 fc c0 c0 c0
Q 2 7c c6 c6 c6 c6 c6 c6 d6 de 7c 0c 0e | 0 7c c6 c6 c6 d6 de 7c 06
R 2 fc c6 c6 c6 c6 fc d8 cc c6 c6 | 0 fc c6 c6 fc d8 cc c6
S 2 7c c6 c6 c0 70 1c 06 c6 c6 7c | 0 7c c6 c0 7c 06 c6 7c
T 2 7e 18 18 18 18 18 18 18 18 18 | 0 7e 18 18 18 18 18 18
U 2 c6 c6 c6 c6 c6 c6 c6 c6 c6 7c | 0 c6 c6 c6 c6 c6 c6 7c
V 2 c6 c6 c6 c6 c6 c6 c6 6c 38 10 | 0 c6 c6 c6 c6 6c 38 10
W 2 c6 c6 c6 c6 d6 d6 d6 fe ee 44 | 0 c6 c6 c6 d6 fe ee c6
X 2 c6 c6 6c 6c 38 38 6c 6c c6 c6 | 0 c6 c6 6c 38 6c c6 c6
Y 2 66 66 66 66 3c 18 18 18 18 18 | 0 66 66 66 3c 18 18 18
Z 2 fe 06 06 0c 18 30 60 c0 c0 fe | 0 fe 06 0c 18 30 60 fe
[ 2 3c 30 30 30 30 30 30 30 30 3c | 0 3c 30 30 30 30 30 3c
\\ 2 60 60 30 30 18 18 0c 0c 06 06 | 0 60 30 30 18 0c 0c 06
] 2 3c 0c 0c 0c 0c 0c 0c 0c 0c 3c | 0 3c 0c 0c 0c 0c 0c 3c
^ 1 10 38 6c c6 | 0 10 38 6c c6
_ 13 ff | 7 ff
\` 1 30 18 0c | 0 30 18 0c
a 5 7c 06 7e c6 c6 c6 7e | 2 7c 06 7e c6 7e
b 2 c0 c0 c0 fc c6 c6 c6 c6 c6 fc | 0 c0 c0 fc c6 c6 c6 fc
c 5 7c c6 c0 c0 c0 c6 7c | 2 7c c6 c0 c6 7c
d 2 06 06 06 7e c6 c6 c6 c6 c6 7e | 0 06 06 7e c6 c6 c6 7e
e 5 7c c6 c6 fe c0 c6 7c | 2 7c c6 fe c0 7c
f 2 1c 36 30 7c 30 30 30 30 30 30 | 0 1c 30 7c 30 30 30 30
g 5 7e c6 c6 c6 c6 c6 7e 06 c6 7c | 2 7e c6 c6 7e 06 7c
h 2 c0 c0 c0 fc c6 c6 c6 c6 c6 c6 | 0 c0 c0 fc c6 c6 c6 c6
i 2 18 18 00 38 18 18 18 18 18 3c | 0 18 00 38 18 18 18 3c
j 2 06 06 00 0e 06 06 06 06 06 06 66 66 3c | 0 06 00 06 06 06 06 66 3c
k 2 c0 c0 c0 c6 cc d8 f0 d8 cc c6 | 0 c0 c0 cc d8 f0 d8 cc
l 2 38 18 18 18 18 18 18 18 18 3c | 0 38 18 18 18 18 18 3c
m 5 ec fe d6 d6 d6 d6 c6 | 2 ec fe d6 d6 c6
n 5 fc c6 c6 c6 c6 c6 c6 | 2 fc c6 c6 c6 c6
o 5 7c c6 c6 c6 c6 c6 7c | 2 7c c6 c6 c6 7c
p 5 fc c6 c6 c6 c6 c6 fc c0 c0 c0 | 2 fc c6 c6 fc c0 c0
q 5 7e c6 c6 c6 c6 c6 7e 06 06 06 | 2 7e c6 c6 7e 06 06
r 5 dc e6 c0 c0 c0 c0 c0 | 2 dc e6 c0 c0 c0
s 5 7e c0 c0 7c 06 06 fc | 2 7e c0 7c 06 fc
t 3 30 30 7c 30 30 30 30 36 1c | 1 30 7c 30 30 36 1c
u 5 c6 c6 c6 c6 c6 c6 7e | 2 c6 c6 c6 c6 7e
v 5 c6 c6 c6 c6 6c 38 10 | 2 c6 c6 6c 38 10
w 5 c6 c6 d6 d6 d6 fe 6c | 2 c6 d6 d6 fe 6c
x 5 c6 c6 6c 38 6c c6 c6 | 2 c6 6c 38 6c c6
y 5 c6 c6 c6 c6 c6 c6 7e 06 0c f8 | 2 c6 c6 c6 7e 06 7c
z 5 fe 0c 18 30 60 c0 fe | 2 fe 0c 38 60 fe
{ 2 0e 18 18 18 70 18 18 18 18 0e | 0 0e 18 18 70 18 18 0e
| 2 18 18 18 18 18 18 18 18 18 18 18 18 | 0 18 18 18 18 18 18 18
} 2 70 18 18 18 0e 18 18 18 18 70 | 0 70 18 18 0e 18 18 70
~ 6 76 dc | 2 76 dc
`;
