/** Laws of the flow's rules, over flows that fast-check makes up. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differs, difference, opsBetween } from '../flow/diff.ts';
import { groupsOf, holds, isEmpty } from '../flow/form.ts';
import { begin, follow, perform, redo, saved, sending, undo } from '../flow/history.ts';
import { layout } from '../flow/layout.ts';
import { ancestors, equal, linksOf } from '../flow/model.ts';
import { translator } from '../kit/l10n.ts';
import type { Catalog, Flow, FlowNode, ModifierCall } from '../flow/model.ts';
import { apply, change, compose, connect, disconnect, inverse, moveNodes, rebase, reconnect, removeNodes } from '../flow/ops.ts';
import type { Op } from '../flow/ops.ts';
import { argumentOf, outputsFor, sampleOf, stages, typedAs, withArgument } from '../flow/pipeline.ts';
import { isSheet, sheetNode, sheetOf, stepsOf, together, withSheets } from '../flow/sheets.ts';
import { joined, pieces } from '../flow/text.ts';
import { ACCOUNT, problemsOf } from '../flow/validate.ts';

// One seed, so that what passes passes again; FC_SEED= tries others.
fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 20261127), numRuns: Number(process.env.FC_RUNS ?? 300) });

const ID = fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__x', 'constructor');
const PORT = fc.constantFrom('in', 'out', 'true', 'toString');
const LINK = fc.record({ source: ID, outPort: PORT, target: ID, inPort: PORT });

type Act =
  | { act: 'add'; id: string }
  | { act: 'remove'; ids: string[] }
  | { act: 'connect' | 'disconnect'; link: { source: string; outPort: string; target: string; inPort: string } }
  | { act: 'move'; id: string; x: number; y: number }
  | { act: 'set'; id: string; path: string[]; to: unknown };

const ACT: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constant('add' as const), id: ID }),
  fc.record({ act: fc.constant('remove' as const), ids: fc.uniqueArray(ID, { maxLength: 2 }) }),
  fc.record({ act: fc.constantFrom('connect' as const, 'disconnect' as const), link: LINK }),
  fc.record({ act: fc.constant('move' as const), id: ID, x: fc.integer(), y: fc.integer() }),
  fc.record({
    act: fc.constant('set' as const),
    id: ID,
    path: fc.array(fc.constantFrom('config', 'label', 'properties', 'transform', '__proto__'), { minLength: 1, maxLength: 4 }),
    to: fc.oneof(fc.constant(undefined), fc.string(), fc.integer(), fc.dictionary(fc.string(), fc.integer(), { maxKeys: 2 })),
  }),
);

function opsOf(flow: Flow, act: Act): Op[] {
  switch (act.act) {
    case 'add':
      return flow[act.id] && Object.hasOwn(flow, act.id) ? [] : [{ op: 'add', id: act.id, node: { type: 'x.y.z.T', x: 0, y: 0, source: {} } }];
    case 'remove':
      return removeNodes(own(flow), act.ids.filter((id) => Object.hasOwn(flow, id)));
    case 'connect':
      return Object.hasOwn(flow, act.link.source) && Object.hasOwn(flow, act.link.target) ? connect(flow, act.link) : [];
    case 'disconnect':
      return Object.hasOwn(flow, act.link.target) ? disconnect(flow, act.link) : [];
    case 'move':
      return Object.hasOwn(flow, act.id) ? moveNodes(flow, new Map([[act.id, act]])) : [];
    case 'set':
      return Object.hasOwn(flow, act.id) ? change(flow, act.id, act.path, act.to) : [];
  }
}

const own = (flow: Flow): Flow => Object.assign(Object.create(null) as Record<string, FlowNode>, flow);

function played(flow: Flow, acts: Act[]): { flow: Flow; ops: Op[] } {
  let now = own(flow);
  const ops: Op[] = [];
  for (const act of acts) {
    const made = opsOf(now, act);
    now = own(apply(now, made));
    ops.push(...made);
  }
  return { flow: now, ops };
}

const ACTS = fc.array(ACT, { maxLength: 20 });

describe('edits', () => {
  it('have an exact way back', () => {
    fc.assert(
      fc.property(ACTS, ACTS, (before, acts) => {
        const start = played({}, before).flow;
        const { flow, ops } = played(start, acts);
        expect(equal(apply(flow, inverse(ops)), { ...start })).toBe(true);
      }),
    );
  });

  it('compose to the same flow', () => {
    fc.assert(
      fc.property(ACTS, ACTS, ACTS, (before, one, two) => {
        const start = played({}, before).flow;
        const first = played(start, one);
        const second = played(first.flow, two);
        expect(equal(apply(start, compose(first.ops, second.ops)), { ...second.flow })).toBe(true);
      }),
    );
  });

  it('that are rebased keep what the other did elsewhere, and always fit', () => {
    fc.assert(
      fc.property(ACTS, ACTS, ACTS, (before, one, two) => {
        const start = played({}, before).flow;
        const mine = played(start, one);
        const theirs = played(start, two);
        const { ops, clashes } = rebase(theirs.flow, mine.ops);
        const both = apply(theirs.flow, ops);
        if (!two.length) expect(equal(both, { ...mine.flow })).toBe(true);
        if (!clashes.length) {
          for (const id of Object.keys(mine.flow)) if (!Object.hasOwn(start, id)) expect(Object.hasOwn(both, id)).toBe(true);
        }
        expect(equal(apply(both, inverse(ops)), { ...theirs.flow })).toBe(true);
      }),
    );
  });

  it('of two people on two nodes both hold, whoever saves first', () => {
    const start: Flow = { a: { type: 't', source: {} }, b: { type: 't', source: {} } };
    const mine = change(start, 'a', ['config', 'properties', 'x'], 1);
    const theirs = [...change(start, 'a', ['config', 'properties', 'y'], 2), ...connect(start, { source: 'a', outPort: 'o', target: 'b', inPort: 'in' })];

    const one = apply(apply(start, theirs), rebase(apply(start, theirs), mine).ops);
    const other = apply(apply(start, mine), rebase(apply(start, mine), theirs).ops);

    expect(one).toEqual(other);
    expect(one['a']?.config?.properties).toEqual({ x: 1, y: 2 });
  });

  it('that lead elsewhere keep what the input was set to', () => {
    let flow: Flow = { a: { type: 't' }, c: { type: 't' }, b: { type: 't' } };
    const link = { source: 'a', outPort: 'o', target: 'b', inPort: 'in' };
    flow = apply(flow, connect(flow, link));
    flow = apply(flow, change(flow, 'b', ['config', 'transform', 'in', 'a', 'o'], { lambda: { x: 1 } }));

    flow = apply(flow, reconnect(flow, link, { ...link, source: 'c' }));

    expect(linksOf(flow)).toEqual([{ ...link, source: 'c' }]);
    expect(flow['b']?.config?.transform).toEqual({ in: { c: { o: { lambda: { x: 1 } } } } });
  });

  it('between two flows lead from one to the other', () => {
    fc.assert(
      fc.property(ACTS, ACTS, (one, two) => {
        const [a, b] = [played({}, one).flow, played({}, two).flow];
        expect(equal(apply(a, opsBetween(a, b)), { ...b })).toBe(true);
        const found = difference(a, b);
        if (!differs(a, b)) expect([found.added.size, found.removed.size, found.changed.size]).toEqual([0, 0, 0]);
      }),
    );
  });
});

describe('a history', () => {
  it('undoes a gesture as one and does it again', () => {
    let history = begin({ a: { type: 't', x: 0, y: 0 } });
    const start = history.flow;
    for (const x of [1, 2, 3]) history = perform(history, change(history.flow, 'a', ['x'], x), 'drag');
    const end = history.flow;

    expect(undo(history).flow).toEqual(start);
    expect(redo(undo(history)).flow).toEqual(end);
    expect(undo(history).unsaved).toEqual([]);
  });

  it('keeps what was done while saving', () => {
    let history = perform(begin({ a: { type: 't' } }), change({ a: { type: 't' } }, 'a', ['label'], 'one'));
    history = sending(history);
    history = perform(history, change(history.flow, 'a', ['x'], 5));

    history = saved(history);

    expect(history.unsaved).toEqual([{ op: 'set', id: 'a', path: ['x'], from: undefined, to: 5 }]);
    expect(follow(history, { a: { type: 't', label: 'theirs' } }).history.flow['a']).toEqual({ type: 't', label: 'theirs', x: 5 });
  });
});

describe('saving', () => {
  it('loses no letter that is typed while the one before is on its way', () => {
    const type = (history: ReturnType<typeof begin>, text: string): ReturnType<typeof begin> => perform(history, change(history.flow, 'a', ['label'], text), 'label');
    let history = sending(type(begin({ a: { type: 't' } }), 'o'));

    history = saved(type(history, 'on'));

    expect(history.unsaved).toEqual([{ op: 'set', id: 'a', path: ['label'], from: 'o', to: 'on' }]);
  });
});

describe('a layout', () => {
  it('puts no two nodes in one place, and links lead to the right', () => {
    fc.assert(
      fc.property(ACTS, (acts) => {
        const { flow } = played({}, acts);
        const places = layout(flow, { x: 192, y: 96 });
        expect(places.size).toBe(Object.keys(flow).length);
        expect(new Set([...places.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(places.size);
      }),
    );
  });

  it('of 2,000 nodes takes half a second at most', () => {
    const flow: Record<string, FlowNode> = {};
    for (let at = 0; at < 2000; at += 1) flow[`n${at}`] = { type: 't', source: at ? { in: { [`n${Math.floor((at - 1) / 2)}`]: ['out'] } } : {} };
    const began = process.cpuUsage().user;
    const places = layout(flow, { x: 192, y: 96 });
    expect((process.cpuUsage().user - began) / 1000).toBeLessThan(500);
    expect(places.get('n1')!.x).toBeGreaterThan(places.get('n0')!.x);
  });
});

describe('forms', () => {
  it('show what their conditions allow', () => {
    expect(holds({ eq: { './kind': 'a' } }, { kind: 'a' })).toBe(true);
    expect(holds({ or: [{ eq: { './kind': 'a' } }, { in: { './kind': ['b'] } }] }, { kind: 'b' })).toBe(true);
    expect(holds({ nin: { './kind': ['b'] } }, { kind: 'b' })).toBe(false);
  });

  it('are made of schemas where there is nothing else', () => {
    const [group] = groupsOf(undefined, { properties: { size: { type: 'integer' }, on: { type: 'boolean' } }, required: ['size'] });
    expect(group?.fields.map((field) => [field.name, field.input.type, field.isRequired])).toEqual([
      ['size', 'number', true],
      ['on', 'toggle', false],
    ]);
  });

  it('read texts with values in pieces and join them again', () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.stringMatching(/^[^{}]{1,9}$/).map((text) => ({ text })), fc.stringMatching(/^[a-z]{1,9}$/).map((id) => ({ id })))), (parts) => joined(pieces(joined(parts))) === joined(parts)));
  });
});

describe('problems', () => {
  const catalog: Catalog = new Map([
    ['t.start', { name: 't.start', label: 'Start', outPorts: ['out'] }],
    ['t.send', { name: 't.send', label: 'Send', inPorts: [{ name: 'in', inspector: { inputs: { to: { type: 'text', label: 'To' } } }, schema: { required: ['to'] } }] }],
  ]);

  it('name the field that is missing, the link that leads nowhere and the component that is not there', () => {
    const flow: Flow = {
      s: { type: 't.start' },
      b: { type: 't.send', source: { in: { s: ['out'] } } },
      c: { type: 't.send', source: { in: { gone: ['out'] } } },
      d: { type: 't.unknown' },
    };
    const found = problemsOf(flow, catalog);

    expect(found.find((each) => each.node === 'b')).toMatchObject({ field: 'to', text: 'To is missing. Fill it in.' });
    expect(found.find((each) => each.node === 'c')?.text).toContain("'gone'");
    expect(found.find((each) => each.node === 'd')?.text).toContain("'t.unknown'");
  });

  it('name values of steps that do not lead there', () => {
    const value = { in: { s: { out: { lambda: { to: '{{{v}}}' }, modifiers: { to: { v: { variable: '$.other.out.x' } } } } } } };
    const flow: Flow = { s: { type: 't.start' }, other: { type: 't.start' }, b: { type: 't.send', source: { in: { s: ['out'] } }, config: { transform: value } } };

    expect(problemsOf(flow, catalog).map((each) => each.text)).toEqual(["A value comes from 'Start', which does not lead here. Choose another value."]);
    expect(ancestors(flow, 'b')).toEqual(['s']);
  });

  it('name an account that is missing or that its service refuses', () => {
    const known: Catalog = new Map([...catalog, ['t.mail', { name: 't.mail', label: 'Mail', auth: { service: 't:mail' } }]]);
    const flow: Flow = { none: { type: 't.mail' }, bad: { type: 't.mail' }, good: { type: 't.mail' }, s: { type: 't.start' } };
    const bound = new Map([['bad', { isValid: false, reason: 'The grant was revoked.' }], ['good', { isValid: true, reason: '' }]]);
    const said = problemsOf(flow, known, bound).filter((each) => each.field === ACCOUNT);

    expect(said.map((each) => [each.node, each.text])).toEqual([
      ['none', 'The account is missing. Choose or connect one.'],
      ['bad', 'The account does not work: The grant was revoked. Connect it again.'],
    ]);
    expect(problemsOf(flow, known).filter((each) => each.field === ACCOUNT)).toEqual([]);
  });

  it('take blanks, empty lists and expressions without rows for nothing', () => {
    for (const nothing of [undefined, null, '', '  ', [], { ADD: [] }, { AND: [] }]) expect(isEmpty(nothing)).toBe(true);
    for (const something of [0, false, 'a', ['a'], { ADD: [{}] }, {}, { OTHER: [] }]) expect(isEmpty(something)).toBe(false);
  });
});

describe('a value in its modifiers', () => {
  it('is asked for as it comes and after each of them', () => {
    const variable = { variable: '$.a.out.name', functions: [{ name: 'g_trim' }, { name: 'g_uppercase' }] };
    const { lambda, modifiers } = stages(variable);

    expect(lambda).toEqual({ 0: '{{{v}}}', 1: '{{{v}}}', 2: '{{{v}}}' });
    expect(Object.values(modifiers!).map((each) => each['v']!.functions!.map((call) => call.name))).toEqual([[], ['g_trim'], ['g_trim', 'g_uppercase']]);
    expect(outputsFor('$.a.out.deep.name', 'x')).toEqual({ a: { out: { deep: { name: 'x' } } } });
    expect(outputsFor('$.__proto__.out', 1)).toEqual(JSON.parse('{"__proto__": {"out": 1}}'));
    expect([outputsFor('name', 1), outputsFor(undefined, 1)]).toEqual([{}, {}]);
  });

  it('gets named arguments by name and the others by place', () => {
    const known = [{ name: 'pattern' }, { name: 'global', isHash: true, type: 'boolean' }, { name: 'replacer' }];
    let call: ModifierCall = { name: 'g_replace' };
    call = withArgument(call, known, known[2]!, 'b');
    call = withArgument(call, known, known[1]!, true);

    expect(call).toEqual({ name: 'g_replace', params: [{ value: null }, { value: 'b' }], hashParams: { global: { value: true } } });
    expect(known.map((each) => argumentOf(call, known, each))).toEqual([null, true, 'b']);
    expect([typedAs('number', '1.5'), typedAs('number', 'x'), typedAs('string', '1'), sampleOf('{"a":1}'), sampleOf('{a')]).toEqual([1.5, 'x', '1', { a: 1 }, '{a']);
  });
});

describe('notes and frames', () => {
  const step: FlowNode = { type: 't.start', x: 0, y: 0, source: {} };
  const note = sheetNode({ kind: 'note', x: 16, y: 32, width: 224, height: 112, text: 'Read me', colour: 'blue' });

  it('stand beside the steps and come back from the custom fields as they were', () => {
    const flow: Flow = { a: step, n: note };
    const fields = withSheets({ theirs: 1, designer: { other: true } }, flow);

    expect(fields).toEqual({ theirs: 1, designer: { other: true, sheets: { n: note } } });
    expect(stepsOf(flow)).toEqual({ a: step });
    expect(together(stepsOf(flow), fields)).toEqual(flow);
    expect(withSheets(fields, stepsOf(flow))).toEqual({ theirs: 1, designer: { other: true } });
    expect(withSheets({ designer: { sheets: {} } }, {})).toEqual({});
  });

  it('never hide a step, whatever the custom fields hold', () => {
    fc.assert(
      fc.property(fc.dictionary(ID, fc.oneof(fc.jsonValue(), fc.record({ type: fc.constantFrom('@note', '@frame', 't.start', '@other'), x: fc.double(), width: fc.anything(), text: fc.anything() }))), (given) => {
        const flow: Flow = { a: step, constructor: step };
        const found = together(flow, { designer: { sheets: given } });

        expect(stepsOf(found)).toEqual(flow);
        for (const node of Object.values(found).filter(isSheet)) {
          const sheet = sheetOf(node)!;
          expect(Number.isFinite(sheet.x + sheet.y + sheet.width + sheet.height) && sheet.width >= 120 && typeof sheet.text === 'string').toBe(true);
        }
      }),
    );
  });
});

describe('words of another language', () => {
  it('take the place of the English ones, with what is put in', () => {
    const t = translator({ '{0} problems': 'Probleme: {0}', Start: 'Starten' });

    expect([t('Start'), t('Stop'), t('{0} problems', 3), t('{0} steps', 2), t('constructor')]).toEqual(['Starten', 'Stop', 'Probleme: 3', '2 steps', 'constructor']);
    expect(translator((text) => (text === 'Start' ? undefined : `<${text}>`))('Start')).toBe('Start');
    expect(t('{0} and {1}', '{1}', 'b')).toBe('{1} and b');
  });
});
