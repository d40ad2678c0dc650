;; RFC 1071 sum of little-endian 16-bit words over the imported memory, 32 bytes a step.
;; Two accumulators of four 32-bit lanes: each lane takes two words a step, so 64 KB stay far below overflow.
;; The lanes are folded to 16 bits before they are added, so that the result is below 2^21 and sums can be added up.
(module
  (import "env" "memory" (memory 1))
  (func $fold (param $lane i32) (result i32)
    (i32.add (i32.shr_u (local.get $lane) (i32.const 16)) (i32.and (local.get $lane) (i32.const 0xffff))))
  (func (export "sum") (param $at i32) (param $length i32) (result i32)
    (local $a v128) (local $b v128) (local $end i32) (local $sum i32)
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $length) (i32.const -32))))
    (block $done
      (loop $step
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $a
          (i32x4.add (local.get $a) (i32x4.extadd_pairwise_i16x8_u (v128.load align=1 (local.get $at)))))
        (local.set $b
          (i32x4.add (local.get $b) (i32x4.extadd_pairwise_i16x8_u (v128.load offset=16 align=1 (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 32)))
        (br $step)))
    (local.set $a (i32x4.add (local.get $a) (local.get $b)))
    (local.set $sum
      (i32.add
        (i32.add
          (call $fold (i32x4.extract_lane 0 (local.get $a)))
          (call $fold (i32x4.extract_lane 1 (local.get $a))))
        (i32.add
          (call $fold (i32x4.extract_lane 2 (local.get $a)))
          (call $fold (i32x4.extract_lane 3 (local.get $a))))))
    (local.set $length (i32.and (local.get $length) (i32.const 31)))
    (block $odd
      (loop $word
        (br_if $odd (i32.lt_u (local.get $length) (i32.const 2)))
        (local.set $sum (i32.add (local.get $sum) (i32.load16_u align=1 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $length (i32.sub (local.get $length) (i32.const 2)))
        (br $word)))
    (if (local.get $length)
      (then (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))))
    (local.get $sum)))
