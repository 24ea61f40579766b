(module
  (type (;0;) (func (result i32)))
  (type (;1;) (func (param i64 i32 i32 i32 i32) (result i32)))
  (type (;2;) (func (param i64 i32 i32 i32 i32 i32) (result i32)))
  (type (;3;) (func (param i64 i32 i32 i32 i32) (result i32)))
  (type (;4;) (func (param i64 i32 i32 i32 i32 i32) (result i32)))
  (type (;5;) (func (param i32 i32 i32 i32)))
  (type (;6;) (func (param i32 i64 i64 i32)))
  (type (;7;) (func (param i32 i64)))
  (type (;8;) (func (param i32 i32)))
  (type (;9;) (func (param i64 i64) (result i64)))
  (type (;10;) (func (param i64 i64) (result i64)))
  (type (;11;) (func (param i32 i64 i64 i32 i32 i32) (result i64)))
  (type (;12;) (func (param i32 i32 i32 i32 i32 i32) (result i32)))
  (type (;13;) (func (param i32)))
  (type (;14;) (func (param i32)))
  (type (;15;) (func (param i32)))
  (type (;16;) (func (param i32)))
  (type (;17;) (func (param i32)))
  (type (;18;) (func (param i32) (result i64)))
  (type (;19;) (func (param i64) (result i64 i32)))
  (import "env" "memory" (memory (;0;) 1024 65536 shared))
  (import "env" "table" (table (;0;) 1 funcref))
  (import "env" "jitRead" (func (;0;) (type 1)))
  (import "env" "jitReadSegment" (func (;1;) (type 2)))
  (import "env" "jitWrite" (func (;2;) (type 3)))
  (import "env" "jitWriteSegment" (func (;3;) (type 4)))
  (import "env" "jitFlags32" (func (;4;) (type 5)))
  (import "env" "jitFlags64" (func (;5;) (type 6)))
  (import "env" "jitOverride" (func (;6;) (type 7)))
  (import "env" "jitSetCarryOverflow" (func (;7;) (type 8)))
  (import "env" "jitMulHighUnsigned" (func (;8;) (type 9)))
  (import "env" "jitMulHighSigned" (func (;9;) (type 10)))
  (import "env" "jitDouble" (func (;10;) (type 11)))
  (import "env" "jitSingle" (func (;11;) (type 12)))
  (import "env" "executeSse" (func (;12;) (type 13)))
  (import "env" "executeX87" (func (;13;) (type 14)))
  (import "env" "executeMmx" (func (;14;) (type 15)))
  (import "env" "executeSystem" (func (;15;) (type 16)))
  (import "env" "jitSystem" (func (;16;) (type 17)))
  (import "env" "jitPushedFlags" (func (;17;) (type 18)))
  (func (;18;) (type 0) (result i32)
    (local i64 i32 i32)
    block  ;; label = @1
      i32.const 0
      i32.load offset=16778608 align=1
      br_if 0 (;@1;)
      i32.const 0
      i64.load offset=16777360 align=1
      local.tee 0
      i32.wrap_i64
      local.get 0
      i64.const 12
      i64.shr_u
      i32.wrap_i64
      i32.xor
      i32.const 4095
      i32.and
      i32.const 5
      i32.shl
      local.tee 1
      i64.load offset=85983232
      local.get 0
      i64.ne
      br_if 0 (;@1;)
      local.get 1
      i32.load offset=85983240
      i32.const 0
      i32.load offset=16780824 align=1
      i32.ne
      br_if 0 (;@1;)
      local.get 0
      i32.wrap_i64
      i32.const 7
      i32.shr_u
      i32.const 65504
      i32.and
      i32.const 0
      i32.load offset=16780828 align=1
      i32.add
      local.tee 2
      i64.load offset=16
      local.get 0
      i64.const -4096
      i64.and
      i64.ne
      br_if 0 (;@1;)
      local.get 2
      i32.load offset=28
      local.get 1
      i32.load offset=85983244
      i32.ne
      br_if 0 (;@1;)
      i32.const 0
      i32.load offset=16778632 align=1
      local.get 1
      i32.load offset=85983252
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      i32.const 0
      i32.store offset=16780832 align=1
      i32.const 0
      local.get 0
      i64.const -4096
      i64.and
      i64.store offset=16777352 align=1
      local.get 1
      i32.load offset=85983248
      return_call_indirect (type 0)
    end
    i32.const 0)
  (func (;19;) (type 19) (param i64) (result i64 i32)
    (local i32 i64)
    local.get 0
    i64.const -4096
    i64.and
    local.tee 2
    local.get 0
    i32.wrap_i64
    i32.const 7
    i32.shr_u
    i32.const 65504
    i32.and
    i32.const 0
    i32.load offset=16778664 align=1
    i32.add
    local.tee 1
    i64.load offset=8
    i64.ne
    if  ;; label = @1
      i64.const 2048
      i32.const 0
      return
    end
    local.get 2
    local.get 1
    i32.load offset=24)
  (func (;20;) (type 0) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 f32 f32 f32 f32 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128)
    i32.const 0
    i32.const 0
    i32.load offset=16780824 align=1
    i32.const 384
    i32.and
    if (result i32)  ;; label = @1
      i32.const 0
      i32.load offset=16780824 align=1
      i32.const 128
      i32.and
      i32.const 0
      i32.const 0
      i32.load offset=16777220 align=1
      i32.or
      i32.const 0
      i32.load offset=16777228 align=1
      i32.or
      i32.or
    else
      i32.const 0
    end
    i32.or
    if  ;; label = @1
      i32.const 0
      i32.const 17826144
      i32.store offset=16778640 align=1
      i32.const 17826176
      return
    end
    block  ;; label = @1
      try  ;; label = @2
        block  ;; label = @3
          i32.const 0
          i32.load offset=16777216 align=1
          local.set 0
          i32.const 0
          i32.load offset=16777224 align=1
          local.set 1
          i32.const 0
          i32.load offset=16777240 align=1
          local.set 3
          i32.const 0
          i32.load offset=16777352 align=1
          local.set 16
          i32.const 0
          i32.load offset=16778664 align=1
          local.set 20
          i32.const 0
          i32.load offset=16778632 align=1
          local.set 21
          loop  ;; label = @4
            local.get 3
            local.get 1
            i32.const 2
            i32.shl
            i32.add
            local.set 32
            local.get 32
            local.set 29
            local.get 29
            i32.const 7
            i32.shr_u
            i32.const 65504
            i32.and
            local.get 20
            i32.add
            local.tee 27
            i64.load
            local.get 29
            i32.const 3
            i32.add
            i32.const -4096
            i32.and
            i64.extend_i32_u
            i64.eq
            if (result i32)  ;; label = @5
              local.get 27
              i32.load offset=24
            else
              local.get 32
              i64.extend_i32_u
              i32.const 3
              i32.const 4
              i32.const 17826176
              i32.const 17826144
              local.get 21
              call 1
              local.tee 26
              i32.eqz
              br_if 2 (;@3;)
              local.get 26
              local.get 29
              i32.sub
            end
            local.get 29
            i32.add
            local.set 26
            local.get 26
            i32.load align=1
            local.set 0
            local.get 0
            local.set 24
            i32.const 5
            local.set 25
            local.get 24
            local.get 25
            i32.lt_u
            if  ;; label = @5
              local.get 21
              i32.const 3
              i32.sub
              local.set 21
              local.get 1
              local.set 24
              i32.const 1
              local.set 25
              local.get 24
              local.get 25
              i32.sub
              local.set 1
              local.get 24
              local.get 25
              i32.eq
              i32.eqz
              if  ;; label = @6
                local.get 21
                i32.const 2
                i32.sub
                local.set 21
                block  ;; label = @7
                  block  ;; label = @8
                    local.get 21
                    i32.const 5
                    i32.lt_s
                    br_if 0 (;@8;)
                    i32.const 0
                    i32.load offset=16778608 align=1
                    br_if 0 (;@8;)
                    br 1 (;@7;)
                  end
                  i32.const 10
                  local.set 22
                  local.get 16
                  i32.const 10
                  i32.add
                  local.set 17
                  br 6 (;@1;)
                end
                i32.const 10
                local.set 22
                br 2 (;@4;)
              else
                local.get 21
                i32.const 2
                i32.sub
                local.set 21
                i32.const 10
                local.set 22
                local.get 16
                i32.const 26
                i32.add
                local.set 17
                br 5 (;@1;)
              end
            else
              local.get 21
              i32.const 3
              i32.sub
              local.set 21
              i32.const 10
              local.set 22
              local.get 16
              i32.const 18
              i32.add
              local.set 17
              br 4 (;@1;)
            end
          end
          unreachable
        end
        i32.const 1
        local.set 28
        br 1 (;@1;)
      catch_all
        i32.const 0
        local.get 0
        i32.store offset=16777216 align=1
        i32.const 0
        local.get 1
        i32.store offset=16777224 align=1
        local.get 22
        i32.const 255
        i32.and
        if  ;; label = @3
          local.get 22
          i32.const 255
          i32.and
          local.get 24
          local.get 25
          local.get 23
          call 4
        end
        local.get 22
        i32.const 8
        i32.shr_u
        local.tee 30
        if  ;; label = @3
          local.get 30
          local.get 43
          local.get 34
          i64.extend_i32_u
          local.get 30
          i32.const 5
          i32.ge_u
          select
          call 6
        end
        rethrow 0 (;@2;)
      end
      unreachable
    end
    i32.const 0
    local.get 0
    i32.store offset=16777216 align=1
    i32.const 0
    local.get 1
    i32.store offset=16777224 align=1
    local.get 22
    i32.const 255
    i32.and
    if  ;; label = @1
      local.get 22
      i32.const 255
      i32.and
      local.get 24
      local.get 25
      local.get 23
      call 4
    end
    local.get 22
    i32.const 8
    i32.shr_u
    local.tee 30
    if  ;; label = @1
      local.get 30
      local.get 43
      local.get 34
      i64.extend_i32_u
      local.get 30
      i32.const 5
      i32.ge_u
      select
      call 6
    end
    local.get 28
    if  ;; label = @1
      i32.const 0
      i32.load offset=16778636 align=1
      return
    end
    i32.const 0
    local.get 17
    i64.extend_i32_u
    i64.store offset=16777360 align=1
    i32.const 0
    local.get 21
    i32.store offset=16778632 align=1
    i32.const 0
    i32.const 0
    i32.store offset=16778640 align=1
    return_call 18)
  (export "dispatch" (func 18))
  (export "stack" (func 19))
  (export "r0" (func 20)))
