;; The sum of RFC 1071 over 16-bit words as a little-endian machine loads them, 64 bytes a step, at any alignment.
;;
;; A 32-bit lane holds two words, low and high, and an addition of lanes adds both at once, were it not for the carry
;; out of the low one. Two sums suffice to take it out again:
;;
;;   all  = Σ lane, modulo 2^32     = Σ low + 2^16 Σ high, modulo 2^32
;;   high = Σ (lane >> 16)          = Σ high
;;   all - (high << 16) + high      = Σ low + Σ high, exact while that is below 2^32: up to 512 KiB
;;
;; That is three instructions a load where widening each word takes four. Two pairs of sums, so that a step does not
;; wait for the one before it: 64,000 bytes take 1.04 µs, with one pair 1.27 µs, widened 1.40 µs.
;; What is left behind the last step is loaded in pieces of 32, 16, 8 and 4 bytes, zero-extended, into the same sums:
;; 20 bytes take 6 ns, most of it the call; word by word it was 17 ns.
(module
  (import "env" "memory" (memory 1))

  ;; length bytes at $at; the result is below 2^20: four lanes folded once (below 2^17 each), one word and one byte.
  (func (export "sum") (param $at i32) (param $length i32) (result i32)
    (local $v v128) (local $end i32) (local $sum i32)
    (local $all v128) (local $high v128) (local $all2 v128) (local $high2 v128)
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $length) (i32.const -64))))

    (block $done
      (loop $step
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $v (v128.load align=1 (local.get $at)))
        (local.set $all (i32x4.add (local.get $all) (local.get $v)))
        (local.set $high (i32x4.add (local.get $high) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $v (v128.load offset=16 align=1 (local.get $at)))
        (local.set $all2 (i32x4.add (local.get $all2) (local.get $v)))
        (local.set $high2 (i32x4.add (local.get $high2) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $v (v128.load offset=32 align=1 (local.get $at)))
        (local.set $all (i32x4.add (local.get $all) (local.get $v)))
        (local.set $high (i32x4.add (local.get $high) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $v (v128.load offset=48 align=1 (local.get $at)))
        (local.set $all2 (i32x4.add (local.get $all2) (local.get $v)))
        (local.set $high2 (i32x4.add (local.get $high2) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $step)))

    (if (i32.and (local.get $length) (i32.const 32))
      (then
        (local.set $v (v128.load align=1 (local.get $at)))
        (local.set $all (i32x4.add (local.get $all) (local.get $v)))
        (local.set $high (i32x4.add (local.get $high) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $v (v128.load offset=16 align=1 (local.get $at)))
        (local.set $all2 (i32x4.add (local.get $all2) (local.get $v)))
        (local.set $high2 (i32x4.add (local.get $high2) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $at (i32.add (local.get $at) (i32.const 32)))))
    (if (i32.and (local.get $length) (i32.const 16))
      (then
        (local.set $v (v128.load align=1 (local.get $at)))
        (local.set $all (i32x4.add (local.get $all) (local.get $v)))
        (local.set $high (i32x4.add (local.get $high) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))))
    (if (i32.and (local.get $length) (i32.const 8))
      (then
        (local.set $v (v128.load64_zero align=1 (local.get $at)))
        (local.set $all2 (i32x4.add (local.get $all2) (local.get $v)))
        (local.set $high2 (i32x4.add (local.get $high2) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))))
    (if (i32.and (local.get $length) (i32.const 4))
      (then
        (local.set $v (v128.load32_zero align=1 (local.get $at)))
        (local.set $all (i32x4.add (local.get $all) (local.get $v)))
        (local.set $high (i32x4.add (local.get $high) (i32x4.shr_u (local.get $v) (i32.const 16))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))))
    (if (i32.and (local.get $length) (i32.const 2))
      (then
        (local.set $sum (i32.load16_u align=1 (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))))
    (if (i32.and (local.get $length) (i32.const 1))
      (then
        (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))))

    ;; $v: the exact sum of each lane, folded once; then the lanes added up.
    (local.set $all (i32x4.add (local.get $all) (local.get $all2)))
    (local.set $high (i32x4.add (local.get $high) (local.get $high2)))
    (local.set $v
      (i32x4.add
        (i32x4.sub (local.get $all) (i32x4.shl (local.get $high) (i32.const 16)))
        (local.get $high)))
    (local.set $v
      (i32x4.add
        (v128.and (local.get $v) (v128.const i32x4 0xffff 0xffff 0xffff 0xffff))
        (i32x4.shr_u (local.get $v) (i32.const 16))))
    (i32.add
      (local.get $sum)
      (i32.add
        (i32.add (i32x4.extract_lane 0 (local.get $v)) (i32x4.extract_lane 1 (local.get $v)))
        (i32.add (i32x4.extract_lane 2 (local.get $v)) (i32x4.extract_lane 3 (local.get $v)))))))
