;; The smallest mailsonde plugin: it writes the fact `minimal.seen` for every subject and says nothing else. Written by
;; hand to show what a plugin is below its language; compilers make all of this by themselves.
;;
;; The names of the exports are those of the component model, and values lie in memory as its canonical ABI says: a
;; string or a list is a pointer and a length, fields stand in their order, each at a multiple of its own alignment.
;; Nothing of the world is imported, so nothing needs to be granted.
(module
  (memory (export "memory") 1)

  ;; ---- What never changes

  (data (i32.const 16) "minimal")
  (data (i32.const 32) "1.0.0")
  (data (i32.const 48) "minimal.seen")
  (data (i32.const 64) "true")

  ;; The list of the keys that are written: one string.
  (data (i32.const 80) "\30\00\00\00" "\0c\00\00\00")

  ;; record description
  (data (i32.const 96)
    "\10\00\00\00" "\07\00\00\00"   ;; id: "minimal"
    "\20\00\00\00" "\05\00\00\00"   ;; version: "1.0.0"
    "\00\00\00\00" "\00\00\00\00"   ;; reads: none
    "\00\00\00\00" "\00\00\00\00"   ;; may-read: none
    "\50\00\00\00" "\01\00\00\00"   ;; writes: the list above
    "\00\00\00\00")                 ;; batch-hint: 0, mailsonde's choice

  ;; result<_, string>: 0 is ok, and nothing follows.
  (data (i32.const 144) "\00\00\00\00" "\00\00\00\00" "\00\00\00\00")

  ;; record fact: key "minimal.seen", value "true"
  (data (i32.const 160) "\30\00\00\00" "\0c\00\00\00" "\40\00\00\00" "\04\00\00\00")

  ;; list<outcome>: check-many fills it in.
  (data (i32.const 176) "\00\00\00\00" "\00\00\00\00")

  ;; ---- Memory: a call takes from here upwards, and gives all of it back at its end

  (global $start i32 (i32.const 192))
  (global $top (mut i32) (i32.const 192))

  ;; mailsonde asks for room for what it hands in. Memory that is full is a trap: the batch comes again in parts.
  (func $realloc (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $new i32) (local $missing i32)
    ;; new = top, rounded up to the alignment
    (local.set $new
      (i32.and
        (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $top (i32.add (local.get $new) (local.get $size)))
    ;; Octets past the end of the memory; it grows by pages of 64 KiB.
    (local.set $missing (i32.sub (global.get $top) (i32.shl (memory.size) (i32.const 16))))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq
              (memory.grow (i32.shr_u (i32.add (local.get $missing) (i32.const 65535)) (i32.const 16)))
              (i32.const -1))
          (then (unreachable)))))
    (memory.copy (local.get $new) (local.get $old) (local.get $old_size))
    (local.get $new))

  ;; ---- What a plugin exports

  (func (export "mailsonde:stage/plugin@1.0.0#describe") (result i32)
    (i32.const 96))

  (func (export "mailsonde:stage/plugin@1.0.0#configure") (result i32)
    (i32.const 144))

  ;; Takes a list of subjects and does not look at them: an outcome for each, 40 octets, all with the same fact.
  (func (export "mailsonde:stage/plugin@1.0.0#check-many") (param $subjects i32) (param $count i32) (result i32)
    (local $outcome i32)
    (local.set $outcome
      (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $count) (i32.const 40))))
    (i32.store (i32.const 176) (local.get $outcome))
    (i32.store (i32.const 180) (local.get $count))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (i32.store offset=0 (local.get $outcome) (i32.const 160))   ;; facts: where
        (i32.store offset=4 (local.get $outcome) (i32.const 1))     ;; facts: how many
        (i32.store8 offset=8 (local.get $outcome) (i32.const 0))    ;; opinion: none
        (local.set $outcome (i32.add (local.get $outcome) (i32.const 40)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.const 176))

  ;; mailsonde calls this when it has read the outcomes.
  (func (export "cabi_post_mailsonde:stage/plugin@1.0.0#check-many") (param $outcomes i32)
    (global.set $top (global.get $start)))
)
