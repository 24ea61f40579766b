// Writes the function of a region: guest registers come into locals, the blocks follow as structured control flow made of
// the dominator tree (Norman Ramsey, "Beyond Relooper", ICFP 2022), and everything that leaves goes through one frame:
//
//   block $exit
//     try
//       block $bail … code … end
//       how = 1; br $exit
//     catch_all                   ;; a guest fault: the host's exception passes through
//       registers and flags back; rethrow
//     end
//   end
//   registers and flags back
//   how = 1: return CURRENT_OP
//   how = 2: the interpreter's routine for CURRENT_OP, which ends its block; on to the next region, region-dispatch.ts
//   how = 0: RIP, BUDGET back; BLOCK_RUNNING = 0; on to the next region

import { TLB } from '../isa/layout.ts';
import { keepCarry, pushCondition, storeKind } from './emit-flags.ts';
import { bail, bailIf, hostOfOperand, loadHost, noteFlags, noteRunning, noteStackPage } from './emit-memory.ts';
import { noteFloat } from './emit-sse-float.ts';
import { emitDrop, emitPush, emitTop, pushStackPointer } from './emit-stack.ts';
import { DYNAMIC, STORED } from './flag-kinds.ts';
import { type Block, conditionOfJump, isMemory, type Op, type BlockCopy, targetOf } from './op-record.ts';
import { DISPATCH_FUNCTION, RBP, RSP, RegionCode, type RegionSetup, TLB_ENTRY_MASK, TLB_ENTRY_SHIFT } from './region-code.ts';
import { buildGraph, followed, type IndirectTargets, kindAfter, liveAtEnd, liveBefore, type Node, type RegionGraph, usesTable } from './region-graph.ts';
import { type FunctionBody, I32, W } from './wasm-encoder.ts';

const CS = 1;
/** Value of `how`, see above. */
const BY_SYSTEM = 2;
/** Bits of JIT_CONTEXT (core/cpu/isa/layout.ts): ES, SS, DS are not flat; upper halves may not be 0. */
const SEGMENT_BITS = [[0, 0x20], [2, 0x40], [3, 0x80]] as const;
const UPPER_HALVES = 0x100;

export interface EmittedRegion {
  readonly body: FunctionBody;
  readonly need: number;
  /** Instructions in it that are translated. */
  readonly translated: number;
}

/** @returns undefined when the region's first instruction already is one for the interpreter */
export function emitRegion(setup: RegionSetup, copies: readonly BlockCopy[], name: string, targets?: IndirectTargets): EmittedRegion | undefined {
  const c = new RegionCode(setup);
  const graph = buildGraph(c, copies, targets);
  const head = graph.nodes[0];
  if (head === undefined || (head.body.length === 0 && head.terminator === 'leave')) return undefined;
  c.hasFramePointer = graph.nodes.some(({ block }) => block.ops.some(setsFramePointer));
  // The first pass learns which registers are used and written.
  for (let pass = 0; pass < 2; pass++) {
    c.restart();
    new Emitter(c, graph).write();
  }
  const translated = graph.flow.order.reduce((sum, node) => sum + (graph.nodes[node]?.body.length ?? 0), 0);
  return { body: { type: 0, name, locals: c.locals(), code: c.w }, need: Math.max(1, graph.need), translated };
}

/** MOV RBP, RSP or LEAVE. */
const setsFramePointer = (op: Op): boolean =>
  op.handler.name === 'LEAVE' || (op.handler.name === 'MOV_GE' && op.reg === RBP && op.rm === RSP && !isMemory(op)) || (op.handler.name === 'MOV_EG' && op.rm === RBP && op.reg === RSP && !isMemory(op));

class Emitter {
  private readonly c: RegionCode;
  private readonly graph: RegionGraph;
  /** Labels of the blocks behind which merge nodes stand, and of loops. */
  private readonly forward: number[] = [];
  private readonly loops: number[] = [];

  constructor(c: RegionCode, graph: RegionGraph) {
    this.c = c;
    this.graph = graph;
  }

  write(): void {
    const { c } = this;
    const { local } = c;
    this.checkAssumptions();
    c.exitLabel = c.open(W.block);
    const tryLabel = c.open(W.try);
    c.bailLabel = c.open(W.block);
    c.loadRegisters();
    c.loadField(c.wide ? W.i64_load : W.i32_load, 'GPR', 17);
    c.set(local.pageRip);
    c.loadField(W.i32_load, 'TLB_ACTIVE');
    c.set(local.tlb);
    c.loadField(W.i32_load, 'BUDGET');
    c.set(local.budget);
    if (c.usesFloat) noteFloat(c);
    if (c.usesStack) {
      pushStackPointer(c, c.wide ? -8 : -4);
      noteStackPage(c);
    }
    c.flags = STORED;
    if (this.graph.carryIn[0] === true) keepCarry(c);
    this.tree(0);
    c.op(W.unreachable);
    c.end();
    c.i32(1);
    c.set(local.how);
    c.br(c.exitLabel);
    c.op(W.catch_all);
    c.storeRegisters();
    storeKind(c, DYNAMIC);
    c.op(W.rethrow);
    c.w.u32(c.depth - 1 - tryLabel);
    c.end();
    c.op(W.unreachable);
    c.end();
    c.storeRegisters();
    storeKind(c, DYNAMIC);
    c.get(local.how);
    c.open(W.if);
    if (c.hasSystem) {
      c.get(local.how);
      c.i32(BY_SYSTEM);
      c.op(W.i32_eq);
      c.open(W.if);
      // A fault passes: everything is where the interpreter would have it.
      c.loadField(W.i32_load, 'CURRENT_OP');
      c.call('jitSystem');
      this.goOn();
      c.end();
    }
    c.loadField(W.i32_load, 'CURRENT_OP');
    c.op(W.return);
    c.end();
    c.storeField(W.i64_store, 'RIP', () => {
      c.get(local.rip);
      if (!c.wide) c.op(W.i64_extend_i32_u);
    });
    c.storeField(W.i32_store, 'BUDGET', () => c.get(local.budget));
    c.storeField(W.i32_store, 'BLOCK_RUNNING', () => c.i32(0));
    this.goOn();
  }

  /** To the next region: the module's first function, see region-dispatch.ts. */
  private goOn(): void {
    this.c.op(W.return_call);
    this.c.w.u32(DISPATCH_FUNCTION);
  }

  /**
   * In 32-bit code: the segments are flat, and no written register has an upper half. SSE is enabled when it is used. Else the
   * interpreter runs the block.
   */
  private checkAssumptions(): void {
    const { c } = this;
    if (c.wide && !c.usesSse) return;
    c.i32(0);
    if (c.usesSse) {
      // CR0.EM, CR0.TS clear, CR4.OSFXSR set.
      c.loadField(W.i32_load, 'CR0');
      c.i32(0xc);
      c.op(W.i32_and, W.i32_or);
      c.loadField(W.i32_load, 'CR4');
      c.i32(0x200);
      c.op(W.i32_and);
      c.i32(0x200);
      c.op(W.i32_xor, W.i32_or);
    }
    if (!c.wide) {
      const segments = SEGMENT_BITS.reduce((bits, [segment, bit]) => (((c.assumed >> segment) & 1) !== 0 ? bits | bit : bits), 0);
      c.loadField(W.i32_load, 'JIT_CONTEXT');
      c.i32(segments | UPPER_HALVES);
      c.op(W.i32_and);
      c.open(W.if, I32);
      c.loadField(W.i32_load, 'JIT_CONTEXT');
      c.i32(segments);
      c.op(W.i32_and);
      c.pushUpperHalves();
      c.op(W.i32_or);
      c.else();
      c.i32(0);
      c.end();
      c.op(W.i32_or);
    }
    const head = this.graph.nodes[0] as Node;
    c.openExpected(false);
    c.storeField(W.i32_store, 'BLOCK_RUNNING', () => c.i32(head.block.address | 0));
    c.i32((head.block.ops[0] as Op).address | 0);
    c.op(W.return);
    c.end();
  }

  // --- Structure.

  private tree(node: number): void {
    const { c, graph } = this;
    const merges = (graph.flow.children[node] ?? []).filter((child) => graph.flow.isMerge[child]).reverse();
    if (graph.flow.isLoopHead[node] === true) {
      this.loops[node] = c.open(W.loop);
      this.within(node, merges);
      c.end();
    } else {
      this.within(node, merges);
    }
  }

  private within(node: number, merges: readonly number[]): void {
    const { c } = this;
    const [last, ...rest] = merges;
    if (last === undefined) {
      this.node(this.graph.nodes[node] as Node);
      return;
    }
    this.forward[last] = c.open(W.block);
    this.within(node, rest);
    c.end();
    this.tree(last);
  }

  private node(node: Node): void {
    const { c, graph } = this;
    c.blockAddress = node.block.address;
    c.flags = graph.kindIn[node.index] as number;
    // Liveness after each instruction, backwards.
    const live: boolean[] = [];
    let after = node.leavesAt !== undefined || liveAtEnd(node, graph.nodes, graph.flow, graph.liveIn);
    for (let i = node.body.length - 1; i >= 0; i--) {
      const { op, translation } = node.body[i] as Node['body'][number];
      live[i] = after;
      after = liveBefore(op, translation, after);
    }
    node.body.forEach(({ op, translation }, i) => {
      const expected = kindAfter(op, translation, c.flags);
      translation.emit(c, op, live[i] as boolean);
      if (live[i] === true && c.flags !== expected) throw new Error(`${op.handler.name}: flags are ${c.flags}, not ${expected}`);
      c.flags = expected;
    });
    this.terminate(node);
  }

  // --- How blocks end.

  private terminate(node: Node): void {
    const { c } = this;
    const last = node.block.ops.at(-1) as Op;
    if (node.leavesAt !== undefined) {
      bail(c, node.leavesAt);
      return;
    }
    switch (node.terminator) {
      case 'next':
        this.spend(node);
        this.edge(node, node.next, node.block.end);
        break;
      case 'jump':
        this.checkTarget(node, last, targetOf(last));
        this.spend(node);
        this.edge(node, node.taken, targetOf(last));
        break;
      case 'branch':
        this.branch(node, last);
        break;
      case 'call':
        this.checkTarget(node, last, targetOf(last));
        emitPush(c, last, () => c.ripAt(last.end));
        this.spend(node);
        this.edge(node, node.taken, targetOf(last));
        break;
      case 'jump-indirect':
        this.indirectTarget(last);
        this.goIndirectly(node, last);
        break;
      case 'call-indirect':
        this.indirectTarget(last);
        emitPush(c, last, () => c.ripAt(last.end));
        this.goIndirectly(node, last);
        break;
      case 'system':
        c.hasSystem = true;
        noteRunning(c, last);
        c.i32(BY_SYSTEM);
        c.set(c.local.how);
        c.br(c.exitLabel);
        break;
      default:
        this.returnFrom(node, last);
    }
  }

  private branch(node: Node, last: Op): void {
    const { c } = this;
    pushCondition(c, conditionOfJump(last));
    const { flags } = c;
    c.open(W.if);
    this.checkTarget(node, last, targetOf(last));
    this.spend(node);
    this.edge(node, node.taken, targetOf(last));
    c.else();
    c.flags = flags;
    c.blockAddress = node.block.address;
    // Only a fall-through into the next page can be beyond the limit; the interpreter finds that at the next fetch.
    this.checkTarget(node, last, last.end);
    this.spend(node);
    this.edge(node, node.next, last.end);
    c.end();
  }

  /** Sets `rip` to the target of JMP or CALL with a register or memory operand. */
  private indirectTarget(last: Op): void {
    const { c } = this;
    const size = c.wide ? 3 : 2;
    if (isMemory(last)) {
      hostOfOperand(c, last, 1 << size, 'read');
      loadHost(c, size);
    } else {
      c.getWord(last.rm);
    }
    this.setRip(last);
  }

  private returnFrom(node: Node, last: Op): void {
    const { c } = this;
    emitTop(c, last);
    loadHost(c, c.wide ? 3 : 2);
    this.setRip(last);
    emitDrop(c, (c.wide ? 8 : 4) + (last.handler.name === 'RET_I' ? last.immLow & 0xffff : 0));
    this.goIndirectly(node, last);
  }

  /** Sets `rip` to the target on the stack and `delta` to its distance from the page; a target outside may fault. */
  private setRip(last: Op): void {
    const { c } = this;
    const { local } = c;
    c.tee(local.rip);
    c.get(local.pageRip);
    c.op(c.wide ? W.i64_sub : W.i32_sub);
    c.tee(local.delta);
    c.word(0xfff);
    c.op(c.wide ? W.i64_gt_u : W.i32_gt_u);
    c.openExpected(false);
    this.checkRip(last);
    c.end();
  }

  /** To the RIP in `rip`, inside the region or not. */
  private goIndirectly(node: Node, last: Op): void {
    const { c, graph } = this;
    const { flags } = c;
    this.spend(node);
    if (usesTable(node, graph.table)) {
      this.chooseTarget(node, last);
      return;
    }
    for (const target of node.expected) {
      if (!followed(graph.flow, node.index, target)) continue;
      const { start } = (graph.nodes[target] as Node).block;
      c.get(c.local.delta);
      c.word(start);
      c.op(c.wide ? W.i64_eq : W.i32_eq);
      c.open(W.if);
      this.edge(node, target, start);
      c.end();
      c.flags = flags;
      c.blockAddress = node.block.address;
    }
    this.leaveIndirectly(last);
  }

  private leaveIndirectly(last: Op): void {
    const { c } = this;
    noteFlags(c);
    c.storeField(W.i32_store, 'CAME_FROM', () => c.i32(last.address | 0));
    c.br(c.exitLabel);
  }

  /** Among many targets, by the table of the region. */
  private chooseTarget(node: Node, last: Op): void {
    const { c, graph } = this;
    const { flow, nodes, table } = graph;
    const { local } = c;
    if (node.expected.some((target) => graph.carryIn[target] === true)) keepCarry(c);
    noteFlags(c);
    const leave = c.open(W.block);
    const behind = (target: number): boolean => (flow.position[target] as number) <= (flow.position[node.index] as number);
    if (node.expected.some((target) => followed(flow, node.index, target) && behind(target))) this.leaveUnlessQuiet(leave);
    c.get(local.delta);
    c.word(0xfff);
    c.op(c.wide ? W.i64_gt_u : W.i32_gt_u);
    c.brIfRarely(leave);
    c.get(local.delta);
    if (c.wide) c.op(W.i32_wrap_i64);
    c.w.memory(W.i32_load8_u, 0, table);
    const depth = (label: number): number => c.depth - 1 - label;
    const labels = nodes.map(({ index }) => (followed(flow, node.index, index) ? depth((behind(index) ? this.loops : this.forward)[index] as number) : depth(leave)));
    c.w.brTable([depth(leave), ...labels], depth(leave));
    c.end();
    this.leaveIndirectly(last);
  }

  /** The block's instructions are retired. */
  private spend(node: Node): void {
    const { c } = this;
    c.get(c.local.budget);
    c.i32(node.block.ops.length);
    c.op(W.i32_sub);
    c.set(c.local.budget);
  }

  /** A target in another page may be beyond the CS limit or not canonical: the branch itself faults. */
  private checkTarget({ block }: Node, op: Op, offset: number): void {
    const { c } = this;
    if (offset >= block.page && offset < block.page + 0x1000) return;
    c.ripAt(offset);
    c.set(c.local.rip);
    this.checkRip(op);
  }

  private checkRip(op: Op): void {
    const { c } = this;
    const { local } = c;
    if (c.wide) {
      c.get(local.rip);
      c.i64(16);
      c.op(W.i64_shl);
      c.i64(16);
      c.op(W.i64_shr_s);
      c.get(local.rip);
      c.op(W.i64_ne);
    } else {
      c.get(local.rip);
      c.loadField(W.i32_load, 'SEG_LIMIT', CS);
      c.op(W.i32_gt_u);
    }
    bailIf(c, op);
  }

  private edge(from: Node, target: number, offset: number): void {
    const { flow } = this.graph;
    if (!followed(flow, from.index, target)) {
      this.leaveTo(offset);
      return;
    }
    if ((flow.position[target] as number) <= (flow.position[from.index] as number)) this.lookUp(offset);
    const { block } = this.graph.nodes[target] as Node;
    if (block.page !== from.block.page) this.changePage(block, offset);
    this.enterNode(from.index, target);
  }

  /** Goes on in another page when the TLB shows it where it was when the region was made, else leaves: as the interpreter looks there. */
  private changePage({ page, physicalPage }: Block, offset: number): void {
    const { c } = this;
    const { entry, q0 } = c.local;
    const stay = c.open(W.block);
    const leave = c.open(W.block);
    c.ripAt(page);
    c.tee(q0);
    c.op(W.i32_wrap_i64);
    c.i32(TLB_ENTRY_SHIFT);
    c.op(W.i32_shr_u);
    c.i32(TLB_ENTRY_MASK);
    c.op(W.i32_and);
    c.loadField(W.i32_load, 'TLB_EXEC');
    c.op(W.i32_add);
    c.tee(entry);
    c.w.memory(W.i64_load, 3, TLB.TAG_EXEC);
    c.get(q0);
    c.op(W.i64_ne);
    c.brIfRarely(leave);
    c.get(entry);
    c.w.memory(W.i32_load, 2, TLB.PHYS_PAGE);
    c.i32(physicalPage);
    c.op(W.i32_ne);
    c.brIfRarely(leave);
    c.storeField(W.i64_store, 'GPR', () => c.get(q0), 17);
    c.br(stay);
    c.end();
    this.leaveTo(offset);
    c.end();
  }

  private enterNode(from: number, target: number): void {
    const { c, graph } = this;
    const { flow } = graph;
    if (graph.carryIn[target] === true) keepCarry(c);
    if (graph.kindIn[target] === DYNAMIC) noteFlags(c);
    if ((flow.position[target] as number) <= (flow.position[from] as number)) c.br(this.loops[target] as number);
    else if (flow.isMerge[target] === true) c.br(this.forward[target] as number);
    else this.tree(target);
  }

  /** At the end of each round of a loop: leaves when the budget may not last for another, or something has happened. */
  private lookUp(offset: number): void {
    const { c } = this;
    const stay = c.open(W.block);
    const leave = c.open(W.block);
    this.leaveUnlessQuiet(leave);
    c.br(stay);
    c.end();
    this.leaveTo(offset);
    c.end();
  }

  private leaveUnlessQuiet(leave: number): void {
    const { c } = this;
    c.get(c.local.budget);
    c.i32(this.graph.need);
    c.op(W.i32_lt_s);
    c.brIfRarely(leave);
    c.loadField(W.i32_load, 'EVENTS');
    c.brIfRarely(leave);
  }

  private leaveTo(offset: number): void {
    const { c } = this;
    noteFlags(c);
    c.ripAt(offset);
    c.set(c.local.rip);
    c.br(c.exitLabel);
  }
}
