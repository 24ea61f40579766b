// Opcodes of the SIMD proposal (prefix FDh) by the names of the text format, with underscores for dots.

export const V = {
  v128_load: 0, v128_store: 11, v128_const: 12, i8x16_shuffle: 13, i8x16_swizzle: 14, v128_load32_zero: 92, v128_load64_zero: 93,
  i8x16_splat: 15, i16x8_splat: 16, i32x4_splat: 17, i64x2_splat: 18, f64x2_splat: 20,
  i8x16_extract_lane_u: 22, i8x16_replace_lane: 23, i16x8_extract_lane_u: 25, i16x8_replace_lane: 26, i32x4_extract_lane: 27, i32x4_replace_lane: 28,
  i64x2_extract_lane: 29, i64x2_replace_lane: 30, f32x4_extract_lane: 31, f32x4_replace_lane: 32, f64x2_extract_lane: 33, f64x2_replace_lane: 34,
  i8x16_eq: 35, i8x16_gt_s: 39, i16x8_eq: 45, i16x8_gt_s: 49, i32x4_eq: 55, i32x4_gt_s: 59, i32x4_lt_u: 58, i64x2_eq: 214, i64x2_gt_s: 217, i64x2_lt_s: 216,
  v128_and: 78, v128_andnot: 79, v128_or: 80, v128_xor: 81, v128_bitselect: 82,
  i8x16_abs: 96, i8x16_bitmask: 100, i8x16_narrow_i16x8_s: 101, i8x16_narrow_i16x8_u: 102, i8x16_add: 110, i8x16_add_sat_s: 111, i8x16_add_sat_u: 112,
  i8x16_sub: 113, i8x16_sub_sat_s: 114, i8x16_sub_sat_u: 115, i8x16_min_s: 118, i8x16_min_u: 119, i8x16_max_s: 120, i8x16_max_u: 121, i8x16_avgr_u: 123,
  i16x8_abs: 128, i16x8_narrow_i32x4_s: 133, i16x8_narrow_i32x4_u: 134, i16x8_shl: 139, i16x8_shr_s: 140, i16x8_shr_u: 141, i16x8_add: 142,
  i16x8_add_sat_s: 143, i16x8_add_sat_u: 144, i16x8_sub: 145, i16x8_sub_sat_s: 146, i16x8_sub_sat_u: 147, i16x8_mul: 149, i16x8_min_s: 150,
  i16x8_min_u: 151, i16x8_max_s: 152, i16x8_max_u: 153, i16x8_avgr_u: 155,
  i32x4_abs: 160, i32x4_all_true: 163, i32x4_bitmask: 164, i32x4_shl: 171, i32x4_shr_s: 172, i32x4_shr_u: 173, i32x4_add: 174, i32x4_sub: 177, i32x4_mul: 181, i32x4_min_s: 182,
  i32x4_min_u: 183, i32x4_max_s: 184, i32x4_max_u: 185, i32x4_dot_i16x8_s: 186,
  i64x2_all_true: 195, i64x2_bitmask: 196, i64x2_shl: 203, i64x2_shr_s: 204, i64x2_shr_u: 205, i64x2_add: 206, i64x2_sub: 209,
  i64x2_extmul_low_i32x4_s: 220, i64x2_extmul_low_i32x4_u: 222,
  f32x4_add: 228, f32x4_sub: 229, f32x4_mul: 230, f32x4_div: 231, f64x2_add: 240, f64x2_sub: 241, f64x2_mul: 242, f64x2_div: 243,
  f64x2_convert_low_i32x4_s: 254,
} as const;
