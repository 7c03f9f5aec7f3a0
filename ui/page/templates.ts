/** Flows to begin with. Each runs as it is, without an account anywhere. */
import type { Flow, FlowNode, JsonObject, Transform, Variable } from '../flow/model.ts';
import type { STRINGS } from './strings.ts';

export interface Template {
  /** Also of its words. */
  id: keyof typeof STRINGS.templates;
  flow: Flow;
}

type Values = Record<string, Record<string, string | Variable>>;

const UTILS = 'headrace.utils.';

/** A step behind an output of another one; `values` are the variables of its fields. */
function step(type: string, at: [number, number], from: [string, string], lambda: JsonObject, values: Values = {}, label = '', inPort = 'in'): FlowNode {
  const modifiers = Object.fromEntries(
    Object.entries(values).map(([field, named]) => [
      field,
      Object.fromEntries(Object.entries(named).map(([name, value]) => [name, typeof value === 'string' ? { variable: value, functions: [] } : value])),
    ]),
  );
  const transform: Transform = { type: 'json2new', lambda, modifiers };
  const [source, outPort] = from;
  return {
    type: UTILS + type,
    ...(label ? { label } : {}),
    x: at[0],
    y: at[1],
    version: '1.0.0',
    source: { [inPort]: { [source]: [outPort] } },
    config: { transform: { [inPort]: { [source]: { [outPort]: transform } } } },
  };
}

function start(type: string, at: [number, number], properties: JsonObject = {}, label = ''): FlowNode {
  return { type: UTILS + type, ...(label ? { label } : {}), x: at[0], y: at[1], version: '1.0.0', source: {}, config: { properties } };
}

/** A counter that begins at nothing and goes up by one. */
function counting(node: FlowNode): FlowNode {
  return { ...node, config: { ...node.config, properties: { count: 0, increment: 1 } } };
}

const HOOK = start('http.WebhookTrigger', [64, 144], { immediateResponse: false }, 'When called');
const text = (name: string, value: string): JsonObject => ({ ADD: [{ type: 'text', name, text: value }] });
const when = (input: string, operator: string, value: string): JsonObject => ({ AND: [{ OR: [{ input, operator, value }] }] });

export const TEMPLATES: readonly Template[] = [
  {
    id: 'greeting',
    flow: {
      hook: HOOK,
      greet: step('controls.SetVariable', [256, 144], ['hook', 'request'], { variables: text('greeting', 'Hello {{{who}}}!') }, { variables: { who: { variable: '$.hook.request.data.name', functions: [{ name: 'g_upperFirst' }] } } }, 'Make the greeting'),
      answer: step('http.Response', [448, 144], ['greet', 'out'], { body: '{{{text}}}', statusCode: 200 }, { body: { text: '$.greet.out.greeting' } }, 'Answer'),
    },
  },
  {
    id: 'branches',
    flow: {
      hook: HOOK,
      big: step('controls.Condition', [256, 144], ['hook', 'request'], { expression: when('{{{amount}}}', '>', '100') }, { expression: { amount: '$.hook.request.data.amount' } }, 'More than 100?'),
      approve: step('controls.SetVariable', [448, 64], ['big', 'true'], { variables: text('status', 'waits for approval') }, {}, 'Ask for approval'),
      take: step('controls.SetVariable', [448, 224], ['big', 'false'], { variables: text('status', 'taken') }, {}, 'Take it'),
      approved: step('http.Response', [640, 64], ['approve', 'out'], { body: '{{{status}}}', statusCode: 202 }, { body: { status: '$.approve.out.status' } }, 'Answer 202'),
      taken: step('http.Response', [640, 224], ['take', 'out'], { body: '{{{status}}}', statusCode: 200 }, { body: { status: '$.take.out.status' } }, 'Answer 200'),
    },
  },
  {
    id: 'clock',
    flow: {
      minute: start('timers.SchedulerTrigger', [64, 144], { scheduleType: 'custom', customIntervalUnit: 'minutes', customIntervalValue: 1, immediate: true }, 'Each minute'),
      stamp: step('controls.SetVariable', [256, 144], ['minute', 'out'], { variables: text('stamp', 'Run {{{id}}} at {{{now}}}') }, { variables: { id: { functions: [{ name: 'g_uuid4' }] }, now: { functions: [{ name: 'g_now' }] } } }, 'Stamp it'),
    },
  },
  {
    id: 'each',
    flow: {
      hook: start('http.WebhookTrigger', [64, 144], { immediateResponse: true }, 'When called'),
      each: step('controls.Each', [256, 144], ['hook', 'request'], { list: '{{{items}}}' }, { list: { items: '$.hook.request.data.items' } }, 'For each entry'),
      entry: step('controls.SetVariable', [448, 80], ['each', 'item'], { variables: text('entry', 'Entry {{{id}}}') }, { variables: { id: { functions: [{ name: 'g_uuid4' }] } } }, 'Work on it'),
      done: step('controls.SetVariable', [448, 208], ['each', 'done'], { variables: text('total', '{{{count}}} entries') }, { variables: { count: '$.each.done.count' } }, 'All done'),
    },
  },
  {
    id: 'filter',
    flow: {
      hook: HOOK,
      urgent: step('controls.Condition', [256, 144], ['hook', 'request'], { expression: when('{{{words}}}', 'contains', 'urgent') }, { expression: { words: { variable: '$.hook.request.data.text', functions: [{ name: 'g_lowercase' }] } } }, 'Is it urgent?'),
      now: step('http.Response', [448, 64], ['urgent', 'true'], { body: 'We look at it now.', statusCode: 200 }, {}, 'Say now'),
      later: step('http.Response', [448, 224], ['urgent', 'false'], { body: 'We look at it later.', statusCode: 200 }, {}, 'Say later'),
    },
  },
  {
    id: 'wait',
    flow: {
      go: start('controls.OnStart', [64, 144], {}, 'When started'),
      wait: step('timers.Wait', [256, 144], ['go', 'out'], { interval: '1m' }, {}, 'One minute'),
      after: step('controls.SetVariable', [448, 144], ['wait', 'out'], { variables: text('said', 'Awake at {{{now}}}') }, { variables: { now: { functions: [{ name: 'g_now' }] } } }, 'Awake'),
    },
  },
  {
    id: 'xml',
    flow: {
      hook: HOOK,
      read: step('xml.XmlToJson', [256, 144], ['hook', 'request'], { xml: '{{{xml}}}' }, { xml: { xml: '$.hook.request.data.xml' } }, 'Read the XML'),
      answer: step('http.Response', [448, 144], ['read', 'out'], { body: '{{{json}}}', statusCode: 200 }, { body: { json: '$.read.out' } }, 'Answer'),
    },
  },
  {
    id: 'count',
    flow: {
      hook: HOOK,
      counter: counting(step('controls.Counter', [256, 144], ['hook', 'request'], {}, {}, 'Count', 'item')),
      answer: step('http.Response', [448, 144], ['counter', 'count'], { body: 'You are number {{{count}}}.', statusCode: 200 }, { body: { count: '$.counter.count.count' } }, 'Say the number'),
    },
  },
];
