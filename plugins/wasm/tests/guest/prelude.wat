  ;; What every guest of the tests has: memory, the interface's layouts, and words for them. Addresses that begin with
  ;; `x` are struck: a hostile guest misbehaves at those alone, so that it passes the look it gets when it is loaded.
  (memory $memory (export "memory") 4)
  (global $heap (mut i32) (i32.const HEAP))

  ;; Octets that nobody has used yet, all zero.
  (func $alloc (param $octets i32) (param $align i32) (result i32)
    (local $begin i32)
    (local.set $begin
      (i32.and
        (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $begin) (local.get $octets)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (br_if $fits
        (i32.ne (i32.const -1)
          (memory.grow (i32.add (i32.shr_u (local.get $octets) (i32.const 16)) (i32.const 1)))))
      (unreachable))
    (memory.fill (local.get $begin) (i32.const 0) (local.get $octets))
    (local.get $begin))

  (func (export "cabi_realloc")
    (param $old i32) (param $old_octets i32) (param $align i32) (param $octets i32) (result i32)
    (local $new i32)
    (local.set $new (call $alloc (local.get $octets) (local.get $align)))
    (memory.copy (local.get $new) (local.get $old)
      (select (local.get $old_octets) (local.get $octets)
        (i32.lt_u (local.get $old_octets) (local.get $octets))))
    (local.get $new))

  ;; list<T>, or a string: where it is and how long.
  (func $list (param $begin i32) (param $count i32) (result i32)
    (local $list i32)
    (local.set $list (call $alloc (i32.const 8) (i32.const 4)))
    (i32.store (local.get $list) (local.get $begin))
    (i32.store offset=4 (local.get $list) (local.get $count))
    (local.get $list))

  ;; subject, 36 octets: input, option<address> at 8, facts at 28
  (func $subject (param $subjects i32) (param $position i32) (result i32)
    (i32.add (local.get $subjects) (i32.mul (local.get $position) (i32.const 36))))

  (func $is_struck (param $subject i32) (result i32)
    (if (result i32) (i32.load offset=4 (local.get $subject))
      (then (i32.eq (i32.load8_u (i32.load (local.get $subject))) (i32.const 0x78)))
      (else (i32.const 0))))

  ;; Whether any of a call's subjects is struck.
  (func $is_any_struck (param $subjects i32) (param $count i32) (result i32)
    (local $any i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $any (i32.or (local.get $any) (call $is_struck (local.get $subjects))))
        (local.set $subjects (i32.add (local.get $subjects) (i32.const 36)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (local.get $any))

  ;; outcome, 40 octets: facts; option<opinion> at 8: category at 16, reason at 20, score at 32
  (func $outcomes (param $count i32) (result i32)
    (call $alloc (i32.mul (local.get $count) (i32.const 40)) (i32.const 8)))

  (func $outcome (param $outcomes i32) (param $position i32) (result i32)
    (i32.add (local.get $outcomes) (i32.mul (local.get $position) (i32.const 40))))

  (func $opine
    (param $outcome i32) (param $category i32) (param $reason i32) (param $reason_len i32) (param $score f64)
    (i32.store8 offset=8 (local.get $outcome) (i32.const 1))
    (i32.store8 offset=16 (local.get $outcome) (local.get $category))
    (i32.store offset=20 (local.get $outcome) (local.get $reason))
    (i32.store offset=24 (local.get $outcome) (local.get $reason_len))
    (f64.store offset=32 (local.get $outcome) (local.get $score)))

  ;; The one fact of an outcome.
  (func $fact
    (param $outcome i32) (param $key i32) (param $key_len i32) (param $value i32) (param $value_len i32)
    (local $fact i32)
    (local.set $fact (call $alloc (i32.const 16) (i32.const 4)))
    (i32.store (local.get $fact) (local.get $key))
    (i32.store offset=4 (local.get $fact) (local.get $key_len))
    (i32.store offset=8 (local.get $fact) (local.get $value))
    (i32.store offset=12 (local.get $fact) (local.get $value_len))
    (i32.store (local.get $outcome) (local.get $fact))
    (i32.store offset=4 (local.get $outcome) (i32.const 1)))

  ;; What is said of a subject that is not struck: risky (2), for the reason `seen`.
  (func $see (param $outcome i32)
    (call $opine (local.get $outcome) (i32.const 2) (global.get $seen) (global.get $seen_len) (f64.const 0.5)))

  ;; result<_, string> of `configure`
  (func $refuse (param $message i32) (param $message_len i32) (result i32)
    (local $result i32)
    (local.set $result (call $alloc (i32.const 12) (i32.const 4)))
    (i32.store (local.get $result) (i32.const 1))
    (i32.store offset=4 (local.get $result) (local.get $message))
    (i32.store offset=8 (local.get $result) (local.get $message_len))
    (local.get $result))

  ;; Each subject by itself.
  (func $check_each (param $subjects i32) (param $count i32) (result i32)
    (local $outcomes i32) (local $position i32)
    (local.set $outcomes (call $outcomes (local.get $count)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $position) (local.get $count)))
        (call $check
          (call $subject (local.get $subjects) (local.get $position))
          (call $outcome (local.get $outcomes) (local.get $position)))
        (local.set $position (i32.add (local.get $position) (i32.const 1)))
        (br $next)))
    (call $list (local.get $outcomes) (local.get $count)))

  ;; After a call its memory is free again.
  (func (export "cabi_post_mailsonde:stage/plugin@1.0.0#check-many") (param i32)
    (global.set $heap (i32.const HEAP)))
