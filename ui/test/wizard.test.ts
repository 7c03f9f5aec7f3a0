/** The wizard of a flow: what can be asked, what is, what is missing, and that filling in writes exactly there. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Flow, Manifest } from '../flow/model.ts';
import { apply } from '../flow/ops.ts';
import { askedBy, fieldsOf, filled, idOf, isTaken, missing, servicesOf, wizardOf } from '../flow/wizard.ts';
import { adapted, localized, stringsOf } from '../sdk/compat/strings.ts';

const manifest = (name: string, more: Partial<Manifest>): [string, Manifest] => [name, { name, ...more }];
const catalog = new Map([
  manifest('a.clock', { properties: { schema: { required: ['every'] }, inspector: { inputs: { every: { type: 'number', label: 'Minutes', index: 1 }, unit: { type: 'text', when: { eq: { './every': 5 } }, index: 2 } } } }, outPorts: ['out'] }),
  manifest('a.mail', { auth: { service: 'a:mail' }, inPorts: [{ name: 'in', inspector: { inputs: { to: { type: 'text', label: 'To' }, text: { type: 'textarea' } } }, schema: { required: ['to'] } }], outPorts: ['out'] }),
]);
const lambda = (to: string): object => ({ out: { type: 'json2new', modifiers: { text: { v: { variable: '$.go.out.x' } } }, lambda: { text: '{{{v}}}', ...(to ? { to } : {}) } } });
const flow = { mail: { type: 'a.mail', source: { in: { go: ['out'], again: ['out'] } }, config: { transform: { in: { go: lambda(''), again: lambda('') } } } }, go: { type: 'a.clock', config: { properties: { every: 1 } } }, again: { type: 'a.clock' } } as unknown as Flow;
const TO = { componentId: 'mail', port: 'in', input: 'to' };
const EVERY = { componentId: 'go', input: 'every', label: 'How often' };

describe('the wizard of a flow', () => {
  it('offers the fields of every step, in the order in which steps are reached', () => {
    const found = fieldsOf(flow, catalog);
    expect(found.map((each) => each.id)).toEqual(['go//every', 'go//unit', 'again//every', 'again//unit', 'mail/in/to', 'mail/in/text']);
    expect(found.filter(isTaken).map((each) => each.id)).toEqual(['mail/in/text']);
    expect(servicesOf(flow, catalog)).toEqual([{ service: 'a:mail', steps: [{ id: 'mail', type: 'a.mail' }] }]);
  });

  it('asks as the maker says, passes over what is gone, and names what is missing', () => {
    const asked = askedBy(wizardOf({ intro: 'Hello', fields: [EVERY, TO, { componentId: 'none', input: 'x' }, { input: 'x' }, 5] }), flow, catalog);
    expect(asked.map((each) => [idOf(each.field), each.input.label, each.value, each.isRequired])).toEqual([['go//every', 'How often', 1, true], ['mail/in/to', 'To', undefined, true]]);
    expect(missing(asked).map((each) => each.field.input)).toEqual(['to']);
    expect(wizardOf('nothing')).toEqual({ fields: [] });
    const conditional = askedBy(wizardOf({ fields: [{ componentId: 'go', input: 'unit' }] }), flow, catalog);
    expect(conditional.map((each) => each.isShown)).toEqual([false]);
  });

  it('fills in a field at every link to its port, and nothing else', () => {
    fc.assert(fc.property(fc.string({ minLength: 1 }), (value) => {
      const now = apply(flow, filled(flow, TO, value));
      const at = (source: string): unknown => now['mail']?.config?.transform?.['in']?.[source]?.['out']?.lambda;
      expect([at('go'), at('again')]).toEqual([{ text: '{{{v}}}', to: value }, { text: '{{{v}}}', to: value }]);
      expect(apply(now, filled(now, TO, undefined))).toEqual(flow);
    }));
    expect(apply(flow, filled(flow, EVERY, 7))['go']?.config?.properties).toEqual({ every: 7 });
  });
});

describe("strings of Appmixer's SDK", () => {
  it('go by key, in older releases too, and by their English where the designer speaks', () => {
    const strings = stringsOf({ flowManager: { header: { buttonCreateFlow: 'Neu' } }, designer: { start: 'Los', nProblems: '{{count}} Problem|{{count}} Probleme' } }, { ui: { designer: { start: 'Start', nProblems: '{0} problems' } } });
    const say = strings as (text: string, key?: string) => string | undefined;
    expect([say('New flow', 'ui.flowManager.create'), say('Start'), say('{0} problems'), say('Start', 'ui.wizard.finish.start')]).toEqual(['Neu', 'Los', '{0} Probleme', undefined]);
    expect(adapted('1 problem', 'ein Problem|viele')).toBe('ein Problem');
  });

  it('put the words of a component where their paths lead, its own language last', () => {
    const given = { name: 'a.b', label: 'B', inPorts: [{ name: 'in', inspector: { inputs: { to: { label: 'To' } } } }], localization: { cs: { label: 'Bé' } } } as unknown as Manifest;
    const found = localized(given, 'cs', { 'a.b': { label: 'X', 'inPorts[0].inspector.inputs.to.label': 'Komu', '__proto__.polluted': 'x' } }) as unknown as { label: string; inPorts: [{ inspector: { inputs: { to: { label: string } } } }] };
    expect([found.label, found.inPorts[0].inspector.inputs.to.label, ({} as Record<string, unknown>)['polluted'], given.label]).toEqual(['Bé', 'Komu', undefined, 'B']);
  });
});
