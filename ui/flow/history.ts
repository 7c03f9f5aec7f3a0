/** A flow and the way it came: edits grouped by gesture, undone and done again, and what is not saved yet. */
import type { Flow } from './model.ts';
import { apply, compose, inverse, rebase } from './ops.ts';
import type { Op } from './ops.ts';

const LONGEST = 500;

export interface History {
  readonly flow: Flow;
  readonly done: readonly Entry[];
  readonly undone: readonly Entry[];
  /** Edits since the flow was saved last. */
  readonly unsaved: readonly Op[];
  /** How many of them are on their way: they stay as they are until it is known what became of them. */
  readonly sent: number;
}

interface Entry {
  ops: readonly Op[];
  gesture: string;
}

export function begin(flow: Flow): History {
  return { flow, done: [], undone: [], unsaved: [], sent: 0 };
}

/** Edits done. Those of one named gesture that follow each other are undone together. */
export function perform(history: History, ops: readonly Op[], gesture = ''): History {
  if (!ops.length) return history;
  const last = history.done.at(-1);
  const joins = gesture !== '' && last?.gesture === gesture;
  const entry = { ops: joins ? compose(last.ops, ops) : ops, gesture };
  const done = [...(joins ? history.done.slice(0, -1) : history.done), entry].slice(-LONGEST);
  return { ...history, flow: apply(history.flow, ops), done, undone: [], unsaved: withMore(history, ops) };
}

export function undo(history: History): History {
  const last = history.done.at(-1);
  if (!last) return history;
  const back = inverse(last.ops);
  return {
    ...history,
    flow: apply(history.flow, back),
    done: history.done.slice(0, -1),
    undone: [...history.undone, last],
    unsaved: withMore(history, back),
  };
}

export function redo(history: History): History {
  const next = history.undone.at(-1);
  if (!next) return history;
  return {
    ...history,
    flow: apply(history.flow, next.ops),
    done: [...history.done, { ...next, gesture: '' }],
    undone: history.undone.slice(0, -1),
    unsaved: withMore(history, next.ops),
  };
}

/** All that is not saved goes on its way. */
export function sending(history: History): History {
  return { ...history, sent: history.unsaved.length };
}

/** What was sent is saved; what was done meanwhile is not. */
export function saved(history: History): History {
  return { ...history, unsaved: history.unsaved.slice(history.sent), sent: 0 };
}

/** What was sent did not arrive. */
export function refused(history: History): History {
  return { ...history, sent: 0 };
}

/** Our unsaved edits on top of a flow that somebody else changed. What they undo would undo theirs, so undo begins anew. */
export function follow(history: History, theirs: Flow): { history: History; clashes: number } {
  const { ops, clashes } = rebase(theirs, history.unsaved);
  return { history: { flow: apply(theirs, ops), done: [], undone: [], unsaved: ops, sent: 0 }, clashes: clashes.length };
}

function withMore(history: History, ops: readonly Op[]): Op[] {
  return [...history.unsaved.slice(0, history.sent), ...compose(history.unsaved.slice(history.sent), ops)];
}
